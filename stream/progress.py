"""Which topic partitions have events that wait while nothing of them is applied. No clock."""

from collections.abc import Mapping
from dataclasses import dataclass

from stream.topics import Place


@dataclass(frozen=True, slots=True)
class Waiting:
    """Events of a topic partition that wait, and the next offset to apply."""

    events: int
    applied: int


class Progress:
    """Since when each of a worker's topic partitions stands though events wait there.

    One that stands is not hidden by others that go on.
    """

    def __init__(self) -> None:
        self._since: dict[Place, tuple[float, int]] = {}

    def reset(self) -> None:
        """Count from the next look."""
        self._since.clear()

    def stalled(self, waiting: Mapping[Place, Waiting], now_seconds: float) -> dict[Place, float]:
        """Seconds that each one has stood for, of those where events wait.

        Parameters
        ----------
        waiting
            Of every partition that is the worker's now; others are forgotten.
        """
        since = {}
        for place, found in waiting.items():
            if found.events:
                known = self._since.get(place)
                stands = known is not None and known[1] == found.applied
                since[place] = known if known and stands else (now_seconds, found.applied)
        self._since = since
        return {place: now_seconds - begun for place, (begun, _) in since.items()}
