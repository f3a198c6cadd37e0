"""A whole definitions file, compiled: folds events in, and says who belongs where."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from stream.conditions import words
from stream.conditions.amounts import Rank
from stream.conditions.conditions import walk
from stream.conditions.evaluation import Dues, Evaluation, earliest
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
    lacking_since,
)
from stream.conditions.plan import Plan, asked_of, audiences_of, keepers_of, reaches_of
from stream.conditions.segments import Segment, needs, ordered
from stream.conditions.selection import ANY_EVENT, Happening
from stream.conditions.verdict import Cause, Change, Verdict
from stream.conditions.view import NEVER, Changed, Facts, View


class Definitions:
    """Immutable; one instance serves every customer of a process.

    The caller owns each customer's memory: an empty dict for a new customer, afterwards
    whatever `observe` and `evaluate` made of it. Evaluate what is due before the next event
    is observed, or else a membership that ended in between is seen to end late.

    Raises
    ------
    ValueError
        If segments need each other in a circle.
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
        self._audiences, self._others = audiences_of(self._keepers.values())
        self._plan = Plan(self._ordered)
        self._evaluation = Evaluation(self._ordered)
        conditions = [c for segment in self._ordered for c in walk(segment.when)]
        self._ranks = tuple(c for c in conditions if isinstance(c, Rank))
        #: Whether any condition asks for a percentile.
        self.ranked = bool(self._ranks)
        self._asked = asked_of(self._ordered)
        #: Key of a state → how far back (ms) it needs events; None: a whole life.
        self.reaches: Mapping[str, int | None] = reaches_of(self._ordered)
        #: Version → keys of the states that memories of that version hold.
        self.known = {**(known or {}), self.version: self.conditions_needed}

    @property
    def events(self) -> frozenset[str]:
        """Names of the events that matter; with `*` among them every event does."""
        return frozenset(self._audiences) | ({ANY_EVENT} if self._others else set())

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
        audience = self._audiences.get(name, self._others)
        if audience is None:
            return False
        event = Happening(name, at_ms, properties, total_minor)
        states = memory[STATES]
        touched = memory.get(TOUCHED)
        changed = False
        for key, fold, takes in audience.of(event):
            if takes is not None and not takes(event):
                continue
            state = fold(states.get(key), event)
            if state is None:
                continue
            states[key] = state
            changed = True
            if touched is None:
                touched = memory[TOUCHED] = [key]
            elif key not in touched:
                touched.append(key)
        return changed

    def evaluate(
        self,
        memory: Memory,
        facts: Facts,
        now_ms: int,
        memberships: Mapping[str, int],
        changed: int = Changed.ALL,
    ) -> Verdict:
        """Who entered and left up to `now_ms`, given the memberships (segment → entered ms).

        `changed` names the facts that may differ from the last evaluation (flags of `Changed`).
        """
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        if NEW in memory:
            return self._evaluate_all(memory, facts, now_ms, memberships)
        dues: Dues = memory.get(DUE) or {}
        touched = memory.pop(TOUCHED, ())
        due = earliest(dues)
        work = self._plan.work(touched, changed)
        indexes = work.given(memberships, memory[STATES])
        if not indexes and due > now_ms:
            return Verdict((), memberships, due if due < NEVER else None)
        view = View(memory[STATES], facts, now_ms, dict(memberships), self._names)
        changes: list[Change] = []
        if due <= now_ms:
            self._evaluation.catch_up(view, dues, changes)
            indexes = work.given(view.members, view.states)
        cause: Cause = "model" if changed == Changed.CLUSTER and not touched else "event"
        self._evaluation.run(view, indexes, dues, changes, cause)
        return _verdict(memory, view, dues, changes)

    def _evaluate_all(
        self, memory: Memory, facts: Facts, now_ms: int, memberships: Mapping[str, int]
    ) -> Verdict:
        """Of a customer who is new to these definitions; memberships they lack end."""
        cause: Cause = "event" if memory.pop(NEW) == NEW_CUSTOMER else "definition"
        memory.pop(TOUCHED, None)
        view = View(memory[STATES], facts, now_ms, dict(memberships), self._names)
        changes: list[Change] = []
        for name in memberships.keys() - self.segments.keys():
            del view.members[name]
            reason = "the segment is no longer defined"
            changes.append(Change(name, "left", now_ms, "definition", reason, None))
        dues: Dues = {}
        self._evaluation.run(view, list(range(len(self._ordered))), dues, changes, cause)
        return _verdict(memory, view, dues, changes)

    def due(self, memory: Memory) -> int | None:
        """When `memory` must next be evaluated though nothing happens."""
        dues = memory.get(DUE)
        return min(dues.values()) if dues else None

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

    def used_last(self, memory: Memory) -> bool:
        """Whether `memory` was last evaluated under definitions of this meaning."""
        return memory.get(TAG) == self.version

    def missing(self, memory: Memory) -> frozenset[str]:
        """Keys of the states that lack what happened before they were defined."""
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        return frozenset(memory.get(LACKING, ()))

    def incomplete(self, memory: Memory) -> frozenset[str]:
        """Segments that ask about such states, themselves or through segments they need."""
        missing = self.missing(memory)
        if not missing:
            return frozenset()
        return frozenset(name for name, asked in self._asked.items() if missing & asked)

    def events_asked(self, segment: str, missing: Collection[str]) -> tuple[str, ...]:
        """In words, the events of a segment's conditions whose states are among `missing`."""
        keys = sorted(self._asked[segment].intersection(missing))
        keepers = (self._keepers[key] for key in keys)
        return tuple(dict.fromkeys(s.text() for keeper in keepers for s in keeper.selections))

    def lacking_since(self, memory: Memory) -> dict[str, str]:
        """The same keys, each with the version of the definitions that asked for it first.

        What happened from when those came into force on is in the state.
        """
        if memory.get(TAG) != self.version:
            self._adopt(memory)
        return lacking_since(memory)

    def complete(
        self,
        memory: Memory,
        earlier: Memory,
        covered: Collection[str] | None = None,
        since: str | None = None,
    ) -> bool:
        """Give `memory` what it lacks from `earlier`, a memory of the events before it.

        The two must have seen disjoint sets of events. Evaluate afterwards.

        Parameters
        ----------
        covered
            The states of which `earlier` has seen all that they need; None: of all.
        since
            Version of the definitions before which `earlier` ends; None: these.

        Returns
        -------
        bool
            Whether anything was filled in.
        """
        lacking = self.lacking_since(memory)
        begun = self.version if since is None else since
        filled = {key for key, version in lacking.items() if version == begun}
        if covered is not None:
            filled &= set(covered)
        if not filled:
            return False
        states, before = memory[STATES], earlier.get(STATES, {})
        touched = memory.setdefault(TOUCHED, [])
        for key in sorted(filled & before.keys()):
            mine = states.get(key)
            merge = self._keepers[key].merge
            states[key] = before[key] if mine is None else merge(mine, before[key])
            if key not in touched:
                touched.append(key)
        left = {key: version for key, version in lacking.items() if key not in filled}
        memory.pop(LACKING, None)
        if left:
            memory[LACKING] = left
        return True

    def _adopt(self, memory: Memory) -> None:
        if not memory:
            begin(memory, self.version)
            return
        known = self.known.get(memory.get(TAG, ""))
        adopt(memory, self.version, self._keepers.keys(), known)


def _verdict(memory: Memory, view: View, dues: Dues, changes: list[Change]) -> Verdict:
    if dues:
        memory[DUE] = dues
    else:
        memory.pop(DUE, None)
    due = earliest(dues)
    return Verdict(tuple(changes), view.members, due if due < NEVER else None)
