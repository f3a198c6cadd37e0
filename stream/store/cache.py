"""Readers that remember segments in this process, told by the change stream when to forget.

    with CachedReader("redis://127.0.0.1:6379/0") as reader:
        reader.segments("ada")            # asks Redis once, then for a while nobody

A worker writes a customer and its changes in one step, so whoever has read the stream up to a
moment knows of every entry and exit until then. One thread (one task) reads it, and an answer
is given from memory only while that reading is no further back than `stale_seconds`; else
Redis is asked, as it is when the stream was trimmed over what was not read. What no change
tells of (a customer who was forgotten or removed for idleness, a visitor in no segment who became
another customer) is known after `KEEP_SECONDS`.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from stream.errors import StoreError
from stream.settings import Settings
from stream.store import keys
from stream.store.async_reader import AsyncReader
from stream.store.reader import PAGE, Reader
from stream.store.records import to_segments

#: An answer is asked for again after so long, changes or not.
KEEP_SECONDS = 30.0
#: After an error of Redis the stream is not read for so long.
_PAUSE_SECONDS = 0.5
_END_OF_NOTHING = "0-0"

_Id = tuple[int, int]


class Kept:
    """Answers by customer, and how far the stream was read; for one reader of the stream.

    Parameters
    ----------
    size
        Answers that are kept at most; the oldest go.
    """

    def __init__(self, stale_seconds: float, size: int) -> None:
        if stale_seconds <= 0 or size < 1:
            raise ValueError(
                f"stale_seconds is {stale_seconds} and size is {size}, expected more than zero"
            )
        self._stale_seconds = stale_seconds
        self._size = size
        self._answers: dict[str, tuple[tuple[str, ...], float]] = {}
        #: Customers of whom Redis is asked just now, and by which question.
        self._asked: dict[str, object] = {}
        self._lock = threading.Lock()
        self._read_until = float("-inf")
        #: Where the stream is read on; empty: at its end.
        self.position = ""

    @property
    def block_ms(self) -> int:
        """How long one reading may wait for changes."""
        return max(1, int(self._stale_seconds * 1000 / 4))

    def get(self, customer_id: str, now: float) -> tuple[str, ...] | None:
        """The answer, None if Redis must be asked."""
        found = self._answers.get(customer_id)
        if found is None or now > found[1] or now - self._read_until > self._stale_seconds:
            return None
        return found[0]

    def ask(self, customer_id: str) -> object:
        """To be called before Redis is asked; for `keep`."""
        question = object()
        with self._lock:
            self._asked[customer_id] = question
        return question

    def keep(self, customer_id: str, question: object, answer: tuple[str, ...] | None) -> None:
        """Keep what Redis said, unless a change came meanwhile; None: there is nothing to keep."""
        with self._lock:
            if self._asked.get(customer_id) is not question:
                return
            del self._asked[customer_id]
            if answer is None:
                return
            self._answers.pop(customer_id, None)
            if len(self._answers) >= self._size:
                del self._answers[next(iter(self._answers))]
            self._answers[customer_id] = (answer, time.monotonic() + KEEP_SECONDS)

    def changed(self, entries: Sequence[Any], oldest: str, begun: float) -> None:
        """What one reading found that was begun at `begun`; `oldest` is the stream's first entry.

        A full page does not say that there is no more.
        """
        with self._lock:
            if begun - self._read_until > self._stale_seconds or (
                entries and _id(oldest) > _id(self.position)
            ):
                self._forget_all()
            for _, fields in entries:
                self._answers.pop(fields["customer"], None)
                self._asked.pop(fields["customer"], None)
            if entries:
                self.position = entries[-1][0]
            if len(entries) < PAGE:
                self._read_until = begun

    def lost(self) -> None:
        """The stream cannot be read: nothing counts from here on."""
        with self._lock:
            self._forget_all()
            self._read_until = float("-inf")
            self.position = ""

    def _forget_all(self) -> None:
        self._answers.clear()
        self._asked.clear()


class CachedReader(Reader):
    """A `Reader` that gives `segments` from memory where it may; the rest is as ever.

    Parameters
    ----------
    stale_seconds
        An answer never misses an entry or exit that is older than this.
    size
        Customers that are remembered at most; one in three segments takes some 400 bytes.
    """

    def __init__(
        self,
        where: str | Settings = "redis://127.0.0.1:6379/0",
        *,
        timeout_seconds: float = 5.0,
        stale_seconds: float = 1.0,
        size: int = 100_000,
    ) -> None:
        self._kept = Kept(stale_seconds, size)
        super().__init__(where, timeout_seconds=timeout_seconds)
        self._ending = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="agos-changes", daemon=True)
        self._follower.start()

    def close(self) -> None:
        """Stop reading the stream and close every connection."""
        self._ending.set()
        self._follower.join()
        super().close()

    def segments(self, customer_id: str) -> tuple[str, ...]:
        """As `Reader.segments`; whoever is not known is asked for each time."""
        found = self._kept.get(customer_id, time.monotonic())
        if found is not None:
            return found
        question, answer = self._kept.ask(customer_id), None
        try:
            with self._told:
                text = self._redis.hget(keys.customer(customer_id), "segments")
            answer = None if text is None else to_segments(text)
        finally:
            self._kept.keep(customer_id, question, answer)
        # Nothing is kept under an id that has become another one: changes name that one.
        if answer is None and (now := self._now(customer_id)) != customer_id:
            return self.segments(now)
        return answer or ()

    def _follow(self) -> None:
        while not self._ending.is_set():
            try:
                self._read_on()
            except StoreError:
                self._kept.lost()
                self._ending.wait(_PAUSE_SECONDS)

    def _read_on(self) -> None:
        kept = self._kept
        if not kept.position:
            kept.position = self._end()
        begun = time.monotonic()
        with self._told:
            found = self._redis.xread({keys.CHANGES: kept.position}, PAGE, kept.block_ms)
            oldest = self._redis.xrange(keys.CHANGES, count=1) if found else ()
        kept.changed(
            found[0][1] if found else (), oldest[0][0] if oldest else _END_OF_NOTHING, begun
        )


class AsyncCachedReader(AsyncReader):
    """`CachedReader` for asyncio; to be used with `async with`."""

    def __init__(
        self,
        where: str | Settings = "redis://127.0.0.1:6379/0",
        *,
        timeout_seconds: float = 5.0,
        stale_seconds: float = 1.0,
        size: int = 100_000,
    ) -> None:
        self._kept = Kept(stale_seconds, size)
        super().__init__(where, timeout_seconds=timeout_seconds)
        self._follower: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Stop reading the stream and close every connection."""
        if self._follower is not None:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        await super().close()

    async def segments(self, customer_id: str) -> tuple[str, ...]:
        """As `AsyncReader.segments`; whoever is not known is asked for each time."""
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())
        found = self._kept.get(customer_id, time.monotonic())
        if found is not None:
            return found
        question, answer = self._kept.ask(customer_id), None
        try:
            with self._told:
                text = await self._redis.hget(keys.customer(customer_id), "segments")
            answer = None if text is None else to_segments(text)
        finally:
            self._kept.keep(customer_id, question, answer)
        if answer is None and (now := await self._now(customer_id)) != customer_id:
            return await self.segments(now)
        return answer or ()

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_on()
            except StoreError:
                self._kept.lost()
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _read_on(self) -> None:
        kept = self._kept
        if not kept.position:
            kept.position = await self._end()
        begun = time.monotonic()
        with self._told:
            found = await self._redis.xread({keys.CHANGES: kept.position}, PAGE, kept.block_ms)
            oldest = await self._redis.xrange(keys.CHANGES, count=1) if found else ()
        kept.changed(
            found[0][1] if found else (), oldest[0][0] if oldest else _END_OF_NOTHING, begun
        )


def _id(position: str) -> _Id:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)
