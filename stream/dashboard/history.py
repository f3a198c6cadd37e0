"""What the charts show: points in three resolutions, pure and bounded."""

import zlib
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

#: Seconds that a point stands for → how many are kept: an hour, a day, a week.
KEPT = {5: 720, 60: 1_440, 600: 1_008}
FINEST = min(KEPT)
#: Segments and moves between segments that one point tells of, at most; the largest.
MOST_SEGMENTS = 300
MOST_FLOWS = 200

MAXIMA = frozenset({"lag", "latency_p99_ms", "unowned"})


class Point(msgspec.Struct, array_like=True, frozen=True):
    """A few seconds.

    Attributes
    ----------
    at_ms
        When they ended.
    figures
        Figure → its mean; of some, the worst.
    segments
        Segment → size in the end, entries, exits.
    flows
        (from, to, customers) of moves between segments.
    """

    at_ms: int
    figures: dict[str, float]
    segments: dict[str, tuple[int, int, int]]
    flows: list[tuple[str, str, int]] = []


class Hour(msgspec.Struct, frozen=True):
    """A segment's last hour: sizes, and entries and exits halved per mean member (1 is everybody
    once; None where nobody was in it)."""

    sizes: list[int]
    turnover: float | None


def hours(points: Sequence[Point]) -> dict[str, Hour]:
    """The hour of every segment in these points."""
    sizes: dict[str, list[int]] = {}
    moved: dict[str, int] = {}
    for point in points:
        for name, (size, entered, left) in point.segments.items():
            sizes.setdefault(name, []).append(size)
            moved[name] = moved.get(name, 0) + entered + left
    return {
        name: Hour(found, moved[name] / 2 * len(found) / sum(found) if any(found) else None)
        for name, found in sizes.items()
    }


def packed(point: Point) -> bytes:
    """As it is stored."""
    return zlib.compress(msgspec.msgpack.encode(point), 1)


def unpacked(stored: bytes) -> Point | None:
    """None for what another version stored."""
    try:
        return msgspec.msgpack.decode(zlib.decompress(stored), type=Point)
    except (zlib.error, msgspec.MsgspecError):
        return None


def merged(points: Sequence[Point], at_ms: int) -> Point:
    """One point for several, in their order; at least one."""
    segments: dict[str, tuple[int, int, int]] = {}
    flows: dict[tuple[str, str], int] = {}
    for point in points:
        for name, (size, entered, left) in point.segments.items():
            _, before, gone = segments.get(name, (0, 0, 0))
            segments[name] = size, before + entered, gone + left
        for origin, target, count in point.flows:
            flows[origin, target] = flows.get((origin, target), 0) + count
    largest = sorted(segments.items(), key=lambda item: -item[1][0])[:MOST_SEGMENTS]
    busiest = sorted(flows.items(), key=lambda item: -item[1])[:MOST_FLOWS]
    return Point(
        at_ms,
        _merged_figures(points),
        dict(largest),
        [(origin, target, count) for (origin, target), count in busiest],
    )


def _merged_figures(points: Sequence[Point]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for point in points:
        for name, value in point.figures.items():
            values.setdefault(name, []).append(value)
    return {
        name: max(found) if name in MAXIMA else sum(found) / len(found)
        for name, found in values.items()
    }


class History:
    """Points of every resolution; coarser ones are made of the finer ones as their time ends."""

    def __init__(self) -> None:
        self._points = {seconds: deque[Point](maxlen=most) for seconds, most in KEPT.items()}

    def restore(self, seconds: int, points: Iterable[Point | None]) -> None:
        """Take in what was stored, also before what is there already, which is kept."""
        ring = self._points[seconds]
        found = {point.at_ms: point for point in points if point is not None}
        found |= {point.at_ms: point for point in ring}
        ring.clear()
        ring.extend(found[at_ms] for at_ms in sorted(found))

    def add(self, point: Point) -> dict[int, list[Point]]:
        """Take in one more point of the finest resolution; what is new, by resolution."""
        new: dict[int, list[Point]] = {FINEST: [point]}
        self._points[FINEST].append(point)
        finer = FINEST
        for seconds in sorted(KEPT)[1:]:
            if (closed := self._close(finer, seconds)) is None:
                break
            self._points[seconds].append(closed)
            new[seconds] = [closed]
            finer = seconds
        return new

    def _close(self, finer: int, seconds: int) -> Point | None:
        """The coarser point that the newest finer one ends or has gone beyond."""
        points, ring = self._points[finer], self._points[seconds]
        width = seconds * 1000
        end_ms = points[-1].at_ms // width * width
        if ring and ring[-1].at_ms >= end_ms:
            return None
        begin_ms = max(ring[-1].at_ms if ring else 0, end_ms - width)
        # A finer point ends between its neighbours' ends: it counts where it ends.
        part = [point for point in points if begin_ms < point.at_ms <= end_ms]
        return merged(part, end_ms) if part else None

    @property
    def newest_ms(self) -> int:
        """When the newest point ended; 0 without any."""
        ring = self._points[FINEST]
        return ring[-1].at_ms if ring else 0

    def points(self, span_seconds: int, most: int = 180) -> list[Point]:
        """What there is of the last `span_seconds`, as at most about `most` points."""
        seconds = next((s for s in sorted(KEPT) if s * KEPT[s] >= span_seconds), max(KEPT))
        ring = self._points[seconds]
        if not ring:
            # Before the first coarse point the finer ones say more than nothing.
            ring = self._points[FINEST]
            seconds = FINEST
        if not ring:
            return []
        since_ms = ring[-1].at_ms - span_seconds * 1000
        chosen = [point for point in ring if point.at_ms > since_ms]
        width = max(1, -(-min(span_seconds // seconds, len(chosen)) // most))
        if width == 1:
            return chosen
        # Counted from a fixed moment, so that a point once drawn stays as it is.
        groups: dict[int, list[Point]] = {}
        for point in chosen:
            groups.setdefault(point.at_ms // (width * seconds * 1000), []).append(point)
        return [merged(group, group[-1].at_ms) for group in groups.values()]

    def trend(self, figure: str, count: int = 60) -> list[float | None]:
        """A figure's newest fine points."""
        ring = self._points[FINEST]
        newest = list(ring)[-count:]
        return [point.figures.get(figure) for point in newest]
