"""Segments that fade: how large each was at its height, and where all lay some time ago."""

from typing import Any

import numpy as np

from models.lineage import SAME, overlap
from models.lloyd import Partition
from models.space import F64, Bools, Ints, Space, distances

#: A segment with a smaller share of the customers is retired.
LEAST_SHARE = 0.01
#: So is one under this share that has less than this part of what it had at its height: those
#: who are left are about to go where the others went.
SMALL_SHARE, LEFT = 0.04, 0.2
#: What was its height counts less with every tick, so that who declines slowly may stay small.
FADES = 0.998
#: Places are noted so often, of structures that have lasted so long, and known for so many ticks.
NOTED_TICKS, KNOWN_TICKS = 20, 300
#: A centroid lies at a former place if it is nearer by this factor than all others, and its
#: segment is what is left there if it is under this share and has less than this part.
NEARER, REMAINS_SHARE, REMAINS = 2.0, 0.06, 0.3
#: A segment is lived in if so many of its customers have been seen lately, as a part of what it
#: is of all: who is only left behind has not been seen, as else he would have gone as well.
LIVED_IN = 0.5


class Fading:
    """Tells which segments are to be retired, and which are only what others have left behind."""

    def __init__(self) -> None:
        self._heights = np.zeros(0)
        self._since = 0
        self._places = np.zeros((0, 0))
        self._shares = np.zeros(0)
        self._ticks: Ints = np.zeros(0, dtype=np.int64)
        self._seen: Bools = np.zeros(0, dtype=bool)

    def look(self, seen: Bools) -> None:
        """Who has been seen lately, shape (n,); for this tick."""
        self._seen = seen

    def lasting(self, found: Partition, tick: int, lacking: bool = False) -> Bools:
        """Once per tick: which segments go on, shape (k,); the others are taken as retired.

        Parameters
        ----------
        lacking
            As many segments elsewhere would divide the customers more tightly: what would not be
            proposed as a new segment, as it is only left behind, is not kept as an old one.
        """
        small, left = (REMAINS_SHARE, REMAINS) if lacking else (SMALL_SHARE, LEFT)
        shares = found.counts / max(1, found.counts.sum())
        if len(self._heights) != found.k:
            self._heights = np.zeros(found.k)
        self._heights = np.maximum(self._heights * FADES, shares)
        fading = (shares < small) & (shares < left * self._heights) & ~self._lived_in(found)
        lasting: Bools = (shares >= LEAST_SHARE) & ~fading
        self._forget(tick)
        if tick % NOTED_TICKS == 0 and tick - self._since >= NOTED_TICKS:
            self._note(found.centroids, shares, tick)
        self._note(found.centroids[~lasting], self._heights[~lasting], tick)
        self._heights = self._heights[lasting]
        return lasting

    def left_behind(self, found: Partition) -> int | None:
        """The smallest segment, if it is so little of what it was that it would be no new one."""
        shares = found.counts / max(1, found.counts.sum())
        row = int(shares.argmin())
        known = len(self._heights) == found.k
        few = known and shares[row] < min(REMAINS_SHARE, REMAINS * self._heights[row])
        return row if few and not self._lived_in(found)[row] else None

    def remains(self, found: Partition) -> bool:
        """Whether a small one of these segments is what is left where a far larger one lay."""
        shares = found.counts / max(1, found.counts.sum())
        if shares.min() >= REMAINS_SHARE:
            return False
        there, row = self._occupied(found)
        few = (shares[row] < REMAINS_SHARE) & (shares[row] < REMAINS * self._shares)
        return bool((there & few & ~self._lived_in(found)[row]).any())

    def restructured(self, old: Partition, new: Partition, tick: int) -> None:
        """Another structure is in force.

        A segment has the height of the one whose customers it has, or in whose place it is.
        """
        shared = overlap(old.labels, new.labels, old.k, new.k)
        alike = shared / np.maximum(old.counts[:, None] + new.counts[None, :] - shared, 1.0)
        if len(self._heights) != old.k:
            self._heights = np.zeros(old.k)
        same = alike.max(axis=0) >= SAME
        self._heights = np.where(same, self._heights[alike.argmax(axis=0)], 0.0)
        there, row = self._occupied(new)
        np.maximum.at(self._heights, row[there], self._shares[there])
        self._since = tick

    def move(self, old: Space, new: Space) -> None:
        """The space has moved."""
        if len(self._places):
            self._places = old.moved(self._places, new)

    def _lived_in(self, found: Partition) -> Bools:
        """Segments whose customers have been seen lately, and are there; shape (k,)."""
        if len(self._seen) != len(found.labels):
            return np.zeros(found.k, dtype=bool)
        seen = np.bincount(found.labels[self._seen], minlength=found.k)
        lived_in: Bools = seen >= LIVED_IN * self._seen.mean() * found.counts
        return lived_in

    def _occupied(self, found: Partition) -> tuple[Bools, Ints]:
        """Of each former place, whether there is a segment now, and the row of the nearest."""
        if not len(self._places) or found.k < 2:
            nowhere = np.zeros(len(self._places), dtype=np.int64)
            return nowhere.astype(bool), nowhere
        apart = np.sqrt(distances(self._places, found.centroids))
        two = np.partition(apart, 1, axis=1)
        return NEARER * two[:, 0] <= two[:, 1], apart.argmin(axis=1)

    def _note(self, places: F64, shares: F64, tick: int) -> None:
        if len(places):
            self._places = np.concatenate([self._places.reshape(-1, places.shape[1]), places])
            self._shares = np.concatenate([self._shares, shares])
            self._ticks = np.concatenate([self._ticks, np.full(len(places), tick)])

    def _forget(self, tick: int) -> None:
        known = tick - self._ticks < KNOWN_TICKS
        if not known.all():
            self._places, self._shares = self._places[known], self._shares[known]
            self._ticks = self._ticks[known]

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {
            "heights": self._heights.tolist(),
            "since": self._since,
            "places": self._places.tolist(),
            "shares": self._shares.tolist(),
            "ticks": self._ticks.tolist(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; an empty one knows of nothing."""
        if not state:
            return
        self._heights, self._since = np.array(state["heights"]), state["since"]
        self._places = np.array(state["places"]) if state["places"] else np.zeros((0, 0))
        self._shares = np.array(state["shares"], dtype=np.float64)
        self._ticks = np.array(state["ticks"], dtype=np.int64)

    @staticmethod
    def widened(state: dict[str, Any], more: int) -> dict[str, Any]:
        """A state with `more` further coordinates."""
        if not state:
            return state
        return state | {"places": [[*place, *[0.0] * more] for place in state["places"]]}
