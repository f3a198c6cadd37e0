"""Redis clients for readers, and the errors of Redis in one sentence without secrets."""

from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

import redis
import redis.backoff
import redis.exceptions
import redis.retry
import redis.sentinel

from stream.errors import ConfigurationError, StoreError
from stream.settings import Settings

#: What redis-py says of a connection that the other side closed.
_CLOSED = ("reset by peer", "closed by server", "Connection lost")


def options_of(settings: Settings, timeout_seconds: float, *, decode: bool) -> dict[str, Any]:
    """What every client of these settings is made with, blocking or not."""
    options: dict[str, Any] = {
        "username": settings.redis_user or None,
        "password": settings.redis_password.get_secret_value() or None,
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "socket_keepalive": True,
        "decode_responses": decode,
        # RESP3, redis-py's default, answers some commands in other shapes.
        "protocol": 2,
    }
    return {name: value for name, value in options.items() if value is not None}


def sentinel_address(settings: Settings) -> tuple[str, int]:
    """Host and port of the Sentinel that `AGOS_REDIS` names."""
    where = redis.Redis.from_url(settings.redis).connection_pool.connection_kwargs
    return where["host"], where["port"]


def client(settings: Settings, *, timeout_seconds: float, decode: bool = True) -> redis.Redis:
    """Blocking client of these settings; it never retries by itself.

    Raises
    ------
    ConfigurationError
        If the URL is none.
    """
    retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    options = {"retry": retry, **options_of(settings, timeout_seconds, decode=decode)}
    try:
        if not settings.redis_sentinel:
            return redis.Redis.from_url(settings.redis, **options)
        address = sentinel_address(settings)
    except ValueError as error:
        raise ConfigurationError(
            f"AGOS_REDIS: {error} (got {shown_url(settings.redis)!r})"
        ) from None
    sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        [address], socket_timeout=timeout_seconds
    )
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        settings.redis_sentinel, **options
    )
    return master


def shown_url(url: str) -> str:
    """`url` without user and password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc="…@" + parts.netloc.rpartition("@")[2]).geturl()


class Connected:
    """Holds a blocking client; a context that closes it.

    Within `self._told` an error of Redis becomes a StoreError.
    """

    def __init__(
        self, settings: Settings, *, timeout_seconds: float = 5.0, decode: bool = True
    ) -> None:
        self._redis: Any = client(settings, timeout_seconds=timeout_seconds, decode=decode)
        self._told = told(settings.redis)

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class told:
    """Within, an error of Redis becomes a StoreError that says where and what.

    A plain class: `segments()` passes here on every call, and a generator would cost as much
    as the rest of it.
    """

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Literal[False]:
        if isinstance(error, redis.exceptions.RedisError):
            raise StoreError(_sentence(self._url, error)) from error
        return False


def reason(error: redis.exceptions.RedisError) -> str:
    """The error's words and, of a connection that was taken and closed, who does that."""
    said = str(error)
    if any(words in said for words in _CLOSED):
        said += (
            "; a Redis in protected mode does that to other machines, one with TLS where the URL "
            "is not rediss://"
        )
    return said


def _sentence(url: str, error: redis.exceptions.RedisError) -> str:
    where = shown_url(url)
    if isinstance(error, redis.exceptions.AuthenticationError):
        return f"AGOS_REDIS: {where} refuses user or password"
    if isinstance(error, redis.exceptions.ConnectionError | redis.exceptions.TimeoutError):
        return f"AGOS_REDIS: no Redis answers at {where} ({reason(error)})"
    return f"Redis at {where} refused: {error}"
