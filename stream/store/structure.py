"""What became of the clusters, as dashboards saw it: a bounded list in Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stream.errors import StoreError
from stream.membership import cluster_segment
from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client
from stream.store.connect import told

KEPT = 500


class _Change(msgspec.Struct, frozen=True):
    kind: str
    segment: int
    others: tuple[int, ...] = ()


class _Segment(msgspec.Struct, frozen=True):
    id: int
    name: str
    parents: tuple[int, ...] = ()
    born_version: int = 0


class _Snapshot(msgspec.Struct, frozen=True):
    version: int
    segments: tuple[_Segment, ...]
    changes: tuple[_Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Published:
    """What a published model says of its clusters, all by segment id.

    Attributes
    ----------
    parents
        Of each, those it came from.
    born
        Of each, the version that had it first.
    changes
        (born, died, split or merged; segment; the others) since the version before.
    """

    version: int
    names: Mapping[str, str] = field(default_factory=dict)
    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    born: Mapping[str, int] = field(default_factory=dict)
    changes: Sequence[tuple[str, str, tuple[str, ...]]] = ()


class StructureStore:
    """Opaque entries, and the model in force. Each call may raise StoreError."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        self._redis: Any = client(settings, timeout_seconds=timeout_seconds, decode=False)
        self._told = told(settings.redis)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def load(self) -> list[bytes]:
        """All entries, the newest first."""
        with self._told:
            found: list[bytes] = await self._redis.lrange(keys.HISTORY_STRUCTURE, 0, -1)
        return found

    async def append(self, entries: Sequence[bytes]) -> None:
        """Add entries, the oldest first, and keep the newest."""
        with self._told:
            pipe = self._redis.pipeline(transaction=True)
            pipe.lpush(keys.HISTORY_STRUCTURE, *entries)
            pipe.ltrim(keys.HISTORY_STRUCTURE, 0, KEPT - 1)
            await pipe.execute()

    async def published(self) -> Published | None:
        """The model in force; None before the first."""
        with self._told:
            text: bytes | None = await self._redis.hget(keys.MODEL, "snapshot")
        if not text:
            return None
        try:
            snapshot = msgspec.json.decode(text, type=_Snapshot)
        except msgspec.MsgspecError as error:
            raise StoreError(f"{keys.MODEL}: {error}") from None
        ids = {s.id: cluster_segment(s.id) for s in snapshot.segments}
        return Published(
            snapshot.version,
            {ids[s.id]: s.name for s in snapshot.segments},
            {ids[s.id]: tuple(map(cluster_segment, s.parents)) for s in snapshot.segments},
            {ids[s.id]: s.born_version for s in snapshot.segments},
            [
                (c.kind, cluster_segment(c.segment), tuple(map(cluster_segment, c.others)))
                for c in snapshot.changes
            ],
        )
