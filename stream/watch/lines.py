"""The same for programs and logs: one plain line per moment."""

from stream.watch.history import History
from stream.watch.times import clock

_SEGMENTS = 3


def line(history: History) -> str:
    """Time, rates, and the largest segments with their sizes."""
    now = history.now
    shown = [segment for segment in now.segments if segment.size or not segment.retired]
    largest = sorted(shown, key=lambda segment: -segment.size)[:_SEGMENTS]
    parts = [
        clock(now.at_ms),
        f"{now.counters.get('applied', 0):,} events",
        f"{history.rate:,.0f}/s",
        f"lag {now.lag:,}",
        f"{len(now.workers)} worker{'' if len(now.workers) == 1 else 's'}",
        f"{now.rejected:,} rejected",
        f"{len(shown)} segments",
        *(f"{segment.name}: {segment.size:,}" for segment in largest),
    ]
    return " | ".join(parts)
