"""Removes customers to whom nothing has happened for long: a few keys at a time, for ever."""

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from stream.customer import DAY_MS
from stream.settings import Settings
from stream.store import keys
from stream.store.division import division
from stream.store.forget import script_keys
from stream.store.scripts import script
from stream.store.store import Store

#: Keys that Redis looks at in one step: about a millisecond of its time.
_PAGE = 1_000
#: Customers that go in one step at most.
_MOST = 200


class Retention:
    """Goes through all customers again and again. Each goes at once, with all that is kept of it;
    events that it has later make it a new customer.

    Parameters
    ----------
    active
        Whether this worker is the one that does it.
    """

    def __init__(self, store: Store, settings: Settings, active: Callable[[], bool]) -> None:
        self._store = store
        self._partitions = settings.partitions
        # Where events are the clock the wall clock cannot say who is idle.
        self._days = settings.retention_days if settings.clock == "wall" else None
        self._active = active
        self._script = store.redis.register_script(script("forget"))
        self._writer = f"retention:{uuid4().hex}"
        self._cursor = 0
        self._idle: list[str] = []
        #: Customers removed by this worker.
        self.removed = 0

    async def step(self) -> None:
        """Look at some customers, and remove those that are idle for too long."""
        if self._days is None or not self._active():
            return
        before_ms = time.time_ns() // 1_000_000 - round(self._days * DAY_MS)
        if not self._idle:
            self._idle = await self._store.wait_out(lambda: self._page(before_ms))
        some, self._idle = self._idle[:_MOST], self._idle[_MOST:]
        if some:
            self.removed += await self._store.wait_out(lambda: self._remove(some, before_ms))

    async def _page(self, before_ms: int) -> list[str]:
        redis: Any = self._store.redis
        cursor, found = await redis.scan(self._cursor, keys.CUSTOMER_PREFIX + "*", _PAGE)
        pipe = redis.pipeline(transaction=False)
        for key in found:
            pipe.hget(key, "last_seen")
        seen = await pipe.execute() if found else []
        self._cursor = cursor
        return [
            key.decode().removeprefix(keys.CUSTOMER_PREFIX)
            for key, at in zip(found, seen, strict=True)
            if at is not None and int(at) < before_ms
        ]

    async def _remove(self, customers: Sequence[str], before_ms: int) -> int:
        """The script looks again: an event may have come in between."""
        removed = 0
        for customer_id in customers:
            gone, _ = await self._script(
                keys=script_keys(customer_id, self._partitions),
                args=[
                    customer_id,
                    "",
                    "",
                    self._writer,
                    division(self._partitions),
                    before_ms,
                ],
            )
            removed += gone > 0
        return removed
