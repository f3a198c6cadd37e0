"""The worker's side of Redis: read states and positions, write one batch atomically."""

import asyncio
import hashlib
import logging
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import redis.exceptions
from redis.asyncio import Redis

from stream.customer import is_link
from stream.errors import StoreError
from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client
from stream.store.connect import reason
from stream.store.division import FIELD, UNKNOWN, check_division, division
from stream.store.scripts import script
from stream.store.write import Write

log = logging.getLogger(__name__)

#: Errors after which the same call may succeed: the server is away, loading, failing over,
#: out of memory or out of disk.
PASSING = (
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.TryAgainError,
    redis.exceptions.OutOfMemoryError,
    # A server that was started again has no scripts: it gets them with the next try.
    redis.exceptions.NoScriptError,
)
_PASSING_REPLIES = ("MISCONF", "MASTERDOWN", "NOREPLICAS", "BUSY ", "OOM ", "UNBLOCKED")
_LONGEST_PAUSE_SECONDS = 1.0
#: Customers that one call of the script writes, unless one partition has more.
_MOST_CUSTOMERS = 500
_MOST_DUE = 500
_MOST_TRANSFERS = 100


@dataclass(frozen=True, slots=True)
class Positions:
    """What Redis knows of a partition: next offset and topic id by topic, and who wrote last."""

    offsets: Mapping[str, int]
    topic_ids: Mapping[str, str]
    writer: str


@dataclass(frozen=True, slots=True)
class Applied:
    """Whether a write was applied; if not, who wrote last, and the topic@offset that is another
    than was expected (empty if it is the writer that is)."""

    ok: bool
    stored: str
    writer: str


