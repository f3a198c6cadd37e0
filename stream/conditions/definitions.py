"""A whole definitions file, compiled: folds events in, and says who belongs where."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from stream.conditions import words
from stream.conditions.amounts import Rank
from stream.conditions.conditions import walk
from stream.conditions.keepers import state_key
from stream.conditions.memory import (
    DUE,
    LACKING,
    NEW,
    NEW_CUSTOMER,
    STATES,
    TAG,
    TOUCHED,
    Memory,
    adopt,
    begin,
)
from stream.conditions.plan import keepers_of, listeners_of, plan_of, upstream_of
from stream.conditions.segments import Segment, needs, ordered
from stream.conditions.selection import ANY_EVENT, Happening
from stream.conditions.verdict import Cause, Change, Verdict
from stream.conditions.view import NEVER, Changed, Facts, View

_MAX_REMEMBERED_PLANS = 4_096


class Definitions:
    """Immutable; one instance serves every customer of a process.

    The caller owns each customer's memory: an empty dict for a new customer, afterwards
    whatever `observe` and `evaluate` made of it. Evaluate what is due before the next event
    is observed, or else a membership that ended in between is seen to end late.
    """

    def __init__(
        self,
        segments: Iterable[Segment],
        known: Mapping[str, frozenset[str]] | None = None,
    ) -> None:
        given = {segment.id: segment for segment in segments}
        order, cycle = ordered({name: needs(segment) for name, segment in given.items()})
        if cycle:
            raise ValueError(f"segments need each other: {' → '.join(cycle)}")
        self._ordered = tuple(given[name] for name in order)
        self.segments: Mapping[str, Segment] = given
        canonical = sorted((segment.canonical() for segment in self._ordered), key=repr)
        #: Changes whenever the meaning of any segment changes.
        self.version = state_key("definitions", canonical)
        self._names = {segment.id: segment.name for segment in self._ordered}
        self._keepers = keepers_of(self._ordered)
        self._listeners, self._any_listeners = listeners_of(self._keepers.values())
        conditions = [c for segment in self._ordered for c in walk(segment.when)]
        self._ranks = tuple(c for c in conditions if isinstance(c, Rank))
        self._plan = plan_of(self._ordered)
        self._upstream = upstream_of(self._ordered)
        #: Version → keys of the states that memories of that version hold.
        self.known = {**(known or {}), self.version: self.conditions_needed}

    @property
    def events(self) -> frozenset[str]:
        """Names of the events that matter; with `*` among them every event does."""
        everything = {ANY_EVENT} if self._any_listeners else set()
        return frozenset(self._listeners) | everything

    @property
    def conditions_needed(self) -> frozenset[str]:
        """Keys of all states that the conditions need."""
        return frozenset(self._keepers)

    def after(self, older: "Definitions") -> "Definitions":
        """These definitions, knowing what memories made under `older` hold.

        Without that knowledge a state that is absent counts as missing, although perhaps
        nothing that it asks about ever happened.
        """
        return Definitions(self.segments.values(), older.known)

    def observe(
        self,
        memory: Memory,
        name: str,
        at_ms: int,
        properties: Mapping[str, Any],
        total_minor: int | None = None,
    ) -> bool:
        """Fold one event into `memory`; whether any condition cares.

        Events may come in any order but each only once.
        """
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        listeners = self._listeners.get(name, self._any_listeners)
        if not listeners:
            return False
        event = Happening(name, at_ms, properties, total_minor)
        states = memory[STATES]
        touched = None
        for key, fold, takes in listeners:
            if takes is not None and not takes(event):
                continue
            state = fold(states.get(key), event)
            if state is not None:
                states[key] = state
                if touched is None:
                    touched = memory.setdefault(TOUCHED, [])
                if key not in touched:
                    touched.append(key)
        return touched is not None

    def evaluate(
        self,
        memory: Memory,
        facts: Facts,
        now_ms: int,
        memberships: Mapping[str, int],
        changed: Changed = Changed.ALL,
    ) -> Verdict:
        """Who entered and left up to `now_ms`, given the memberships (segment → entered ms).

        `changed` names the facts that may differ from the last evaluation.
        """
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        new = memory.pop(NEW, 0)
        touched = memory.pop(TOUCHED, ())
        view = View(memory[STATES], facts, now_ms, dict(memberships), self._names)
        changes: list[Change] = []
        if new:
            cause: Cause = "event" if new == NEW_CUSTOMER else "definition"
            self._leave_undefined(view, changes)
            due = self._run(view, self._ordered, changes, cause)
        else:
            due = memory.get(DUE, NEVER)
            while due <= now_ms:
                view.now_ms = due
                due = self._run(view, self._ordered, changes, "time")
            view.now_ms = now_ms
            affected = self._affected(touched, changed)
            cause = "model" if changed is Changed.CLUSTER and not touched else "event"
            due = min(due, self._run(view, affected, changes, cause))
        if due < NEVER:
            memory[DUE] = due
        else:
            memory.pop(DUE, None)
        return Verdict(tuple(changes), view.members, due if due < NEVER else None)

    def due(self, memory: Memory) -> int | None:
        """When `memory` must next be evaluated though nothing happens."""
        due: int | None = memory.get(DUE)
        return due

    def why(
        self,
        memory: Memory,
        facts: Facts,
        now_ms: int,
        segment: str,
        memberships: Mapping[str, int],
    ) -> str:
        """Why the customer is in the segment, or what is missing, in words."""
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        wanted = self.segments[segment]
        view = View(memory[STATES], facts, now_ms, dict(memberships), self._names)
        reason = wanted.when.reason(view)
        entered_ms = memberships.get(segment)
        if entered_ms is None:
            return f'not in "{wanted.name}": {reason}'
        if wanted.when.turn(view) > 0:
            return f'in "{wanted.name}": {reason}'
        until = words.moment(entered_ms + wanted.stay_at_least_ms)
        return f'kept in "{wanted.name}" until {until} (stay_at_least): {reason}'

    def measures(
        self, memory: Memory, facts: Facts, now_ms: int
    ) -> dict[tuple[str, int | None], float]:
        """The customer's value of every measure whose percentiles are asked about.

        Keyed by measure and window (ms, None: whole life); those without a value are absent.
        """
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        view = View(memory[STATES], facts, now_ms, {}, self._names)
        found = {(c.measure, c.within_ms): c.value(view) for c in self._ranks}
        return {key: value for key, value in found.items() if value is not None}

    def missing(self, memory: Memory) -> frozenset[str]:
        """Keys of the states that lack what happened before they were defined."""
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        return frozenset(memory.get(LACKING, ()))

    def incomplete(self, memory: Memory) -> frozenset[str]:
        """Segments that ask about such states."""
        missing = self.missing(memory)
        return frozenset(
            segment.id
            for segment in self._ordered
            if any(keeper.key in missing for keeper in keepers_of((segment,)).values())
        )

    def complete(self, memory: Memory, earlier: Memory) -> None:
        """Give `memory` what it lacks from `earlier`, a memory of the events before it.

        The two must have seen disjoint sets of events.
        """
        missing = self.missing(memory)
        states, before = memory[STATES], earlier.get(STATES, {})
        touched = memory.setdefault(TOUCHED, [])
        for key in missing & before.keys():
            mine = states.get(key)
            merge = self._keepers[key].merge
            states[key] = before[key] if mine is None else merge(mine, before[key])
            if key not in touched:
                touched.append(key)
        memory.pop(LACKING, None)

    def _adopt(self, memory: Memory) -> None:
        if not memory:
            begin(memory, self.version)
            return
        known = self.known.get(memory.get(TAG, ""))
        adopt(memory, self.version, self._keepers.keys(), known)

    def _affected(self, touched: Sequence[str], changed: Changed) -> tuple[Segment, ...]:
        plan = self._plan
        asked = (*touched, changed)
        segments = plan.remembered.get(asked)
        if segments is None:
            found = [plan.by_key[key] for key in touched if key in plan.by_key]
            found += [which for fact, which in plan.by_fact.items() if fact & changed]
            segments = tuple(self._ordered[i] for i in sorted(frozenset().union(*found)))
            if len(plan.remembered) >= _MAX_REMEMBERED_PLANS:
                plan.remembered.clear()
            plan.remembered[asked] = segments
        return segments

    def _leave_undefined(self, view: View, changes: list[Change]) -> None:
        for name in [name for name in view.members if name not in self.segments]:
            del view.members[name]
            reason = "the segment is no longer defined"
            changes.append(Change(name, "left", view.now_ms, "definition", reason, None))

    def _run(
        self, view: View, segments: Sequence[Segment], changes: list[Change], cause: Cause
    ) -> int:
        """Bring the segments' memberships up to the view's moment; the next due moment."""
        members, now_ms = view.members, view.now_ms
        due = NEVER
        for segment in segments:
            turn = segment.when.turn(view)
            entered_ms = members.get(segment.id)
            if turn > 0:
                if entered_ms is None:
                    entered_ms = members[segment.id] = now_ms
                    changes.append(self._entered(segment, view, cause))
                next_ms = max(turn, entered_ms + segment.stay_at_least_ms)
            elif entered_ms is None:
                next_ms = -turn
            elif entered_ms + segment.stay_at_least_ms > now_ms:
                next_ms = entered_ms + segment.stay_at_least_ms
            else:
                del members[segment.id]
                reason = segment.when.reason(view)
                changes.append(Change(segment.id, "left", now_ms, cause, reason, None))
                next_ms = -turn
            if next_ms < due:
                due = next_ms
        return due

    def _entered(self, segment: Segment, view: View, cause: Cause) -> Change:
        reason = segment.when.reason(view)
        ends_ms = None if view.projecting else self._ends(segment, view)
        return Change(segment.id, "entered", view.now_ms, cause, reason, ends_ms)

    def _ends(self, segment: Segment, view: View) -> int | None:
        """When the customer leaves the segment if nothing but time goes on."""
        upstream = self._upstream[segment.id]
        future = View(
            view.states, view.facts, view.now_ms, dict(view.members), self._names, projecting=True
        )
        due = self._run(future, upstream, [], "time")
        while due < NEVER:
            future.now_ms = due
            due = self._run(future, upstream, [], "time")
            if segment.id not in future.members:
                return future.now_ms
        return None
