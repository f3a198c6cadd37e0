"""Segments that were known by their coming: newcomers once, and a group of their own since."""

from typing import Any

import numpy as np

from models.lineage import overlap
from models.lloyd import Partition
from models.space import Bools, Ints


class Settlers:
    """Which segments in force came as newcomers' (`movement.py`).

    How well segments fit does not tell every group from its neighbours: one that overlaps with
    them may fit as well, or a little better, as a part of one of them. That it came from elsewhere
    told so; another structure must bring as much to end it as was needed for it to come, and
    cannot count the price of a segment, which it was not asked.
    """

    def __init__(self) -> None:
        self._rows: Bools = np.zeros(0, dtype=bool)

    def ended(self, here: Partition, other: Partition) -> int:
        """How many of these segments `other` would divide, or put together with others."""
        rows = self._of(here)
        if not rows.any():
            return 0
        return int((rows & ~_alone(_heirs(here, other))).sum())

    def lasting(self, found: Partition, lasting: Bools) -> None:
        """Only some segments go on, those with True in shape (k,)."""
        self._rows = self._of(found)[lasting]

    def restructured(self, old: Partition, new: Partition, newcomers: int = -1) -> None:
        """Another structure is in force, with newcomers in that row if there are any."""
        heirs = _heirs(old, new)
        rows = np.zeros(new.k, dtype=bool)
        rows[heirs[self._of(old) & _alone(heirs)]] = True
        if newcomers >= 0:
            rows[newcomers] = True
        self._rows = rows

    def _of(self, found: Partition) -> Bools:
        return self._rows if len(self._rows) == found.k else np.zeros(found.k, dtype=bool)

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"rows": self._rows.tolist()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; an empty one knows of nobody."""
        self._rows = np.array(state.get("rows", []), dtype=bool)


def _heirs(old: Partition, new: Partition) -> Ints:
    """The new segment with most customers of each old one, shape (old k,)."""
    heirs: Ints = overlap(old.labels, new.labels, old.k, new.k).argmax(axis=1)
    return heirs


def _alone(heirs: Ints) -> Bools:
    """Whether nobody else has the same heir."""
    alone: Bools = np.bincount(heirs)[heirs] == 1
    return alone
