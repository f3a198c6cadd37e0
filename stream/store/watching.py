"""Everything that a live view asks Redis for, in one round trip, whatever there is of it.

Its cost grows with segments and partitions, never with customers: no scan, no member is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import AsyncConnected
from stream.store.records import (
    Change,
    Segment,
    WorkerStatus,
    to_change,
    to_segments_list,
    to_worker,
)
from stream.topics import EVENT_TOPICS

#: Changes read at once; when more have come, the rest is skipped, and that is said.
MOST_CHANGES = 3_000
_MEMORY = ("used_memory", "maxmemory", "total_system_memory", "mem_fragmentation_ratio")


@dataclass(frozen=True, slots=True)
class Seen:
    """Redis at one moment.

    Attributes
    ----------
    workers
        Every report that is kept, also those of workers that are gone.
    counters
        Of all partitions, since the beginning.
    offsets
        Topic and partition → next offset to apply.
    changes
        Those since the look before, oldest first; `skipped` if there were more.
    learned_ms
        When the trainer last said how it does; 0 for never.
    memory
        Of Redis' `INFO memory`, bytes; empty where the user may not ask.
    """

    workers: tuple[WorkerStatus, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    offsets: Mapping[tuple[str, int], int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    changes: tuple[Change, ...] = ()
    skipped: bool = False
    changes_kept: int = 0
    undelivered: int = 0
    model_version: int = 0
    trained_on: int = 0
    learned_ms: int = 0
    memory: Mapping[str, float] = field(default_factory=dict)
    commands_per_second: int = 0


class _League(msgspec.Struct):
    updated_ms: int = 0


class Watcher(AsyncConnected):
    """Looks at Redis again and again, and never writes; each look may raise StoreError."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds)
        self._partitions = settings.partitions
        self._position = ""
        self._described: Mapping[str, str] = {}
        self._names: str | None = None
        self._parsed: dict[str, Segment] = {}

    async def look(self) -> Seen:
        """Redis as it is now, and the changes since the last look."""
        with self._told:
            if not self._position:
                last = await self._redis.xrevrange(keys.CHANGES, count=1)
                self._position = str(last[0][0]) if last else "0-0"
            pipe = self._redis.pipeline(transaction=False)
            pipe.hvals(keys.WORKERS)
            pipe.hmget(keys.MODEL, ("version", "trained_on", "names"))
            pipe.get(keys.LEAGUE)
            pipe.xlen(keys.CHANGES)
            pipe.xlen(keys.UNDELIVERED)
            pipe.xrange(keys.CHANGES, f"({self._position}", "+", count=MOST_CHANGES)
            pipe.hgetall(keys.SEGMENTS)
            pipe.info("memory")
            pipe.info("stats")
            for partition in range(self._partitions):
                pipe.hgetall(keys.counters(partition))
                pipe.hmget(keys.offsets(partition), EVENT_TOPICS)
            reports, model, league, kept, lost, entries, described, memory, stats, *rest = _allowed(
                await pipe.execute(raise_on_error=False)
            )
            version, trained_on, names = model
            segments = await self._segments(described, names)
            skipped = len(entries) == MOST_CHANGES and await self._skip_to_end()
        if entries and not skipped:
            self._position = entries[-1][0]
        return Seen(
            workers=tuple(to_worker(text) for text in reports),
            counters=_summed(rest[::2]),
            offsets=_offsets(rest[1::2]),
            segments=segments,
            changes=tuple(to_change(position, fields) for position, fields in entries),
            skipped=skipped,
            changes_kept=kept,
            undelivered=lost,
            model_version=int(version or 0),
            trained_on=int(trained_on or 0),
            learned_ms=_updated_ms(league),
            memory={name: float(memory[name]) for name in _MEMORY if name in memory},
            commands_per_second=int(stats.get("instantaneous_ops_per_sec", 0)),
        )

    async def _skip_to_end(self) -> bool:
        last = await self._redis.xrevrange(keys.CHANGES, count=1)
        self._position = str(last[0][0])
        return True

    async def _segments(
        self, described: Mapping[str, str], names: str | None
    ) -> tuple[Segment, ...]:
        """All segments with their sizes; what is said of them is read only when it is new."""
        if not described:
            return ()
        pipe = self._redis.pipeline(transaction=False)
        for segment in described:
            pipe.zcard(keys.members(segment))
        sizes = dict(zip(described, await pipe.execute(), strict=True))
        if described != self._described or names != self._names:
            found = to_segments_list(described, [0] * len(described), names)
            self._parsed = {segment.id: segment for segment in found}
            self._described, self._names = described, names
        sized = [replace(self._parsed[name], size=size) for name, size in sizes.items()]
        return tuple(sorted(sized, key=lambda s: (s.retired, -s.size, s.id)))


def _allowed(answers: Sequence[Any]) -> list[Any]:
    """Answers; a user that may not ask for INFO goes without, any other error is one."""
    for place, answer in enumerate(answers):
        if isinstance(answer, Exception) and not (
            place in (7, 8) and isinstance(answer, redis.exceptions.NoPermissionError)
        ):
            raise answer
    return [{} if isinstance(answer, Exception) else answer for answer in answers]


def _summed(counted: Sequence[Mapping[str, str]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for counters in counted:
        for name, number in counters.items():
            totals[name] = totals.get(name, 0) + int(number)
    return totals


def _offsets(rows: Sequence[Sequence[str | None]]) -> dict[tuple[str, int], int]:
    return {
        (topic, partition): int(offset)
        for partition, row in enumerate(rows)
        for topic, offset in zip(EVENT_TOPICS, row, strict=True)
        if offset is not None
    }


def _updated_ms(league: str | None) -> int:
    """`updated_ms` of the league's JSON, whatever else is in it."""
    return msgspec.json.decode(league, type=_League).updated_ms if league else 0
