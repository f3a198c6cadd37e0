"""Percentiles of measures over all customers, from mergeable KLL sketches.

Karnin, Lang, Liberty: Optimal Quantile Approximation in Streams (FOCS 2016), in the
implementation of Apache DataSketches.
"""

from collections.abc import Iterable, Mapping
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
Sketches = dict[Measure, Any]

#: Customers of whom nobody said which partition they are of: their ranks are not shared.
UNKNOWN = -1


class Ranks:
    """Ranks values among the customers of the last full generation of every partition.

    A sketch cannot forget, but customers change. So each customer adds its values once per
    generation; `turn_over` ends one, whose sketches then answer while the next ones fill.
    Before the first turn-over the filling sketches answer. Who works on other partitions shares
    theirs (`to_share`, `take`): sketches of disjoint customers merge into that of all of them,
    with the same error. As a partition's sketches replace its older ones, nobody counts twice,
    whoever has made them.
    """

    def __init__(self) -> None:
        self._filling: dict[int, Sketches] = {}
        self._serving: dict[int, Sketches] = {}
        self._unshared: set[int] = set()
        self._taken: dict[int, bytes] = {}
        self._early: Sketches = {}
        self._merged: Sketches | None = {}

    def add(self, values: Iterable[tuple[Measure, float]], partition: int = UNKNOWN) -> None:
        """One customer's values, as `Definitions.measures` gives them."""
        filling = self._filling.setdefault(partition, {})
        for measure, value in values:
            _sketch(filling, measure).update(value)
            if not self._serving:
                _sketch(self._early, measure).update(value)

    def rank(self, measure: str, within_ms: int | None, value: float) -> float | None:
        """Percentage (0-100) of customers at or below `value`; None with too few of them."""
        for sketches in (self._all(), self._early):
            sketch = sketches.get((measure, within_ms))
            if sketch is not None and sketch.n >= MIN_CUSTOMERS:
                return float(sketch.get_rank(value, True)) * 100
        return None

    def turn_over(self) -> None:
        """Begin a new generation."""
        self._serving |= self._filling
        self._unshared |= self._filling.keys() - {UNKNOWN}
        self._filling, self._early, self._merged = {}, {}, None

    def to_share(self) -> dict[int, bytes]:
        """Partition → its sketches, of those whose generation ended since the last call."""
        shared = {partition: _packed(self._serving[partition]) for partition in self._unshared}
        self._unshared = set()
        return shared

    def take(self, shared: Mapping[int, bytes]) -> None:
        """Take in what was shared of any partition; what is not shared yet is newer."""
        for partition, data in shared.items():
            if partition not in self._unshared and self._taken.get(partition) != data:
                self._taken[partition] = data
                self._serving[partition] = _unpacked(data)
                self._merged = None

    def _all(self) -> Sketches:
        if self._merged is None:
            self._merged = {}
            for sketches in self._serving.values():
                for measure, sketch in sketches.items():
                    _sketch(self._merged, measure).merge(sketch)
        return self._merged


def _sketch(sketches: Sketches, measure: Measure) -> Any:
    sketch = sketches.get(measure)
    if sketch is None:
        sketch = sketches[measure] = kll_doubles_sketch(SIZE)
    return sketch


def _packed(sketches: Sketches) -> bytes:
    rows = [(name, within_ms, s.serialize()) for (name, within_ms), s in sketches.items()]
    return msgspec.msgpack.encode(rows)


def _unpacked(data: bytes) -> Sketches:
    rows = msgspec.msgpack.decode(data)
    return {(name, ms): kll_doubles_sketch.deserialize(stored) for name, ms, stored in rows}