class Store:
    """Redis as one worker sees it. Every call waits out passing errors for a bounded time.

    Attributes
    ----------
    uncopied
        Change records that Kafka did not have yet, as far as is known.
    """

    def __init__(self, settings: Settings, redis_client: Redis | None = None) -> None:
        self.redis = redis_client if redis_client is not None else client(settings)
        self._partitions = settings.partitions
        self._patience_seconds = settings.stall_seconds
        self._changes_kept = settings.changes
        self.uncopied = 0
        self._script = script("apply")
        self._sha = hashlib.sha1(self._script.encode(), usedforsecurity=False).hexdigest()
        self._loaded = False

    async def close(self) -> None:
        """Close every connection."""
        await self.redis.aclose()

    async def check(self) -> list[str]:
        """Refuse a Redis that would lose data; return warnings.

        Raises
        ------
        StoreError
            For a version below 6.2 or an eviction policy other than `noeviction`.
        """
        info: dict[str, Any] = await self.wait_out(self.redis.info)
        version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
        if version < (6, 2):
            raise StoreError(f"Redis is {info['redis_version']}, expected 6.2 or later")
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            raise StoreError(
                f"maxmemory-policy is {policy}, expected noeviction: Redis would silently drop "
                "customers (CONFIG SET maxmemory-policy noeviction)"
            )
        if info.get("aof_enabled") != 1:
            return ["Redis has no append-only file: a crash of it loses what it had in memory"]
        return []

    async def positions(self, partition: int) -> Positions:
        """Where the partition's topics stand in Redis.

        Raises
        ------
        StoreError
            If Redis is divided into another number of partitions, or does not say.
        """

        async def ask() -> Any:
            pipeline = self.redis.pipeline(transaction=False)
            # In this order: what another worker writes in between says how it is divided.
            pipeline.exists(keys.states(partition))
            pipeline.hgetall(keys.offsets(partition))
            return await pipeline.execute()

        stored, raw = await self.wait_out(ask)
        fields = {name.decode(): value.decode() for name, value in raw.items()}
        writer = fields.pop("writer", "")
        check_division([fields.pop(FIELD, UNKNOWN if writer or stored else None)], self._partitions)
        return Positions(
            {k: int(v) for k, v in fields.items() if not k.endswith(":id")},
            {k.removesuffix(":id"): v for k, v in fields.items() if k.endswith(":id")},
            writer,
        )

    async def load(self, wanted: Sequence[tuple[int, Sequence[str]]]) -> list[list[bytes | None]]:
        """Stored states of some customers of each partition; None for one without."""

        async def ask() -> Any:
            pipeline = self.redis.pipeline(transaction=False)
            for partition, customers in wanted:
                pipeline.execute_command("HMGET", keys.states(partition), *customers)
            return await pipeline.execute()

        states: list[list[bytes | None]] = await self.wait_out(ask)
        return states

    async def scan(self, partition: int, cursor: int, count: int) -> tuple[int, dict[str, bytes]]:
        """Some more of a partition's customers, about so many, and where to go on (0: the end).

        Whoever is stored all the while comes, maybe more than once.
        """
        cursor, found = await self.wait_out(
            lambda: self.redis.hscan(keys.states(partition), cursor, count=count)
        )
        states = {name.decode(): state for name, state in found.items() if not is_link(state)}
        return cursor, states

    async def forgotten(self) -> Mapping[str, int]:
        """Digest of each forgotten customer → epoch ms up to which its events are not wanted."""
        raw: dict[bytes, bytes] = await self.wait_out(lambda: self.redis.hgetall(keys.FORGOTTEN))
        return {name.decode(): int(until) for name, until in raw.items()}

    async def transfers(self, partition: int) -> dict[str, bytes]:
        """Id and record of each state that is on its way to another owner; at most a hundred."""
        name = keys.transfers(partition)
        found: list[Any] = await self.wait_out(
            lambda: self.redis.hrandfield(name, _MOST_TRANSFERS, True)
        )
        # RESP3 has pairs.
        flat = list(chain.from_iterable(found)) if found and isinstance(found[0], list) else found
        return {name.decode(): record for name, record in zip(flat[::2], flat[1::2], strict=True)}

    async def transferred(self, partition: int, ids: Sequence[str]) -> None:
        """Kafka has these."""
        await self.wait_out(lambda: self.redis.hdel(keys.transfers(partition), *ids))

    async def due(self, partition: int, now_ms: int) -> list[str]:
        """Customers whose next evaluation is due, the longest due first; at most a few hundred."""
        names: list[bytes] = await self.wait_out(
            lambda: self.redis.zrangebyscore(keys.due(partition), "-inf", now_ms, 0, _MOST_DUE)
        )
        return [name.decode() for name in names]

    async def apply(self, writes: Sequence[Write]) -> list[Applied]:
        """Write batches of different partitions, each whole or, if Redis is not where the worker
        thinks, not at all.

        A write whose answer was lost is sent again; its token tells then whether it was done.
        """
        done: dict[int, Applied] = {}
        packed = [write.packed(self._changes_kept) for write in writes]

        async def send() -> None:
            waiting = [i for i in range(len(writes)) if i not in done]
            calls = list(_calls(waiting, writes))
            replies = await self._run_script(
                [
                    _arguments([(writes[i].partition, packed[i]) for i in call], self._partitions)
                    for call in calls
                ]
            )
            failure: Exception | None = None
            for call, reply in zip(calls, replies, strict=True):
                if isinstance(reply, Exception):
                    # What cannot pass counts more than what may.
                    failure = failure if failure and not _passes(failure) else reply
                    continue
                for i, (ok, stored, writer, uncopied) in zip(call, reply, strict=True):
                    if uncopied >= 0:
                        self.uncopied = uncopied
                    ok = bool(ok) or writer == writes[i].writer.encode()
                    done[i] = Applied(ok, stored.decode(), writer.decode())
            if failure is not None:
                raise failure

        await self.wait_out(send)
        return [done[i] for i in range(len(writes))]

    async def _run_script(self, calls: Sequence[list[Any]]) -> list[Any]:
        """Replies to the calls of the script, sent together; errors are among them."""
        if not self._loaded:
            await self.redis.script_load(self._script)
            self._loaded = True
        pipeline = self.redis.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command("EVALSHA", self._sha, *call)
        replies = await pipeline.execute(raise_on_error=False)
        if any(isinstance(reply, redis.exceptions.NoScriptError) for reply in replies):
            self._loaded = False
        return replies

    async def count_uncopied(self) -> None:
        """Learn anew how many change records Kafka does not have yet."""
        counts = await self.wait_out(lambda: self.redis.hmget(keys.RELAY, "added", "copied"))
        added, copied = (int(count or 0) for count in counts)
        self.uncopied = added - copied

    async def wait_out(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Result of `call`, made again while Redis is away, for a bounded time.

        Raises
        ------
        StoreError
            When the time is over.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_seconds
        pause = 0.02
        while True:
            try:
                return await call()
            except redis.exceptions.RedisError as error:
                if not is_passing(error):
                    raise
                if loop.time() + pause > deadline:
                    raise StoreError(
                        f"Redis did not answer for {self._patience_seconds:.0f} s: {reason(error)}"
                    ) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _calls(which: Iterable[int], writes: Sequence[Write]) -> Iterator[list[int]]:
    """Writes that one call of the script makes: small ones together, since most of the time of a
    small call is the call; no more, since whoever reads meanwhile waits for it."""
    call: list[int] = []
    customers = 0
    for i in which:
        size = sum(group.customers for group in writes[i].groups)
        if call and customers + size > _MOST_CUSTOMERS:
            yield call
            call, customers = [], 0
        call.append(i)
        customers += size
    if call:
        yield call


def _arguments(packed: Sequence[tuple[int, bytes]], partitions: int) -> list[Any]:
    """Keys and arguments of one call, from partitions and what is written of them."""
    names = [keys.CHANGES, keys.RELAY]
    for partition, _ in packed:
        names += [
            keys.offsets(partition),
            keys.states(partition),
            keys.due(partition),
            keys.categories(partition),
            keys.counters(partition),
            keys.transfers(partition),
        ]
    return [len(names), *names, division(partitions), *[argument for _, argument in packed]]


def is_passing(error: redis.exceptions.RedisError) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, redis.exceptions.AuthenticationError):
        return False
    return isinstance(error, PASSING) or any(word in str(error) for word in _PASSING_REPLIES)


def _passes(error: Exception) -> bool:
    return isinstance(error, redis.exceptions.RedisError) and is_passing(error)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """A checked store that is closed in the end."""
    store = Store(settings)
    try:
        for warning in await store.check():
            log.warning("%s", warning)
        yield store
    finally:
        await store.close()
