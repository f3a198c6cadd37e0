"""Looks again at customers without new events: at those whose conditions turn by time when it is
time, and at all in the background and at a bounded rate."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from stream.membership import Cause
from stream.pipeline import Pipeline
from stream.store import keys
from stream.store.store import Store

log = logging.getLogger(__name__)
#: Customers per step while events come, which wait for some milliseconds; and while none do.
_CHUNK, _QUIET_CHUNK = 50, 250
#: As many as a partition counts for at least, since looking into it costs as much.
_LEAST = 10
#: A pass begins so long after the last one, so that customers who stay away are seen to.
_INTERVAL_SECONDS = 60.0
#: What is due next is asked so often at least.
_ASK_SECONDS = 1.0


class Timer:
    """Evaluates customers whose conditions turn by time alone, when it is time.

    Only a partition's owner adds due times, others (who forget customers) but remove them: while
    this worker writes nothing, nothing is due earlier than Redis said, and it need not be asked.
    """

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self._store, self._pipeline = store, pipeline
        #: Partition → epoch ms of its next evaluation.
        self._due: dict[int, int] = {}
        self._known: object = None
        self._ask_at = 0.0

    async def step(self) -> int:
        """Evaluate who is due, a few hundred a partition; how many there were."""
        segmenters = self._pipeline.segmenters
        known = (self._pipeline.meter.batches, [(p, s.generation) for p, s in segmenters.items()])
        if known != self._known or time.monotonic() >= self._ask_at:
            self._due, self._known = await self._ask(list(segmenters)), known
            self._ask_at = time.monotonic() + _ASK_SECONDS
        count = 0
        for partition, due_ms in self._due.items():
            segmenter = segmenters.get(partition)
            if segmenter is not None and due_ms <= self._now_ms(segmenter.newest_ms):
                count += await self._pipeline.due(partition)
        return count

    async def _ask(self, partitions: Sequence[int]) -> dict[int, int]:
        async def ask() -> Any:
            pipe = self._store.redis.pipeline(transaction=False)
            for partition in partitions:
                pipe.zrange(keys.due(partition), 0, 0, withscores=True)
            return await pipe.execute() if partitions else []

        replies = await self._store.wait_out(ask)
        pairs = zip(partitions, replies, strict=True)
        return {partition: int(first[0][1]) for partition, first in pairs if first}

    def _now_ms(self, newest_ms: int) -> int:
        wall = self._pipeline.settings.clock == "wall"
        return time.time_ns() // 1_000_000 if wall else newest_ms


class Review:
    """One pass at a time over all stored customers of this worker's partitions."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self._store, self._pipeline = store, pipeline
        #: Partitions that the pass has still to go through, and where it is in the first one.
        self._left: list[int] = []
        self._cursor = 0
        self._again = False
        self._cause: Cause = "time"
        self._next = time.monotonic() + _INTERVAL_SECONDS

    @property
    def under_way(self) -> bool:
        """Whether a pass is going on."""
        return bool(self._left)

    @property
    def routine(self) -> bool:
        """Whether nobody asked for the pass: only time went by."""
        return self._cause == "time"

    def request(self, cause: Cause = "model") -> None:
        """Begin a pass for this cause; if one is under way, another follows."""
        self._cause = cause
        self._again = self.under_way
        if not self._again:
            self._begin()

    def _begin(self) -> None:
        self._left, self._cursor = sorted(self._pipeline.segmenters), 0
        self._next = time.monotonic() + _INTERVAL_SECONDS

    async def step(self, *, quiet: bool = False) -> bool:
        """Look at some more customers, if a pass is under way or due; at more if it is `quiet`.

        Returns whether a pass has ended with it.
        """
        if not self.under_way:
            if time.monotonic() < self._next:
                return False
            self._begin()
        count = _QUIET_CHUNK if quiet else _CHUNK
        while self._left and count > 0:
            count -= max(await self._look(self._left[0], count), _LEAST)
        if self._left:
            return False
        cause, self._cause = self._cause, "time"
        if self._again:
            self._again, self._cause = False, cause
            self._begin()
        return True

    async def _look(self, partition: int, count: int) -> int:
        """Look at about so many more of a partition; how many there were."""
        cursor = 0
        found: Mapping[str, bytes] = {}
        if partition in self._pipeline.segmenters:
            cursor, found = await self._store.scan(partition, self._cursor, count)
            await self._pipeline.look_at(partition, found, self._cause)
        self._cursor = cursor
        if cursor == 0:
            self._left.pop(0)
        return len(found)
