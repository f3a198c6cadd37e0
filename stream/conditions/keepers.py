"""What is remembered of the events that conditions ask about, each bounded.

A keeper folds one event into its state and gives the same state for any order of arrival.
States are plain lists and numbers, ready for msgpack. Two states of disjoint sets of events
merge into the state of both.
"""

import json
from base64 import urlsafe_b64encode
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

from stream.conditions.selection import ANY_EVENT, Happening, Selection
from stream.conditions.words import MINUTE_MS

#: How many timestamps a keeper holds: the next of these, so that conditions share.
DEPTHS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000)
MAX_DEPTH = DEPTHS[-1]
_KEY_BYTES = 5
#: Events may be this far ahead of the moment of evaluation.
AHEAD_MS = 5 * MINUTE_MS


def state_key(*meaning: Any) -> str:
    """Short name under which a state is stored: a hash of what it means."""
    text = json.dumps(meaning, separators=(",", ":"), ensure_ascii=True)
    digest = blake2b(text.encode(), digest_size=_KEY_BYTES).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


class Keeper(Protocol):
    """Folds events into a state; None stands for the state before any event."""

    @property
    def key(self) -> str:
        """Hash of what is kept."""

    @property
    def selections(self) -> tuple[Selection, ...]:
        """The events it wants to see."""

    def fold(self, state: Any, event: Happening) -> Any:
        """State with the event in it (may be the same object), None if it changes nothing."""

    def merge(self, one: Any, other: Any) -> Any:
        """State of the events of both."""


@dataclass(frozen=True, slots=True)
class Times:
    """The last `depth` timestamps, ascending."""

    selection: Selection
    depth: int
    key: str = field(init=False)

    def __post_init__(self) -> None:
        key = state_key("times", self.selection.canonical(), self.depth)
        object.__setattr__(self, "key", key)

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def fold(self, state: Any, event: Happening) -> Any:
        at_ms = event.at_ms
        if state is None:
            return [at_ms]
        if at_ms >= state[-1]:
            state.append(at_ms)
        elif len(state) == self.depth and at_ms <= state[0]:
            return None
        else:
            insort(state, at_ms)
        if len(state) > self.depth:
            del state[0]
        return state

    def merge(self, one: Any, other: Any) -> Any:
        merged: list[int] = sorted([*one, *other])[-self.depth :]
        return merged


@dataclass(frozen=True, slots=True)
class First:
    """The first timestamp."""

    selection: Selection
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", state_key("first", self.selection.canonical()))

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def fold(self, state: Any, event: Happening) -> Any:
        return event.at_ms if state is None or event.at_ms < state else None

    def merge(self, one: Any, other: Any) -> Any:
        return min(one, other)


@dataclass(frozen=True, slots=True)
class Count:
    """How many ever, and the last timestamp."""

    selection: Selection
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", state_key("count", self.selection.canonical()))

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def fold(self, state: Any, event: Happening) -> Any:
        if state is None:
            return [1, event.at_ms]
        return [state[0] + 1, max(state[1], event.at_ms)]

    def merge(self, one: Any, other: Any) -> Any:
        return [one[0] + other[0], max(one[1], other[1])]


@dataclass(frozen=True, slots=True)
class Chain:
    """The latest start of a sequence of events, each later than the one before.

    State: of the first step `[times]`, of the others `[times, starts]`: the last `DEPTH`
    timestamps and, for each, the latest start of a sequence that ends there (0: none). In order
    the result is exact without limit; an event that comes late is exact unless `DEPTH` later
    events of its step have been seen.
    """

    steps: tuple[Selection, ...]
    within_ms: int | None
    key: str = field(init=False)
    #: Event's name → steps that it may be; "*" for all other names.
    _by_name: dict[str, list[tuple[int, Selection]]] = field(init=False, repr=False, compare=False)

    DEPTH = 32

    def __post_init__(self) -> None:
        canonical = [step.canonical() for step in self.steps]
        object.__setattr__(self, "key", state_key("chain", canonical, self.within_ms))
        numbered = list(enumerate(self.steps))
        by_name = {
            name: [(i, step) for i, step in numbered if {name, ANY_EVENT} & {*step.names}]
            for name in {ANY_EVENT, *(name for step in self.steps for name in step.names)}
        }
        object.__setattr__(self, "_by_name", by_name)

    @property
    def selections(self) -> tuple[Selection, ...]:
        return self.steps

    def fold(self, state: Any, event: Happening) -> Any:
        changed = False
        for i, step in self._by_name.get(event.name) or self._by_name[ANY_EVENT]:
            if not step.where or step.takes(event):
                if state is None:
                    state = [[[]], *([[], []] for _ in self.steps[1:])]
                changed |= self._insert(state, i, event.at_ms, 0)
        return state if changed else None

    def merge(self, one: Any, other: Any) -> Any:
        merged = [[list(column) for column in step] for step in one]
        for i, step in enumerate(other):
            for at_ms, start_ms in zip(step[0], step[-1], strict=True):
                self._insert(merged, i, at_ms, start_ms)
        return merged

    def latest_start(self, state: Any) -> int:
        """Start of the latest-starting whole sequence, 0 if there is none."""
        starts: list[int] = state[-1][1] if state else []
        return starts[-1] if starts else 0

    def _insert(self, state: Any, step: int, at_ms: int, start_ms: int) -> bool:
        newest_ms = at_ms
        for columns in state:
            if columns[0] and columns[0][-1] > newest_ms:
                newest_ms = columns[0][-1]
        if self.within_ms is not None:
            # What no window can hold any more.
            gone_ms = newest_ms - self.within_ms - AHEAD_MS
            if at_ms <= gone_ms:
                return False
            for columns in state:
                if columns[0] and columns[0][0] <= gone_ms:
                    _drop(columns, bisect_right(columns[0], gone_ms))
        columns = state[step]
        times = columns[0]
        if newest_ms == at_ms and (not times or times[-1] < at_ms):
            # The usual case: nothing that is known comes later.
            times.append(at_ms)
            if step:
                columns[1].append(start_ms)
                _link(state[step - 1], columns, at_ms)
        elif not self._place(state, step, at_ms, start_ms):
            return False
        if len(times) > self.DEPTH:
            _drop(columns, 1)
        return True

    def _place(self, state: Any, step: int, at_ms: int, start_ms: int) -> bool:
        """Put a moment among those that are known; whether that may change anything."""
        columns = state[step]
        times = columns[0]
        place = bisect_left(times, at_ms)
        if place == len(times) or times[place] != at_ms:
            if place == 0 and len(times) == self.DEPTH:
                return False
            times.insert(place, at_ms)
            if step:
                columns[1].insert(place, start_ms)
        elif step == 0 or columns[1][place] >= start_ms:
            return False
        else:
            columns[1][place] = start_ms
        for i in range(max(step, 1), len(state)):
            if state[i][0] and state[i][0][-1] >= at_ms:
                _link(state[i - 1], state[i], at_ms)
        return True


def _drop(columns: Any, count: int) -> None:
    for column in columns:
        del column[:count]


def _link(before: Any, columns: Any, from_ms: int) -> None:
    """Latest starts of a step's timestamps from `from_ms` on, given the step before."""
    times, starts = columns
    for i in range(bisect_left(times, from_ms), len(times)):
        j = bisect_left(before[0], times[i])
        best = before[-1][j - 1] if j else 0
        starts[i] = max(best, starts[i], starts[i - 1] if i else 0)
