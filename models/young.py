"""The segment of newcomers that came last: what it is allowed while it is young."""

from typing import Any

from models.lloyd import Partition
from models.movement import Movement
from models.space import F64, Bools

#: The rest of a new group shows itself within so many ticks, or it was none.
YOUNG_TICKS = 80
#: For so long nobody's former place (`former.py`) is of after its coming, so that its newcomers
#: can be told from those who always came and went there.
TOLD_TICKS = 20


class Young:
    """Where in the structure in force the newest newcomers are, and since when.

    When a new group is known by its coming, few of it have shown themselves. A structure with it
    is then worse than the one before: by how much is remembered, and forgiven less and less.

    Attributes
    ----------
    row
        Of its segment, as long as newcomers can be told; else -1.
    """

    def __init__(self) -> None:
        self.row = -1
        self._since, self._lack = -YOUNG_TICKS, 0.0

    def came(self, row: int, tick: int, lack: float) -> None:
        """A structure with newcomers in `row` is in force; it is worse by `lack` (nats).

        Those who came before may still be as few as they were.
        """
        lack = max(lack, self.forgiven(tick))
        self.row, self._since, self._lack = row, tick, lack

    def replaced(self) -> None:
        """Another structure is in force that is not of newcomers."""
        self.row, self._lack = -1, 0.0

    def lasting(self, lasting: Bools) -> None:
        """Only some segments go on, those with True in shape (k,)."""
        if self.row >= 0 and not lasting[self.row]:
            self.replaced()
        elif self.row >= 0:
            self.row = int(lasting[: self.row].sum())

    def recent(self, tick: int) -> bool:
        return tick - self._since < YOUNG_TICKS

    def forgiven(self, tick: int) -> float:
        """By how much the structure in force may still be worse (nats per customer)."""
        return self._lack * max(0.0, 1.0 - (tick - self._since) / YOUNG_TICKS)

    def learned(
        self, Z: F64, centroids: F64, movement: Movement, steps: int, tick: int
    ) -> Partition | None:
        """Steps of the structure in force, while its newcomers can be told."""
        if tick - self._since > TOLD_TICKS:
            self.row = -1
        return movement.settled(Z, centroids, self.row, steps) if self.row >= 0 else None

    def state(self) -> dict[str, Any]:
        """What `restore` needs."""
        return {"row": self.row, "since": self._since, "lack": self._lack}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken; an empty one knows of nobody."""
        if state:
            self.row, self._since, self._lack = state["row"], state["since"], state["lack"]
