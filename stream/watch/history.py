"""What was seen since the view was opened: sizes, rates, names. Pure and bounded."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from stream.store.records import Change, Overview, Segment

#: Moments remembered of each segment; even, so that thinning out keeps the newest.
_MOST = 240
#: A rate is taken over at least so long.
_RATE_MS = 3_000
#: A trend is the difference to what it was so long ago.
TREND_MS = 60_000


class Sizes:
    """Sizes of one segment since the beginning, more coarsely the longer that is."""

    def __init__(self) -> None:
        self.at_ms: list[int] = []
        self.sizes: list[int] = []
        self._apart_ms = 0
        self._recent: deque[tuple[int, int]] = deque()

    def add(self, at_ms: int, size: int) -> None:
        """Remember one more moment, the newest."""
        self._recent.append((at_ms, size))
        while at_ms - self._recent[0][0] > TREND_MS:
            self._recent.popleft()
        if len(self.at_ms) > 1 and self.at_ms[-1] - self.at_ms[-2] < self._apart_ms:
            # The newest stands for itself only until the next one comes.
            self.at_ms[-1], self.sizes[-1] = at_ms, size
            return
        self.at_ms.append(at_ms)
        self.sizes.append(size)
        if len(self.sizes) > _MOST:
            self.at_ms, self.sizes = self.at_ms[::2], self.sizes[::2]
            self._apart_ms = (self.at_ms[-1] - self.at_ms[0]) // len(self.at_ms)

    def trend(self) -> int:
        """Difference to a minute ago, or to the beginning where that is later."""
        return self._recent[-1][1] - self._recent[0][1] if self._recent else 0


class History:
    """Overviews, one after the other; the newest is `now`."""

    def __init__(self) -> None:
        self.now = Overview(0)
        self.first: Overview | None = None
        self.sizes: dict[str, Sizes] = {}
        self._names: dict[str, str] = {}
        self._applied: deque[tuple[int, int]] = deque()

    def add(self, overview: Overview) -> None:
        """Take in the next overview."""
        self.first = self.first or overview
        self.now = overview
        current = {segment.id: segment for segment in overview.segments}
        self.sizes = {name: self.sizes.get(name, Sizes()) for name in current}
        for name, segment in current.items():
            self.sizes[name].add(overview.at_ms, segment.size)
        self._names = self._remembered_names(current)
        self._applied.append((overview.at_ms, overview.counters.get("applied", 0)))
        while len(self._applied) > 2 and overview.at_ms - self._applied[1][0] >= _RATE_MS:
            self._applied.popleft()

    @property
    def rate(self) -> float:
        """Events applied per second."""
        (begin_ms, begin), (end_ms, end) = self._applied[0], self._applied[-1]
        return max(end - begin, 0) * 1000 / (end_ms - begin_ms) if end_ms > begin_ms else 0.0

    @property
    def watched_ms(self) -> int:
        """How long ago the first overview was."""
        return self.now.at_ms - self.first.at_ms if self.first else 0

    def name(self, segment: str) -> str:
        """Name of a segment, also of one that is gone."""
        return self._names.get(segment, segment)

    def _remembered_names(self, current: dict[str, Segment]) -> dict[str, str]:
        # Of those gone only what the shown changes may still speak of.
        spoken = {change.segment for change in self.now.changes}
        kept = {name: text for name, text in self._names.items() if name in spoken}
        return kept | {name: segment.name for name, segment in current.items()}


@dataclass(frozen=True, slots=True)
class Move:
    """What happened to a customer at one moment: left a segment, entered one, or both."""

    at_ms: int
    customer_id: str
    left: str | None
    entered: str | None


def moves(changes: Sequence[Change]) -> list[Move]:
    """Changes (newest first) with the exit and the entry of one move put together."""
    found: list[Move] = []
    for change in changes:
        last = found[-1] if found else None
        if change.change == "entered":
            found.append(Move(change.at_ms, change.customer_id, None, change.segment))
        elif (
            last is not None
            and last.left is None
            and (last.customer_id, last.at_ms) == (change.customer_id, change.at_ms)
        ):
            found[-1] = Move(change.at_ms, change.customer_id, change.segment, last.entered)
        else:
            found.append(Move(change.at_ms, change.customer_id, change.segment, None))
    return found


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[int], width: int) -> str:
    """`values` as `width` bars at most, from their least to their greatest; equal ones: low."""
    if not values or width < 1:
        return ""
    count = min(width, len(values))
    chosen = [values[(i + 1) * len(values) // count - 1] for i in range(count)]
    low, high = min(chosen), max(chosen)
    steps = len(_BARS) - 1
    return "".join(_BARS[(v - low) * steps // (high - low) if high > low else 0] for v in chosen)
