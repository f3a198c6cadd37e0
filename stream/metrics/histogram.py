"""Counts in buckets, as Prometheus' histograms have them; cheap for one value and for thousands."""

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

_FEW = 16


class Histogram:
    """Written by one thread, read by others: what they see may lack the newest values.

    Parameters
    ----------
    bounds
        Upper ends of the buckets, ascending; a value at one is in its bucket. Above the last one
        there is one more without end.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, values: Sequence[float]) -> None:
        """Count values."""
        if len(values) < _FEW:
            for value in values:
                self._counts[bisect_left(self._bounds, value)] += 1
        else:
            places = np.searchsorted(self._bounds, np.asarray(values))
            for place, count in enumerate(np.bincount(places, minlength=len(self._counts))):
                self._counts[place] += int(count)
        self.sum += float(sum(values))

    def cumulative(self) -> list[tuple[str, float]]:
        """Upper end of each bucket, as text, and how many values are at most so large."""
        total, found = 0, []
        for bound, count in zip([*self._bounds, float("inf")], list(self._counts), strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else f"{bound:g}", float(total)))
        return found
