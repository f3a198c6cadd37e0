"""A whole definitions file, compiled: folds events in, and says who belongs where."""

from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Any

from stream.conditions import words
from stream.conditions.amounts import Rank
from stream.conditions.conditions import walk
from stream.conditions.evaluation import Dues, Evaluation, earliest
from stream.conditions.keepers import Keeper, state_key
from stream.conditions.listening import Listening, States
from stream.conditions.memory import (
    DUE,
    LACKING,
    NEW,
    NEW_CUSTOMER,
    STATES,
    TAG,
    TOUCHED,
    Memory,
    Point,
    adopt,
    begin,
    copied,
    fill_in,
    lacking_of,
    lost_of,
)
from stream.conditions.plan import Plan, asked_of, keepers_of, reaches_of
from stream.conditions.segments import Segment, needs, ordered
from stream.conditions.selection import Happening
from stream.conditions.standing import Affinity
from stream.conditions.verdict import Cause, Change, Verdict
from stream.conditions.view import NEVER, Changed, Facts, Scope, View


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
        self._keepers = keepers_of(self._ordered)
        self._listening = Listening(self._keepers.values())
        self._plan = Plan(self._ordered)
        self._evaluation = Evaluation(self._ordered)
        conditions = [c for segment in self._ordered for c in walk(segment.when)]
        names = {segment.id: segment.name for segment in self._ordered}
        categories = frozenset(c.category for c in conditions if isinstance(c, Affinity))
        self._scope = Scope(names, categories)
        self._ranks = tuple(c for c in conditions if isinstance(c, Rank))
        #: Whether any condition asks for a percentile.
        self.ranked = bool(self._ranks)
        #: Segment → keys of the states that it asks about, itself or through others.
        self.asked: Mapping[str, frozenset[str]] = asked_of(self._ordered)
        #: Key of a state → how far back (ms) it needs events; None: a whole life.
        self.reaches: Mapping[str, int | None] = reaches_of(self._ordered)
        #: Version → keys of the states that memories of that version hold.
        self.known: Mapping[str, frozenset[str]] = {
            **(known or {}),
            self.version: self.conditions_needed,
        }

    @property
    def events(self) -> frozenset[str]:
        """Names of the events that matter; with `*` among them every event does."""
        return self._listening.names

    @property
    def conditions_needed(self) -> frozenset[str]:
        """Keys of all states that the conditions need."""
        return frozenset(self._keepers)

    @property
    def keepers(self) -> Mapping[str, Keeper]:
        """What remembers for the conditions, by its key."""
        return self._keepers

    def after(self, older: "Definitions") -> "Definitions":
        """These definitions, knowing what memories made under `older` hold.

        Without that knowledge a state that is absent counts as missing, although perhaps
        nothing that it asks about ever happened.
        """
        return Definitions(self.segments.values(), older.known)

    def learn(self, known: Mapping[str, frozenset[str]]) -> None:
        """Learn what memories of other versions hold: version → keys of their states."""
        self.known = {**known, **self.known}

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
            self.adopt(memory, None)
        event = Happening(name, at_ms, properties, total_minor)
        changed = self._listening.fold(memory[STATES], event)
        if not changed:
            return False
        if NEW in memory:
            # It is evaluated as a whole anyway.
            return True
        touched = memory.get(TOUCHED)
        if touched is None:
            memory[TOUCHED] = changed
        else:
            touched += [key for key in changed if key not in touched]
        return True

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
            self.adopt(memory, None)
        if NEW in memory:
            return self._evaluate_all(memory, facts, now_ms, memberships)
        dues: Dues = memory.get(DUE) or {}
        touched = memory.pop(TOUCHED, ())
        due = earliest(dues)
        work = self._plan.work(touched, changed)
        view = View(memory[STATES], facts, now_ms, memberships, self._scope)
        changes: list[Change] = []
        held = self._plan.held(memory.get(LACKING, ()))
        if due <= now_ms:
            self._evaluation.catch_up(view, dues, changes, held)
        indexes = work.given(view)
        if not indexes and due > now_ms:
            return Verdict((), memberships, due if due < NEVER else None)
        cause: Cause = "event" if touched else _CAUSES.get(changed, "event")
        self._evaluation.run(view, indexes, dues, changes, cause, held)
        return _verdict(memory, view, dues, changes)

    def _evaluate_all(
        self, memory: Memory, facts: Facts, now_ms: int, memberships: Mapping[str, int]
    ) -> Verdict:
        """Of a customer who is new to these definitions; memberships they lack end."""
        cause: Cause = "event" if memory.pop(NEW) == NEW_CUSTOMER else "definition"
        memory.pop(TOUCHED, None)
        view = View(memory[STATES], facts, now_ms, memberships, self._scope)
        changes: list[Change] = []
        for name in [name for name in memberships if name not in self.segments]:
            view.leave(name)
            reason = "the segment is no longer defined"
            changes.append(Change(name, "left", now_ms, "definition", reason, None))
        dues: Dues = {}
        held = self._plan.held(memory.get(LACKING, ()))
        self._evaluation.run(view, self._plan.everything.given(view), dues, changes, cause, held)
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
        memory = self._current(memory)
        wanted = self.segments[segment]
        view = View(memory[STATES], facts, now_ms, memberships, self._scope)
        reason = wanted.when.reason(view)
        if segment in self.incomplete(memory):
            reason += " (not all of the past that it asks about is known)"
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
        memory = self._current(memory)
        view = View(memory[STATES], facts, now_ms, {}, self._scope)
        found = {(c.measure, c.within_ms): c.value(view) for c in self._ranks}
        return {key: value for key, value in found.items() if value is not None}

    def used_last(self, memory: Memory) -> bool:
        """Whether `memory` was last evaluated under definitions of this meaning."""
        return memory.get(TAG) == self.version

    def missing(self, memory: Memory) -> frozenset[str]:
        """Keys of the states that lack what happened before they were defined."""
        current = self._current(memory)
        return frozenset([*lacking_of(current), *lost_of(current)])

    def lost(self, memory: Memory) -> frozenset[str]:
        """Keys of those whose past the log no longer had when they were filled in."""
        return frozenset(key for key in lost_of(memory) if key in self._keepers)

    def incomplete(self, memory: Memory) -> frozenset[str]:
        """Segments that ask about such states, themselves or through segments they need."""
        return self.asking(self.missing(memory))

    def asking(self, keys: Collection[str]) -> frozenset[str]:
        """Segments that ask about any of these states."""
        return _asking(self, frozenset(keys)) if keys else frozenset()

    def events_asked(self, segment: str, missing: Collection[str]) -> tuple[str, ...]:
        """In words, the events of a segment's conditions whose states are among `missing`."""
        keys = sorted(self.asked[segment].intersection(missing))
        keepers = (self._keepers[key] for key in keys)
        return tuple(dict.fromkeys(s.text() for keeper in keepers for s in keeper.selections))

    def lacking(self, memory: Memory, point: Point) -> dict[str, Point]:
        """Key of each state that lacks its past → point where it begins; what happened from
        there on is in it. States that are new to the memory begin at `point`."""
        return lacking_of(self._current(memory, point))

    def listening(self, keys: Collection[str]) -> Listening:
        """Folds events into these states only."""
        return Listening(self._keepers[key] for key in sorted(keys))

    def complete(
        self, memory: Memory, earlier: States, keys: Collection[str], lost: Collection[str] = ()
    ) -> bool:
        """Give a memory what it lacks; it is evaluated as a whole when it is next evaluated.

        Parameters
        ----------
        earlier
            States of the events before the memory's own begin.
        keys
            Of those that the memory lacks, what is to be filled in.
        lost
            Keys of which `earlier` may not have everything.

        Returns
        -------
        bool
            Whether anything was lacking.
        """
        merges = {key: self._keepers[key].merge for key in keys}
        return fill_in(memory, earlier, merges, lost)

    def adopt(self, memory: Memory, point: Point | None) -> None:
        """Make a memory one of these definitions: that of a new customer if it is empty.

        What it does not know of states that are new begins at `point`, if somebody knows it.
        """
        if memory.get(TAG) == self.version:
            return
        if not memory:
            begin(memory, self.version)
            return
        known = self.known.get(memory.get(TAG, ""))
        adopt(memory, self.version, self._keepers.keys(), known, point)

    def _current(self, memory: Memory, point: Point | None = None) -> Memory:
        """The memory, or a copy of it that is one of these definitions."""
        if memory.get(TAG) != self.version:
            memory = copied(memory)
            self.adopt(memory, point)
        return memory


#: Facts that change without an event of the customer → cause of what comes of it.
_CAUSES: Mapping[int, Cause] = {Changed.CLUSTER: "model", Changed.RANKS: "time"}


@lru_cache(maxsize=256)
def _asking(definitions: Definitions, keys: frozenset[str]) -> frozenset[str]:
    asked = definitions.asked.items()
    return frozenset(name for name, states in asked if not states.isdisjoint(keys))


def _verdict(memory: Memory, view: View, dues: Dues, changes: list[Change]) -> Verdict:
    if dues:
        memory[DUE] = dues
    else:
        memory.pop(DUE, None)
    due = earliest(dues)
    return Verdict(tuple(changes), view.members, due if due < NEVER else None)
