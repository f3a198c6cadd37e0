"""Where the customers of the panel lay some time ago: tells who has moved from who has not."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from models.space import F64, Bools, Ints, Space, flatten

F16 = npt.NDArray[np.float16]

#: Former places are between one and two of these many ticks old.
FORMER_TICKS = 20


class Former:
    """Two looks at everybody, of which the older one tells.

    Logarithms are kept in half precision, which is a hundredth of a deviation or less.
    """

    def __init__(self, width: int) -> None:
        self._width, self._ticks = width, 0
        self._then: tuple[dict[str, int], F16] = ({}, _nobody(width))
        self._lately = self._then

    def tick(self, customers: Collection[str], X: F64) -> None:
        """Once per tick: the raw vectors now; they are taken in every `FORMER_TICKS`."""
        if self._ticks % FORMER_TICKS == 0:
            rows = {name: row for row, name in enumerate(customers)}
            self._then = self._lately
            self._lately = rows, _levels(X)
        self._ticks += 1

    def customers(self) -> set[str]:
        """Everybody of whom a former place is kept."""
        return {*self._then[0], *self._lately[0]}

    def drop(self, customers: Collection[str]) -> None:
        """Keep nothing of these."""
        self._then, self._lately = (
            _without(look, customers) for look in (self._then, self._lately)
        )

    def places(self, customers: Collection[str], X: F64, space: Space) -> tuple[Ints, F64]:
        """Whose former places are known, as rows of `customers`, and these as points.

        A value that was unknown then, or is now, is taken as it is now: it tells of no movement.
        """
        rows, levels = self._then
        found = np.array([rows.get(name, -1) for name in customers], dtype=np.int64)
        known = np.flatnonzero(found >= 0)
        then = levels[found[known]].astype(np.float64)
        untold = np.isnan(then) != np.isnan(X[known])
        points = space.at(then)
        return known, np.where(untold, space.project(X[known]), points) if untold.any() else points

    def seen(self, customers: Collection[str], X: F64) -> Bools:
        """Who has another vector than then, shape (n,); who was not there has."""
        rows, levels = self._then
        found = np.array([rows.get(name, -1) for name in customers], dtype=np.int64)
        seen: Bools = found < 0
        known = np.flatnonzero(~seen)
        now, then = _levels(X[known]), levels[found[known]]
        seen[known] = ((now != then) & ~(np.isnan(now) & np.isnan(then))).any(axis=1)
        return seen

    def widened(self, more: int) -> "Former":
        """The same with `more` further features, unknown for everybody so far."""
        wider = Former(self._width + more)
        wider._ticks = self._ticks
        wider._then, wider._lately = (
            (rows, np.pad(levels, ((0, 0), (0, more)), constant_values=np.nan))
            for rows, levels in (self._then, self._lately)
        )
        return wider

    def state(self) -> dict[str, Any]:
        """What `restored` needs."""
        return {
            "ticks": self._ticks,
            "customers": [list(rows) for rows, _ in (self._then, self._lately)],
            "levels": [levels.tobytes() for _, levels in (self._then, self._lately)],
        }

    @classmethod
    def restored(cls, state: dict[str, Any], width: int) -> "Former":
        """What `state` was taken of; an empty one knows of nobody."""
        former = cls(width)
        if state:
            former._ticks = state["ticks"]
            former._then, former._lately = (
                (
                    {name: row for row, name in enumerate(customers)},
                    np.frombuffer(levels, dtype=np.float16).reshape(len(customers), width),
                )
                for customers, levels in zip(state["customers"], state["levels"], strict=True)
            )
        return former


def _without(
    look: tuple[dict[str, int], F16], customers: Collection[str]
) -> tuple[dict[str, int], F16]:
    rows, levels = look
    kept = {name: row for name, row in rows.items() if name not in customers}
    if len(kept) == len(rows):
        return look
    return {name: i for i, name in enumerate(kept)}, levels[list(kept.values())]


def _levels(X: F64) -> F16:
    return flatten(X, np.ones(X.shape[1], dtype=bool)).astype(np.float16)


def _nobody(width: int) -> F16:
    return np.zeros((0, width), dtype=np.float16)
