"""Conditions on sums, averages and percentiles."""

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from stream.conditions import words
from stream.conditions.conditions import Leaf
from stream.conditions.keepers import Keeper
from stream.conditions.selection import ORDER_COMPLETED, PURCHASE_EVENTS, TOTAL, Selection
from stream.conditions.standing import EVENTS, SPEND, TOTALS_CHANGED, total
from stream.conditions.sums import SCALE, LifeSum, WindowSum
from stream.conditions.values import Bounds
from stream.conditions.view import NEVER, Changed, View

_Passes = Callable[[int, int], bool]


def sum_keeper(selection: Selection, name: str | None, within_ms: int | None) -> Keeper:
    """What remembers a sum over the window, or over a whole life."""
    if within_ms is None:
        return LifeSum(selection, name)
    return WindowSum(selection, name, within_ms)


def measure_keeper(measure: str, within_ms: int) -> WindowSum:
    """What remembers spend, orders or events of a window."""
    if measure == SPEND:
        return WindowSum(Selection(PURCHASE_EVENTS), TOTAL, within_ms)
    name = "*" if measure == EVENTS else ORDER_COMPLETED
    return WindowSum(Selection((name,)), None, within_ms)


def window_sum(state: Any, within_ms: int, now_ms: int) -> tuple[int, int]:
    """Scaled sum and number of the events of the window."""
    if state is None:
        return 0, 0
    times, amounts, *counts = state
    start = bisect_right(times, now_ms - within_ms)
    count = sum(counts[0][start:]) if counts else len(times) - start
    return sum(amounts[start:]), count


def window_turn(state: Any, within_ms: int, now_ms: int, passes: _Passes) -> int:
    """Signed turn of a test of the window's sum and number, as events leave it one by one."""
    value, count = window_sum(state, within_ms, now_ms)
    holds = passes(value, count)
    sign = 1 if holds else -1
    if state is None:
        return sign * NEVER
    times, amounts, *counts = state
    for i in range(bisect_right(times, now_ms - within_ms), len(times)):
        value -= amounts[i]
        count -= counts[0][i] if counts else 1
        last_of_moment = i + 1 == len(times) or times[i + 1] != times[i]
        if last_of_moment and passes(value, count) is not holds:
            return sign * int(times[i] + within_ms)
    return sign * NEVER


@dataclass(frozen=True, slots=True)
class Amount(Leaf):
    """`sum` and `average` of a property, and `measure: spend` with `within`."""

    average: bool
    selection: Selection
    amount_of: str
    within_ms: int | None
    bounds: Bounds
    keeper: Keeper = field(init=False)
    _low: int | None = field(init=False, repr=False, compare=False)
    _high: int | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        keeper = sum_keeper(self.selection, self.amount_of, self.within_ms)
        object.__setattr__(self, "keeper", keeper)
        low, high = scaled(self.bounds)
        object.__setattr__(self, "_low", low)
        object.__setattr__(self, "_high", high)

    def passes(self, value: int, count: int) -> bool:
        """Whether a scaled sum of so many events is as the condition wants it."""
        if self.average:
            return count > 0 and self.bounds.holds(Fraction(value, count * SCALE))
        if self._low is not None and value < self._low:
            return False
        return self._high is None or value <= self._high

    def turn(self, view: View) -> int:
        state = view.states.get(self.keeper.key)
        if self.within_ms is not None:
            return window_turn(state, self.within_ms, view.now_ms, self.passes)
        return NEVER if self.passes(*(state or (0, 0))) else -NEVER

    def reason(self, view: View) -> str:
        state = view.states.get(self.keeper.key)
        if self.within_ms is None:
            value, count = state or (0, 0)
        else:
            value, count = window_sum(state, self.within_ms, view.now_ms)
        span = f" within {words.duration(self.within_ms)}" if self.within_ms else ""
        what = f"{'average' if self.average else 'sum'} of {self.amount_of}"
        over = f"{count} event{'' if count == 1 else 's'}"
        found = value / (SCALE * (max(count, 1) if self.average else 1))
        text = f"{what} of {self.selection.text()}{span} is {words.number(found)} ({over})"
        return text if self.turn(view) > 0 else f"{text}, wanted: {self.bounds.range_text()}"

    def canonical(self) -> tuple[Any, ...]:
        meaning = (self.selection.canonical(), self.amount_of, self.within_ms)
        return ("amount", self.average, *meaning, self.bounds.canonical())


def scaled(bounds: Bounds) -> tuple[int | None, int | None]:
    """Least and greatest scaled amount inside the bounds."""
    low = high = None
    if bounds.low is not None:
        low = math.ceil(bounds.low * SCALE)
        low += bounds.low_open and low == bounds.low * SCALE
    if bounds.high is not None:
        high = math.floor(bounds.high * SCALE)
        high -= bounds.high_open and high == bounds.high * SCALE
    return low, high


@dataclass(frozen=True, slots=True)
class Rank(Leaf):
    """A measure's percentile among all customers who have the measure.

    A customer without a purchase (in the window) has no spend and no orders to rank.
    """

    measure: str
    within_ms: int | None
    bounds: Bounds
    keeper: WindowSum | None = field(init=False)

    def __post_init__(self) -> None:
        keeper = None if self.within_ms is None else measure_keeper(self.measure, self.within_ms)
        object.__setattr__(self, "keeper", keeper)

    @property
    def facts(self) -> int:
        return Changed.RANKS if self.keeper else Changed.RANKS | TOTALS_CHANGED[self.measure]

    def value(self, view: View) -> float | None:
        """What is ranked, None if there is nothing."""
        if self.within_ms is None or self.keeper is None:
            if self.measure != EVENTS and view.facts.orders == 0:
                return None
            return float(total(view.facts, self.measure))
        state = view.states.get(self.keeper.key)
        value, count = window_sum(state, self.within_ms, view.now_ms)
        return value / SCALE if count else None

    def turn(self, view: View) -> int:
        rank = view.facts.percentiles.rank

        def passes(value: int, count: int) -> bool:
            return count > 0 and self._inside(rank(self.measure, self.within_ms, value / SCALE))

        if self.within_ms is not None and self.keeper is not None:
            state = view.states.get(self.keeper.key)
            return window_turn(state, self.within_ms, view.now_ms, passes)
        value = self.value(view)
        holds = value is not None and self._inside(rank(self.measure, None, value))
        return NEVER if holds else -NEVER

    def _inside(self, rank: float | None) -> bool:
        return rank is not None and self.bounds.passes(rank)

    def reason(self, view: View) -> str:
        span = f" within {words.duration(self.within_ms)}" if self.within_ms else ""
        value = self.value(view)
        if value is None:
            return f"no {self.measure}{span}"
        rank = view.facts.percentiles.rank(self.measure, self.within_ms, value)
        place = "its percentile is not known yet" if rank is None else f"percentile {rank:.1f}"
        text = f"{self.measure}{span} is {words.number(value)}: {place}"
        if self.turn(view) > 0:
            return text
        return f"{text}, wanted: percentile {self.bounds.range_text()}"

    def canonical(self) -> tuple[Any, ...]:
        return ("rank", self.measure, self.within_ms, self.bounds.canonical())
