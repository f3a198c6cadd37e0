"""The worker's side of Redis: read states and positions, write one batch atomically."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import hiredis
import redis.exceptions
from redis.asyncio import Connection, Redis, Sentinel, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.backoff import NoBackoff

from stream.errors import StoreError
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import options_of, sentinel_address
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


class _Packing(AbstractConnection):
    """A connection that packs commands in C: a batch has tens of thousands of arguments."""

    def pack_command(self, *args: Any) -> list[bytes]:
        if " " in args[0]:
            args = (*args[0].split(), *args[1:])
        return [hiredis.pack_command(args)]

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        """Send within the timeout, in the caller's own task.

        redis-py sends by `asyncio.wait_for`, which up to Python 3.11 loses a cancellation that
        comes as it ends (python/cpython#86296): who cancels the caller would wait for ever.
        """
        if not self.is_connected:
            await self.connect_check_health(check_health=False)
        if check_health:
            await self.check_health()  # type: ignore[no-untyped-call]
        if isinstance(command, str):
            command = command.encode()
        try:
            async with asyncio.timeout(self.socket_timeout):
                await self._send_packed_command(
                    [command] if isinstance(command, bytes) else command
                )
        except BaseException as error:
            # Nobody knows how much of the command is on its way.
            await self.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise redis.exceptions.TimeoutError("Timeout writing to socket") from None
            if isinstance(error, OSError):
                raise redis.exceptions.ConnectionError(
                    f"while writing to socket: {error}"
                ) from error
            raise


class _PackingConnection(_Packing, Connection):
    pass


class _PackingSSLConnection(_Packing, SSLConnection):
    pass


class _PackingManagedConnection(_Packing, SentinelManagedConnection):
    pass


def client(settings: Settings, *, timeout_seconds: float = 5.0, decode: bool = False) -> Redis:
    """Redis client of these settings; it never retries by itself."""
    options = {
        "retry": Retry(NoBackoff(), 0),
        **options_of(settings, timeout_seconds, decode=decode),
    }
    if settings.redis_sentinel:
        sentinel = Sentinel(  # type: ignore[no-untyped-call]
            [sentinel_address(settings)], socket_timeout=timeout_seconds
        )
        options["connection_class"] = _PackingManagedConnection
        master: Redis = sentinel.master_for(settings.redis_sentinel, **options)
        return master
    encrypted = settings.redis.startswith("rediss:")
    options["connection_class"] = _PackingSSLConnection if encrypted else _PackingConnection
    return Redis.from_url(settings.redis, **options)


class Store:
    """Redis as one worker sees it. Every call waits out passing errors for a bounded time.

    Attributes
    ----------
    uncopied
        Change records that Kafka did not have yet, as far as is known.
    """

    def __init__(self, settings: Settings, redis_client: Redis | None = None) -> None:
        self.redis = redis_client if redis_client is not None else client(settings)
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
        """Where the partition's topics stand in Redis."""
        raw: dict[bytes, bytes] = await self.wait_out(
            lambda: self.redis.hgetall(keys.offsets(partition))
        )
        fields = {name.decode(): value.decode() for name, value in raw.items()}
        return Positions(
            {k: int(v) for k, v in fields.items() if not k.endswith(":id") and k != "writer"},
            {k.removesuffix(":id"): v for k, v in fields.items() if k.endswith(":id")},
            fields.get("writer", ""),
        )

    async def load(self, customers: Sequence[str]) -> list[bytes | None]:
        """Stored states, None for a customer without one."""
        names = [keys.state(customer) for customer in customers]
        states: list[bytes | None] = await self.wait_out(lambda: self.redis.mget(names))
        return states

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
        calls = [self._call_of(write) for write in writes]

        async def send() -> None:
            waiting = [i for i in range(len(writes)) if i not in done]
            replies = await self._run_script([calls[i] for i in waiting])
            failure: Exception | None = None
            for i, reply in zip(waiting, replies, strict=True):
                if isinstance(reply, Exception):
                    # What cannot pass counts more than what may.
                    failure = failure if failure and not _passes(failure) else reply
                    continue
                ok, stored, writer, uncopied = reply
                if uncopied >= 0:
                    self.uncopied = uncopied
                ok = bool(ok) or writer == writes[i].writer.encode()
                done[i] = Applied(ok, stored.decode(), writer.decode())
            if failure is not None:
                raise failure

        await self.wait_out(send)
        return [done[i] for i in range(len(writes))]

    def _call_of(self, write: Write) -> list[Any]:
        names = [
            keys.offsets(write.partition),
            keys.due(write.partition),
            keys.categories(write.partition),
            keys.counters(write.partition),
            keys.CHANGES,
            keys.transfers(write.partition),
            keys.RELAY,
        ]
        return [len(names), *names, write.packed(self._changes_kept)]

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
                        f"Redis did not answer for {self._patience_seconds:.0f} s: {error}"
                    ) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


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
