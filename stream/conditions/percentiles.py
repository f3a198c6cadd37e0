"""Percentiles of measures over all customers, from mergeable KLL sketches.

Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams (FOCS 2016), in the
implementation of Apache DataSketches.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from datasketches import kll_doubles_sketch  # type: ignore[import-untyped]

#: Size of a sketch: a few kilobytes, whatever the number of customers.
SIZE = 400
#: A rank is off by no more than this share, with 99 % confidence.
RANK_ERROR: float = kll_doubles_sketch(SIZE).normalized_rank_error(False)
#: With fewer customers than this a percentile says nothing.
MIN_CUSTOMERS = 20

Measure = tuple[str, int | None]


class Ranks:
    """Ranks values among the customers of the last full generation.

    A sketch cannot forget, but customers change. So each customer adds its values once per
    generation; `turn_over` ends one, whose sketches then answer while the next ones fill.
    Before the first turn-over the filling sketches answer.
    """

    def __init__(self) -> None:
        self.serving: dict[Measure, Any] = {}
        self.filling: dict[Measure, Any] = {}

    def add(self, values: Iterable[tuple[Measure, float]]) -> None:
        """One customer's values, as `Definitions.measures` gives them."""
        for measure, value in values:
            sketch = self.filling.get(measure)
            if sketch is None:
                sketch = self.filling[measure] = kll_doubles_sketch(SIZE)
            sketch.update(value)

    def rank(self, measure: str, within_ms: int | None, value: float) -> float | None:
        """Percentage (0-100) of customers at or below `value`; None with too few of them."""
        for sketches in (self.serving, self.filling):
            sketch = sketches.get((measure, within_ms))
            if sketch is not None and sketch.n >= MIN_CUSTOMERS:
                return float(sketch.get_rank(value, True)) * 100
        return None

    def turn_over(self) -> None:
        """Begin a new generation."""
        self.serving, self.filling = self.filling, {}

    def merge(self, other: "Ranks") -> None:
        """Take in the sketches of other customers, those of another partition."""
        for mine, theirs in ((self.serving, other.serving), (self.filling, other.filling)):
            for measure, sketch in theirs.items():
                if measure not in mine:
                    mine[measure] = kll_doubles_sketch(SIZE)
                mine[measure].merge(sketch)

    def to_bytes(self) -> bytes:
        """Both generations, for storing and sending."""
        return msgspec.msgpack.encode([list(_rows(self.serving)), list(_rows(self.filling))])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Ranks":
        """The opposite of `to_bytes`."""
        ranks = cls()
        ranks.serving, ranks.filling = map(_sketches, msgspec.msgpack.decode(data))
        return ranks


def _sketches(rows: list[tuple[str, int | None, bytes]]) -> dict[Measure, Any]:
    return {(name, ms): kll_doubles_sketch.deserialize(data) for name, ms, data in rows}


def _rows(sketches: dict[Measure, Any]) -> Iterator[tuple[str, int | None, bytes]]:
    for (name, within_ms), sketch in sketches.items():
        yield name, within_ms, sketch.serialize()
