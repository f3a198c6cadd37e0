"""Batches that wait, put together into groups: what comes in while one group is computed goes
into the next, so that groups grow with the load and a lone event waits for nobody."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from stream.topics import Place
from stream.transport import Batch

#: Groups that are computed or written at the same time.
_IN_FLIGHT = 4
#: Groups of events that may wait while groups are large.
_GROUPS_WAITING = 4

Process = Callable[[Sequence[Batch]], Coroutine[Any, Any, None]]


class Gathering:
    """Hands groups of batches to `process`, which must not raise.

    A partition is in one group at a time and its batches keep their order; those of a topic that
    follow each other become one. The next group starts when nothing is under way, or beside
    others once it is half full.

    Parameters
    ----------
    most_events
        Of one group; a larger batch is a group of its own.

    Attributes
    ----------
    room
        Set while nothing waits. Till then events gather where one fetch brings them all. Where
        there are so many that groups are large, and while a group is being written, a bounded
        number of events may wait: what is fetched then is newer than what was before.
    """

    def __init__(self, process: Process, most_events: int) -> None:
        self._process, self._most_events = process, most_events
        self._waiting: deque[Batch] = deque()
        self._busy: set[int] = set()
        self._large = self._writing = False
        self._running: set[asyncio.Task[None]] = set()
        self.room = asyncio.Event()
        self.room.set()

    def add(self, batches: Sequence[Batch]) -> None:
        """Let batches wait for their turn; there is no room while any does."""
        self._waiting.extend(batches)
        self._start()

    def look_ahead(self) -> None:
        """A group is about to be written, and needs little of the processor till it is."""
        self._writing = True
        self._make_room()

    async def finish(self, timeout_seconds: float) -> None:
        """Start nothing more, and let what is under way end."""
        self._waiting.clear()
        self.room.set()
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_seconds)

    def _start(self) -> None:
        while len(self._running) < _IN_FLIGHT and (group := self._next()):
            partitions = {batch.partition for batch in group}
            self._busy |= partitions
            self._large = 2 * sum(len(batch.records) for batch in group) >= self._most_events
            self._writing = False
            task = asyncio.create_task(self._process(group))
            self._running.add(task)
            task.add_done_callback(partial(self._done, partitions))
        self._make_room()

    def _make_room(self) -> None:
        waiting = sum(len(batch.records) for batch in self._waiting)
        ahead = self._large or self._writing
        if not waiting or (ahead and waiting < _GROUPS_WAITING * self._most_events):
            self.room.set()
        else:
            self.room.clear()

    def _done(self, partitions: set[int], task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._busy -= partitions
        if not task.cancelled():
            self._start()

    def _next(self) -> list[Batch]:
        """Take the next group out of what waits; empty if it is better to wait."""
        group: dict[Place, Batch] = {}
        left: deque[Batch] = deque()
        passed: set[Place] = set()
        events = 0
        for batch in self._waiting:
            place, size = (batch.topic, batch.partition), len(batch.records)
            full = bool(group) and events + size > self._most_events
            known = group.get(place)
            fits = known is None or batch.start == known.end
            if full or not fits or place in passed or batch.partition in self._busy:
                left.append(batch)
                passed.add(place)
            else:
                group[place] = batch if known is None else _one(known, batch)
                events += size
        if self._running and 2 * events < self._most_events:
            return []
        self._waiting = left
        return list(group.values())


def _one(first: Batch, second: Batch) -> Batch:
    records = [*first.records, *second.records]
    return Batch(first.topic, first.partition, first.start, second.end, records)
