"""What dashboards remember in Redis: bounded lists, written by one dashboard at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client
from stream.store.connect import told

#: The dashboard that writes says so at least this often, or another one takes over.
LEASE_SECONDS = 10
ALERTS_KEPT = 500


class HistoryStore:
    """Lists of opaque points, one list per resolution. Each call may raise StoreError."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        self._redis: Any = client(settings, timeout_seconds=timeout_seconds, decode=False)
        self._told = told(settings.redis)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def leads(self, name: str) -> bool:
        """Whether this dashboard is the one that writes; it then stays so for a while."""
        with self._told:
            if await self._redis.set(keys.HISTORY_WRITER, name, nx=True, ex=LEASE_SECONDS):
                return True
            if await self._redis.get(keys.HISTORY_WRITER) != name.encode():
                return False
            await self._redis.expire(keys.HISTORY_WRITER, LEASE_SECONDS)
            return True

    async def leave(self, name: str) -> None:
        """Let another dashboard write at once."""
        with self._told:
            if await self._redis.get(keys.HISTORY_WRITER) == name.encode():
                await self._redis.delete(keys.HISTORY_WRITER)

    async def load(self, seconds: int) -> list[bytes]:
        """All points of a resolution, the oldest first."""
        with self._told:
            found: list[bytes] = await self._redis.lrange(keys.history(seconds), 0, -1)
        return found[::-1]

    async def append(self, points: Mapping[int, Sequence[bytes]], most: Mapping[int, int]) -> None:
        """Add points per resolution, oldest first, and keep the newest `most` of each."""
        with self._told:
            pipe = self._redis.pipeline(transaction=True)
            for seconds, added in points.items():
                if added:
                    pipe.lpush(keys.history(seconds), *added)
                    pipe.ltrim(keys.history(seconds), 0, most[seconds] - 1)
            await pipe.execute()

    async def alerts(self) -> list[bytes]:
        """Alerts raised and settled, the newest first."""
        with self._told:
            found: list[bytes] = await self._redis.lrange(keys.HISTORY_ALERTS, 0, -1)
        return found

    async def add_alert(self, alert: bytes) -> None:
        """Keep one more alert."""
        with self._told:
            pipe = self._redis.pipeline(transaction=True)
            pipe.lpush(keys.HISTORY_ALERTS, alert)
            pipe.ltrim(keys.HISTORY_ALERTS, 0, ALERTS_KEPT - 1)
            await pipe.execute()
