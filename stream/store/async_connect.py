"""`Connected` for asyncio: one place that opens a client and closes it."""

from types import TracebackType
from typing import Any, Self

from stream.settings import Settings
from stream.store.connect import told
from stream.store.store import client


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
