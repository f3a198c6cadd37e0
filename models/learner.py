"""What the trainer asks of anything that learns: points in, a partition of them out."""

from typing import Any, Protocol

from models.lloyd import Partition
from models.space import F64, Bools, Ints, Space


class Learner(Protocol):
    """Divides the panel's points; keeps whatever it likes between calls."""

    #: Whether it found groups that are apart, rather than borders that were needed.
    natural: bool
    #: Counts up with every change of structure.
    generation: int

    @property
    def held(self) -> list[int]:
        """Rows whose centroids are not the means of their points, and are published as they are."""
        ...

    def recall(self, known: Ints, then: F64, seen: Bools) -> None:
        """Before `learn`: what was a while ago.

        Parameters
        ----------
        known, then
            Rows whose customers were there, shape (m,), and where they lay, shape (m, d).
        seen
            Who has another vector since, or was not there, shape (n,).
        """
        ...

    def learn(self, Z: F64, changed: Ints) -> Partition:
        """Learn from the panel and divide it.

        Parameters
        ----------
        Z
            All points of the panel, shape (n, d).
        changed
            Rows that are new or have moved since the last call.
        """
        ...

    def move(self, old: Space, new: Space, found: Partition) -> Partition:
        """The space has moved; `found` is the last partition, its centroids in the new space."""
        ...

    def state(self) -> dict[str, Any]:
        """What `restore` needs, in numbers, texts, lists and dicts."""
        ...

    def widened(self, state: dict[str, Any], more: int) -> dict[str, Any]:
        """A state with `more` further coordinates, 0 for every centroid."""
        ...

    def restore(self, state: dict[str, Any], Z: F64) -> None:
        """Go on where `state` was taken; `Z` are the panel's points."""
        ...
