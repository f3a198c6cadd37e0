"""Whether the workers make progress while nothing is wrong."""

import time
from collections.abc import Mapping

Place = tuple[str, int]


class Meter:
    """The longest time that waiting events were not applied although every fault had ended.

    Attributes
    ----------
    longest_seconds
        Over all partitions.
    accidents
        How many go on right now; the time of a stall begins when none does.
    """

    def __init__(self) -> None:
        self.longest_seconds = 0.0
        self.longest_at = ""
        self.accidents = 0
        self._applied: dict[Place, int] = {}
        self._since: dict[Place, float] = {}
        self._quiet_since = time.monotonic()

    def begin(self) -> None:
        """A fault begins."""
        self.accidents += 1

    def end(self) -> None:
        """A fault has ended."""
        self.accidents -= 1
        self._quiet_since = time.monotonic()

    def look(self, applied: Mapping[Place, int], ends: Mapping[Place, int]) -> float:
        """Take in what is applied and what was sent; the longest stall at this moment."""
        now = time.monotonic()
        worst = 0.0
        for place, end in ends.items():
            done = applied.get(place, 0)
            if done >= end or done != self._applied.get(place):
                self._since[place] = now
            self._applied[place] = done
            if self.accidents:
                continue
            stalled = now - max(self._since.get(place, now), self._quiet_since)
            worst = max(worst, stalled)
            if stalled > self.longest_seconds:
                self.longest_seconds = stalled
                self.longest_at = f"{place[0]}-{place[1]}"
        return worst
