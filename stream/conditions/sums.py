"""Sums of amounts, remembered: over a sliding window, or over a whole life.

Amounts are whole ten-thousandths of a unit, so sums are exact and do not depend on the order
of arrival.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Any

from stream.conditions.keepers import AHEAD_MS, state_key
from stream.conditions.selection import MINOR_PER_UNIT, TOTAL, Happening, Selection

#: Amounts are kept in units of 1 / SCALE.
SCALE = 10_000
_PER_MINOR = SCALE // MINOR_PER_UNIT
#: Larger amounts of a property are broken data and do not count.
_MAX_AMOUNT = 1e12


def amount(event: Happening, name: str | None) -> int | None:
    """Scaled amount of a property, one per event if `name` is None, None if it is no number."""
    if name is None:
        return SCALE
    if name == TOTAL and event.total_minor is not None:
        return event.total_minor * _PER_MINOR
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or abs(value) > _MAX_AMOUNT:
        return None
    return round(value * SCALE)


@dataclass(frozen=True, slots=True)
class WindowSum:
    """Amounts with their moments, as far as the window reaches back.

    State: `[times, amounts]`, ascending in time. Exact for up to `LIMIT` events in the window.
    Beyond, the older ones are joined (then `[times, amounts, counts]`) in parts of 1/`PARTS` of
    the window; a part leaves as a whole when its newest event does, so a sum may hold events
    that are up to 1/`PARTS` of the window too old.
    """

    selection: Selection
    amount_of: str | None
    within_ms: int
    key: str = field(init=False)

    LIMIT = 200
    PARTS = 64

    def __post_init__(self) -> None:
        meaning = (self.selection.canonical(), self.amount_of, self.within_ms)
        object.__setattr__(self, "key", state_key("window-sum", *meaning))

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def fold(self, state: Any, event: Happening) -> Any:
        value = amount(event, self.amount_of)
        if value is None:
            return None
        return self._insert(state or [[], []], event.at_ms, value, 1)

    def merge(self, one: Any, other: Any) -> Any:
        merged = [list(column) for column in one]
        times, amounts, *counts = other
        for i, at_ms in enumerate(times):
            count = counts[0][i] if counts else 1
            merged = self._insert(merged, at_ms, amounts[i], count) or merged
        return merged

    def _insert(self, state: Any, at_ms: int, value: int, count: int) -> Any:
        times = state[0]
        newest_ms = times[-1] if times else 0
        gone_ms = max(at_ms, newest_ms) - self.within_ms - AHEAD_MS
        if at_ms <= gone_ms:
            return None
        if count > 1 and len(state) == 2:
            state.append([1] * len(times))
        place = len(times) if at_ms >= newest_ms else bisect_right(times, at_ms)
        times.insert(place, at_ms)
        state[1].insert(place, value)
        if len(state) > 2:
            state[2].insert(place, count)
        if times[0] <= gone_ms:
            old = bisect_right(times, gone_ms)
            for column in state:
                del column[:old]
        return self._joined(state) if len(times) > self.LIMIT else state

    def _joined(self, state: Any) -> Any:
        times, amounts, *rest = state
        counts = rest[0] if rest else [1] * len(times)
        part_ms = max(1, self.within_ms // self.PARTS)
        half = self.LIMIT // 2
        parts: dict[int, list[int]] = {}
        for at_ms, value, count in zip(times[:half], amounts[:half], counts[:half], strict=True):
            part = parts.setdefault(at_ms // part_ms, [at_ms, 0, 0])
            part[0], part[1], part[2] = at_ms, part[1] + value, part[2] + count
        columns = [list(column) for column in zip(*parts.values(), strict=True)]
        return [
            columns[0] + times[half:],
            columns[1] + amounts[half:],
            columns[2] + counts[half:],
        ]


@dataclass(frozen=True, slots=True)
class LifeSum:
    """Sum and number of all amounts: `[sum, count]`."""

    selection: Selection
    amount_of: str | None
    key: str = field(init=False)

    def __post_init__(self) -> None:
        meaning = (self.selection.canonical(), self.amount_of)
        object.__setattr__(self, "key", state_key("life-sum", *meaning))

    @property
    def selections(self) -> tuple[Selection, ...]:
        return (self.selection,)

    def fold(self, state: Any, event: Happening) -> Any:
        value = amount(event, self.amount_of)
        if value is None:
            return None
        return [value, 1] if state is None else [state[0] + value, state[1] + 1]

    def merge(self, one: Any, other: Any) -> Any:
        return [one[0] + other[0], one[1] + other[1]]
