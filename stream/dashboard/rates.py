"""Rates and quantiles over the last moments; pure, bounded."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stream.store.records import Change

#: Older events that come in are history that is sent again: how long they took says nothing.
HISTORY_MS = 600_000
_MOST_LATENCIES = 20_000


class Rate:
    """How fast a counter grows, over the last few seconds."""

    def __init__(self, window_ms: int = 5_000) -> None:
        self._window_ms = window_ms
        self._seen: deque[tuple[int, int]] = deque()

    def add(self, at_ms: int, count: int) -> None:
        """Take in the counter; one that went back begins anew."""
        if self._seen and (count < self._seen[-1][1] or at_ms <= self._seen[-1][0]):
            self._seen.clear()
        self._seen.append((at_ms, count))
        while len(self._seen) > 2 and at_ms - self._seen[1][0] >= self._window_ms:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """None before the second look."""
        if len(self._seen) < 2:
            return None
        (begin_ms, begin), (end_ms, end) = self._seen[0], self._seen[-1]
        return (end - begin) * 1000 / (end_ms - begin_ms)


class Latencies:
    """From an event's timestamp to its change in Redis, over the last minute."""

    def __init__(self, window_ms: int = 60_000) -> None:
        self._window_ms = window_ms
        self._found: deque[tuple[int, int]] = deque(maxlen=_MOST_LATENCIES)
        #: Changes of the last look that came of events of long ago.
        self.old = 0

    def add(self, now_ms: int, changes: Iterable[Change]) -> None:
        """Take in the changes since the last look."""
        self.old = 0
        for change in changes:
            if change.cause != "event":
                continue
            written_ms = int(change.position.partition("-")[0])
            took_ms = max(written_ms - change.at_ms, 0)
            if took_ms > HISTORY_MS:
                self.old += 1
            else:
                self._found.append((now_ms, took_ms))
        while self._found and now_ms - self._found[0][0] > self._window_ms:
            self._found.popleft()

    def quantiles(self, *shares: float) -> list[float] | None:
        """The smallest value that so large a share is at or below; None without any."""
        ranked = sorted(took_ms for _, took_ms in self._found)
        if not ranked:
            return None
        return [float(ranked[max(-(-len(ranked) * round(s * 100) // 100), 1) - 1]) for s in shares]


@dataclass(frozen=True, slots=True)
class Moves:
    """Entries, exits and moves from one segment to another."""

    entered: Mapping[str, int]
    left: Mapping[str, int]
    flows: Mapping[tuple[str, str], int]


def moves(changes: Sequence[Change], kind: Mapping[str, bool]) -> Moves:
    """Counted changes. A move leaves and enters with the same write of the same customer, among
    segments of one kind; `kind` says of a segment whether it was discovered."""
    entered: Counter[str] = Counter()
    left: Counter[str] = Counter()
    origins: dict[tuple[str, int, bool], list[str]] = {}
    targets: dict[tuple[str, int, bool], list[str]] = {}
    for change in changes:
        where = change.customer_id, change.version, kind.get(change.segment, False)
        if change.change == "entered":
            entered[change.segment] += 1
            targets.setdefault(where, []).append(change.segment)
        else:
            left[change.segment] += 1
            origins.setdefault(where, []).append(change.segment)
    flows: Counter[tuple[str, str]] = Counter()
    for where, names in origins.items():
        flows.update((name, target) for name in names for target in targets.get(where, ()))
    return Moves(entered, left, flows)
