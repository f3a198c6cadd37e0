"""What the trainer says of the model, for the page Clusters; read once for all who look."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream.settings import Settings
from stream.store.learned import Alert, League, LearnedReader
from stream.store.lookup import Centroids, Lookup

_FRESH_SECONDS = 5.0
_ALERTS = 50


@dataclass(frozen=True, slots=True)
class Learned:
    """The model in force, its challengers, and what has drifted (newest first)."""

    model: Centroids = field(default_factory=Centroids)
    league: League | None = None
    alerts: tuple[Alert, ...] = ()
    #: Segment → those it came from.
    parents: Mapping[str, Sequence[str]] = field(default_factory=dict)


class LearnedCache:
    """Reads at most every few seconds. Each call may raise StoreError."""

    def __init__(self, settings: Settings, lookup: Lookup) -> None:
        self._reader = LearnedReader(settings, timeout_seconds=3.0)
        self._lookup = lookup
        self._lock = asyncio.Lock()
        self._at_s = 0.0
        self._found = Learned()

    async def read(self) -> Learned:
        """What there is."""
        async with self._lock:
            if time.monotonic() - self._at_s > _FRESH_SECONDS or not self._at_s:
                self._found = await asyncio.to_thread(self._read)
                self._at_s = time.monotonic()
            return self._found

    def close(self) -> None:
        """Close every connection."""
        self._reader.close()

    def _read(self) -> Learned:
        described = self._reader.segments()
        return Learned(
            self._lookup.centroids(),
            self._reader.league(),
            tuple(self._reader.alerts(_ALERTS)),
            {name: tuple(said.get("parents") or ()) for name, said in described.items()},
        )
