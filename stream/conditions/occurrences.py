"""Conditions on events: how often, how long ago, in which order."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from stream.conditions import words
from stream.conditions.conditions import Leaf
from stream.conditions.keepers import DEPTHS, Chain, Count, First, Keeper, Times
from stream.conditions.selection import Selection
from stream.conditions.view import NEVER, View


def _wanted(low: int, high: int | None) -> str:
    if high == 0:
        return "none"
    if high is None:
        return f"at least {words.times(low)}"
    if low == high:
        return f"exactly {words.times(low)}"
    return f"at most {words.times(high)}" if low == 0 else f"{low} to {high} times"


def _growth(low: int, high: int | None) -> int:
    if high is None:
        return 1
    return -1 if low == 0 else 0


@dataclass(frozen=True, slots=True)
class CountWithin(Leaf):
    """`did` and `did_not` with `within`: `low` to `high` events, later than `within` ago.

    An event at t counts until t + within, exclusive.
    """

    selection: Selection
    low: int
    high: int | None
    within_ms: int
    keeper: Times = field(init=False)
    _key: str = field(init=False, repr=False, compare=False)
    _never: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # One more than the test needs tells "3 times" from "3 times and more".
        needed = self.high + 1 if self.high is not None else self.low + (self.low > 1)
        depth = next(depth for depth in DEPTHS if depth >= needed)
        keeper = Times(self.selection, depth)
        object.__setattr__(self, "keeper", keeper)
        object.__setattr__(self, "_key", keeper.key)
        never = f"no {self.selection.text()} within {words.duration(self.within_ms)}"
        object.__setattr__(self, "_never", never + _unmet(self.low, self.high, 0))

    @property
    def growth(self) -> int:
        return _growth(self.low, self.high)

    def turn(self, view: View) -> int:
        times = view.states.get(self._key, ())
        now, within, low, high = view.now_ms, self.within_ms, self.low, self.high
        if high is not None and len(times) > high:
            surplus_ends: int = times[-high - 1] + within
            if surplus_ends > now:
                return -surplus_ends
        if low == 0:
            return NEVER
        if len(times) < low:
            return -NEVER
        ends: int = times[-low] + within
        return ends if ends > now else -NEVER

    def reason(self, view: View) -> str:
        times = view.states.get(self._key)
        if not times:
            return self._never
        inside = len(times) - bisect_right(times, view.now_ms - self.within_ms)
        what, span = self.selection.text(), words.duration(self.within_ms)
        return (
            f"{_happened(what, inside, self.keeper.depth)} within {span}"
            f"{_latest(self, times, inside)}{_unmet(self.low, self.high, inside)}"
        )

    def canonical(self) -> tuple[Any, ...]:
        return ("count", self.selection.canonical(), self.low, self.high, self.within_ms)


def _happened(what: str, count: int, kept: int | None = None) -> str:
    if count == 0:
        return f"no {what}"
    more = "at least " if count == kept and count > 1 else ""
    return f"{what} {more}{words.times(count)}"


def _latest(condition: "CountWithin", times: Any, inside: int) -> str:
    when = words.when(times[-1], condition.within_ms)
    if inside == 0:
        return f" (the last {when})"
    saturated = inside == condition.keeper.depth
    return f"; the {'last' if saturated or inside == 1 else words.ordinal(inside)} {when}"


def _unmet(low: int, high: int | None, count: int) -> str:
    holds = low <= count and (high is None or count <= high)
    return "" if holds or (count == 0 and low == 1) else f", wanted: {_wanted(low, high)}"


@dataclass(frozen=True, slots=True)
class CountEver(Leaf):
    """`did` and `did_not` without `within`."""

    selection: Selection
    low: int
    high: int | None
    keeper: Count = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keeper", Count(self.selection))

    @property
    def growth(self) -> int:
        return _growth(self.low, self.high)

    def turn(self, view: View) -> int:
        state = view.states.get(self.keeper.key)
        count = state[0] if state else 0
        holds = self.low <= count and (self.high is None or count <= self.high)
        return NEVER if holds else -NEVER

    def reason(self, view: View) -> str:
        count, last_ms = view.states.get(self.keeper.key) or (0, 0)
        when = f"; the last on {words.date(last_ms)}" if count else " so far"
        return (
            f"{_happened(self.selection.text(), count)}{when}{_unmet(self.low, self.high, count)}"
        )

    def canonical(self) -> tuple[Any, ...]:
        return ("count", self.selection.canonical(), self.low, self.high, None)


def age_turn(at_ms: int, older_ms: int, younger_ms: int | None, now_ms: int) -> int:
    """Signed turn of `older_ms <= now - at < younger_ms`."""
    if younger_ms is not None and at_ms + younger_ms <= now_ms:
        return -NEVER
    # Without a lower bound an event a little ahead of the clock is young, not yet to come.
    if older_ms and at_ms + older_ms > now_ms:
        return -(at_ms + older_ms)
    return NEVER if younger_ms is None else at_ms + younger_ms


def age_text(older_ms: int, younger_ms: int | None) -> str:
    """`at least 30 days ago, less than 90 days ago`."""
    parts = [f"at least {words.duration(older_ms)} ago"] if older_ms else []
    parts += [f"less than {words.duration(younger_ms)} ago"] if younger_ms is not None else []
    return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class EventAge(Leaf):
    """`first` or `last` event, older or younger than a duration."""

    which: str
    selection: Selection
    older_ms: int
    younger_ms: int | None
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        first = self.which == "first"
        keeper: Keeper = First(self.selection) if first else Times(self.selection, 1)
        object.__setattr__(self, "keeper", keeper)

    def _at(self, view: View) -> int | None:
        state = view.states.get(self.keeper.key)
        at_ms: int | None = state[-1] if isinstance(state, list) else state
        return at_ms

    @property
    def growth(self) -> int:
        # The first event only moves back, the last only on, and there is none before there is.
        lets_in = self.younger_ms is None if self.which == "first" else not self.older_ms
        return 1 if lets_in else 0

    def turn(self, view: View) -> int:
        at_ms = self._at(view)
        if at_ms is None:
            return -NEVER
        return age_turn(at_ms, self.older_ms, self.younger_ms, view.now_ms)

    def reason(self, view: View) -> str:
        at_ms = self._at(view)
        if at_ms is None:
            return f"no {self.selection.text()} so far"
        unmet = ""
        if self.turn(view) < 0:
            unmet = f", wanted: {age_text(self.older_ms, self.younger_ms)}"
        when = words.when(at_ms, self.older_ms or self.younger_ms)
        return f"{self.which} {self.selection.text()} {when}{unmet}"

    def canonical(self) -> tuple[Any, ...]:
        ages = (self.older_ms, self.younger_ms)
        return ("age", self.which, self.selection.canonical(), *ages)


@dataclass(frozen=True, slots=True)
class Sequence(Leaf):
    """`sequence`: events one after another, all of them within the window that ends now."""

    steps: tuple[Selection, ...]
    within_ms: int | None
    keeper: Chain = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "keeper", Chain(self.steps, self.within_ms))

    @property
    def growth(self) -> int:
        return 1

    def turn(self, view: View) -> int:
        start_ms = self.keeper.latest_start(view.states.get(self.keeper.key))
        if start_ms == 0:
            return -NEVER
        if self.within_ms is None:
            return NEVER
        ends = start_ms + self.within_ms
        return ends if ends > view.now_ms else -NEVER

    def reason(self, view: View) -> str:
        chain = ", then ".join(step.text() for step in self.steps)
        span = f" within {words.duration(self.within_ms)}" if self.within_ms else ""
        start_ms = self.keeper.latest_start(view.states.get(self.keeper.key))
        if self.turn(view) > 0:
            return f"{chain}{span}; begun {words.when(start_ms, self.within_ms)}"
        last = f" (the last begun {words.when(start_ms, self.within_ms)})" if start_ms else ""
        return f"no {chain}{span}{last}"

    def canonical(self) -> tuple[Any, ...]:
        return ("sequence", [step.canonical() for step in self.steps], self.within_ms)
