"""`Reader` for asyncio: the same methods, the same promises."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import AsyncConnected
from stream.store.reader import BLOCK_MS, CLAIM_MS, PAGE
from stream.store.records import (
    Change,
    Customer,
    Member,
    Segment,
    to_change,
    to_customer,
    to_segments,
    to_segments_list,
)


class AsyncReader(AsyncConnected):
    """Reads Redis, and never writes but for the position of a consumer group.

    See `Reader`. To be made and used within one event loop; close it, or use `async with`.
    """

    def __init__(
        self,
        where: str | Settings = "redis://127.0.0.1:6379/0",
        *,
        timeout_seconds: float = 5.0,
    ) -> None:
        settings = Settings(redis=where) if isinstance(where, str) else where
        timeout_seconds = max(timeout_seconds, 2 * BLOCK_MS / 1000)
        super().__init__(settings, timeout_seconds=timeout_seconds)

    async def segments(self, customer_id: str) -> tuple[str, ...]:
        """Ids of the segments that the customer is in; empty also for an unknown customer.

        An id that was merged into another customer has that one's.
        """
        with self._told:
            found = await self._redis.hget(keys.customer(customer_id), "segments")
        if found is None and (now := await self._now(customer_id)) != customer_id:
            return await self.segments(now)
        return to_segments(found)

    async def customer(self, customer_id: str) -> Customer | None:
        """The customer's public record, None if no event of it was applied.

        Of an id that was merged into another customer it is that one's.
        """
        with self._told:
            fields = await self._redis.hgetall(keys.customer(customer_id))
        if not fields and (now := await self._now(customer_id)) != customer_id:
            return await self.customer(now)
        return to_customer(customer_id, fields) if fields else None

    async def _now(self, customer_id: str) -> str:
        """The id at which an id ends that was merged into another one; asked only where there
        is no customer, so that whoever is found costs one question."""
        passed = {customer_id}
        while True:
            with self._told:
                found = await self._redis.get(keys.link(customer_id))
            if found is None or found in passed:
                return customer_id
            passed.add(found)
            customer_id = found

    async def members(self, segment: str, *, offset: int = 0, limit: int = 100) -> list[Member]:
        """A page of the segment's customers, the newest first."""
        if limit < 1:
            return []
        with self._told:
            rows = await self._redis.zrange(
                keys.members(segment), offset, offset + limit - 1, desc=True, withscores=True
            )
        return [Member(name, int(at)) for name, at in rows]

    async def all_members(self, segment: str) -> AsyncGenerator[Member, None]:
        """Every customer that is in the segment all the while, in no order; none twice."""
        seen: set[str] = set()
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, rows = await self._redis.zscan(
                    keys.members(segment), max(cursor, 0), count=PAGE
                )
            for name, at in rows:
                if name not in seen:
                    seen.add(name)
                    yield Member(name, int(at))

    async def segment_list(self) -> list[Segment]:
        """All segments with their sizes, the largest first, retired ones last."""
        with self._told:
            known: dict[str, str] = await self._redis.hgetall(keys.SEGMENTS)
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(keys.MODEL, "names")
            for segment in known:
                pipe.zcard(keys.members(segment))
            names, *sizes = await pipe.execute()
        return to_segments_list(known, sizes, names)

    async def changes(
        self,
        since: str = "$",
        *,
        group: str | None = None,
        consumer: str = "reader",
        wait: bool = True,
    ) -> AsyncGenerator[Change, None]:
        """Entries and exits, in the order they were written; see `Reader.changes`."""
        if group is not None:
            # Closed with this one, not later by the garbage collector: it has something to do.
            async with aclosing(self._group_changes(since, group, consumer, wait)) as inner:
                async for change in inner:
                    yield change
            return
        if since == "$":
            since = await self._end()
        while True:
            with self._told:
                found = await self._redis.xread(
                    {keys.CHANGES: since}, count=PAGE, block=BLOCK_MS if wait else None
                )
            for position, fields in found[0][1] if found else ():
                since = position
                yield to_change(position, fields)
            if not found and not wait:
                return

    async def watch(self, customer_id: str) -> AsyncGenerator[Customer | None, None]:
        """The customer as it is now, and again after each entry or exit of it."""
        position = await self._end()
        yield await self.customer(customer_id)
        async with aclosing(self.changes(position)) as changes:
            async for change in changes:
                if change.customer_id == customer_id:
                    yield await self.customer(customer_id)

    async def _end(self) -> str:
        with self._told:
            last = await self._redis.xrevrange(keys.CHANGES, count=1)
        return str(last[0][0]) if last else "0-0"

    async def _group_changes(
        self, since: str, group: str, consumer: str, wait: bool
    ) -> AsyncGenerator[Change, None]:
        with self._told:
            try:
                await self._redis.xgroup_create(keys.CHANGES, group, id=since, mkstream=True)
            except redis.exceptions.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        pages = self._pages(group, consumer, wait)
        async for entries in pages:
            done: list[str] = []
            try:
                for position, fields in entries:
                    # Fields are missing where the stream was trimmed over what was unfinished.
                    if fields:
                        yield to_change(position, fields)
                    done.append(position)
            finally:
                if done:
                    with self._told:
                        await self._redis.xack(keys.CHANGES, group, *done)

    async def _pages(
        self, group: str, consumer: str, wait: bool
    ) -> AsyncGenerator[Sequence[Any], None]:
        """What this consumer did not finish, what dead ones did not, and what is new."""
        after = "0"
        while entries := await self._given(group, consumer, after, None):
            after = entries[-1][0]
            yield entries
        claimed = -CLAIM_MS / 1000
        while True:
            if time.monotonic() - claimed > CLAIM_MS / 1000 / 2:
                claimed = time.monotonic()
                async for entries in self._abandoned(group, consumer):
                    yield entries
            entries = await self._given(group, consumer, ">", BLOCK_MS if wait else None)
            if entries:
                yield entries
            elif not wait:
                return

    async def _given(
        self, group: str, consumer: str, after: str, block_ms: int | None
    ) -> Sequence[Any]:
        with self._told:
            found = await self._redis.xreadgroup(
                group, consumer, {keys.CHANGES: after}, PAGE, block_ms
            )
        return found[0][1] if found else ()

    async def _abandoned(self, group: str, consumer: str) -> AsyncGenerator[Sequence[Any], None]:
        after = "0-0"
        while True:
            with self._told:
                after, entries, *_ = await self._redis.xautoclaim(
                    keys.CHANGES, group, consumer, CLAIM_MS, after, count=PAGE
                )
            if entries:
                yield entries
            if after == "0-0":
                return
