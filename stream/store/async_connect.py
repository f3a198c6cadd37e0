"""Redis by asyncio: the client, and `Connected` for it, one place that opens and closes it."""

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import hiredis
import redis.exceptions
from redis.asyncio import Connection, Redis, Sentinel, SSLConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelManagedConnection
from redis.backoff import NoBackoff

from stream.settings import Settings
from stream.store.connect import options_of, sentinel_address, told


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


class AsyncConnected:
    """Holds an asyncio client of one event loop; a context that closes it.

    Within `self._told` an error of Redis becomes a StoreError.
    """

    def __init__(
        self, settings: Settings, *, timeout_seconds: float = 5.0, decode: bool = True
    ) -> None:
        self._redis: Any = client(settings, timeout_seconds=timeout_seconds, decode=decode)
        self._told = told(settings.redis)

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()
