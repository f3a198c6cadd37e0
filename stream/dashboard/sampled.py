"""The customers of the scatter: a bounded sample that mostly stays, read once for all who look."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence

from stream import features
from stream.dashboard.profile import quotas
from stream.dashboard.text import now_ms
from stream.scatter import Plane, Scatter, scatter
from stream.settings import Settings
from stream.store.drawing import Drawing
from stream.store.records import Segment

SAMPLE = 800
_FRESH_SECONDS = 10.0
#: Of the sample another one in so many is drawn anew at each look.
_RENEWED = 20


class ScatterCache:
    """Each call may raise AgosError."""

    def __init__(self, settings: Settings) -> None:
        self._drawing = Drawing(settings)
        self._lock = asyncio.Lock()
        self._at_s = 0.0
        self._found: Scatter | None = None
        self._plane: Plane | None = None
        self._drawn: dict[str, list[str]] = {}

    async def read(self, segments: Sequence[Segment]) -> Scatter | None:
        """What there is; None before the first model of this version."""
        async with self._lock:
            if not self._at_s or time.monotonic() - self._at_s > _FRESH_SECONDS:
                self._found = await asyncio.to_thread(self._read, quotas(segments, SAMPLE))
                self._at_s = time.monotonic()
            return self._found

    def close(self) -> None:
        """Close every connection."""
        self._drawing.close()

    def _read(self, wanted: Mapping[str, int]) -> Scatter | None:
        snapshot = self._drawing.model()
        if snapshot is None or snapshot.features != features.NAMES:
            # None yet, or of another version, which workers are about to replace.
            return None
        self._drawn = renewed(self._drawn, wanted, self._drawing.draw(wanted))
        names = dict.fromkeys(name for names in self._drawn.values() for name in names)
        states = self._drawing.states(names)
        for segment, drawn in self._drawn.items():
            self._drawn[segment] = [name for name in drawn if name in states]
        found, self._plane = scatter(snapshot, states, now_ms(), self._plane)
        return found


def renewed(
    kept: Mapping[str, Sequence[str]], wanted: Mapping[str, int], drawn: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Customers per segment they were drawn from: mostly those of before, so many as are wanted."""
    found = {}
    for segment, count in wanted.items():
        before = list(kept.get(segment, ()))
        stay = random.sample(before, min(count - count // _RENEWED, len(before)))
        known = set(stay)
        fresh = [name for name in drawn.get(segment, ()) if name not in known]
        found[segment] = [*stay, *fresh[: count - len(stay)]]
    return found
