"""The worker's backfill: finds out what customers lack under the definitions in force, reads it
from the log and lets them have it. Idle work, a partition at a time."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from stream.backfill import Earlier, Lacking, Log, replay, slices_of, stretch_of
from stream.conditions import Definitions, Point
from stream.defined import point_of
from stream.events import Money
from stream.pipeline import Pipeline
from stream.recall import Recalled, recall
from stream.segmenter import Segmenter
from stream.store.backfill import (
    Progress,
    complete_shares,
    learn_versions,
    read_progress,
    write_progress,
)
from stream.store.marks import digest_of
from stream.store.segments import describe
from stream.store.store import Store

log = logging.getLogger(__name__)
_PAGE = 200
#: Customers written at once.
_CHUNK = 100
#: Customers that are gone through in one round; the others come in the next.
_MOST_LACKING = 400_000
#: At a stretch no more than this; then events have their turn.
_WORK_SECONDS = 0.005
#: Of this process' time, at most: while no event comes, and while some do but none wait.
_QUIET_SHARE, _LIVE_SHARE = 0.9, 0.5
#: While events wait, a pause takes so long.
_BUSY_SECONDS = 0.25
_PUBLISH_SECONDS = 1.0


class _Over(Exception):
    """What was found out does not hold any more, or the worker stops."""


@dataclass(slots=True)
class Part:
    """One partition's round; `stays` tells whether nobody else has written since it began."""

    partition: int
    stays: Callable[[], bool]
    progress: Progress
    lacking: dict[str, Lacking] = field(default_factory=dict)
    whole: bool = True


class Backfilling:
    """One worker's backfill. `step` may be broken off and begun again at any point: a customer is
    given what it lacks in the same write that says that it lacks it no longer.

    Parameters
    ----------
    busy
        Whether events wait.
    ended
        Whether the worker stops.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        source: Log,
        busy: Callable[[], bool],
        ended: Callable[[], bool],
    ) -> None:
        self._store, self._pipeline, self._source = store, pipeline, source
        self._busy, self._ended = busy, ended
        self._money = Money(pipeline.settings.exchange_rates())
        self._done: set[tuple[Segmenter, Definitions]] = set()
        self._described = ""
        self._since = self._published = 0.0
        self._events = 0

    async def learn(self) -> None:
        """Before any event is applied: learn what memories of earlier definitions hold."""
        if self._pipeline.defined is not None:
            await learn_versions(self._store, self._pipeline.defined.definitions, _now_ms())

    async def step(self) -> int:
        """See to every partition that is not done; how many customers were filled in."""
        defined = self._pipeline.defined
        if defined is None:
            return 0
        definitions, ours = defined.definitions, dict(self._pipeline.segmenters)
        pending = [p for p, segmenter in ours.items() if (segmenter, definitions) not in self._done]
        if not pending and self._described == definitions.version:
            return 0
        if self._described != definitions.version:
            await self.learn()
        stored = await read_progress(self._store)
        self._done = {(s, d) for s, d in self._done if d is definitions and s in ours.values()}
        parts = []
        for partition in pending:
            known = stored.get(partition)
            if known is not None and known.done and known.version == definitions.version:
                self._done.add((ours[partition], definitions))
                continue
            parts.append(self._part(ours[partition], definitions, known))
        await self._publish(definitions, parts)
        self._since, self._events = time.thread_time(), self._pipeline.meter.events
        filled = 0
        try:
            if parts:
                await self._look(definitions, parts)
            for part in parts:
                await self._publish(definitions, parts)
                filled += await self._fill(definitions, part)
                if part.whole and part.stays():
                    part.progress.done, part.progress.left = True, {}
                    part.progress.known = sorted(definitions.conditions_needed)
                    self._done.add((ours[part.partition], definitions))
            await self._publish(definitions, parts)
        except _Over:
            log.info("the backfill begins anew")
        return filled

    def _part(self, segmenter: Segmenter, definitions: Definitions, known: Progress | None) -> Part:
        partition, generation = segmenter.partition, segmenter.generation
        complete = known.known if known is not None else []

        def stays() -> bool:
            defined = self._pipeline.defined
            same = self._pipeline.segmenters.get(partition) is segmenter
            same = same and segmenter.generation == generation
            same = same and defined is not None and defined.definitions is definitions
            return same and not self._ended()

        asking = definitions.asking(definitions.conditions_needed - {*complete})
        # Until they are counted, as if nobody had it.
        left = dict.fromkeys(asking, 1)
        progress = Progress(definitions.version, customers=1, left=left, known=complete)
        return Part(partition, stays, progress)

    # -- who lacks what ----------------------------------------------------------------------

    async def _look(self, definitions: Definitions, parts: Sequence[Part]) -> None:
        alike: dict[Any, Lacking] = {}
        room = _MOST_LACKING
        for part in parts:
            part.progress.customers = 0
            counts: Counter[str] = Counter()
            lost: Counter[str] = Counter()
            async for point, customer in self._customers(part.partition, parts):
                part.progress.customers += 1
                lost.update(definitions.asking(definitions.lost(customer.memory)))
                lacking = definitions.lacking(customer.memory, _HERE)
                if not lacking:
                    continue
                counts.update(definitions.asking(lacking.keys()))
                if room:
                    room -= 1
                    groups = _grouped(lacking, point)
                    same = tuple((begin, *found) for begin, found in groups.items())
                    part.lacking[customer.customer_id] = alike.setdefault(same, groups)
                else:
                    part.whole = False
            part.progress.left, part.progress.lost = dict(counts), dict(lost)

    async def _customers(
        self, partition: int, parts: Sequence[Part]
    ) -> AsyncIterator[tuple[Point, Recalled]]:
        """A partition's customers, each with where the partition stood before it was read: who
        has events in between is adopted by them."""
        cursor = -1
        while cursor != 0:
            segmenter = self._pipeline.segmenters.get(partition)
            if segmenter is None:
                return
            point = point_of(segmenter.ends)
            cursor, known = await self._store.scan(partition, max(cursor, 0), _PAGE)
            for customer in recall(list(known), list(known.values())):
                yield point, customer
            await self._breathe(*parts)

    # -- reading it and handing it over --------------------------------------------------------

    async def _fill(self, definitions: Definitions, part: Part) -> int:
        filled = 0
        for lacking in slices_of(part.lacking):
            stretch = await stretch_of(
                self._source, part.partition, definitions, list(lacking.values()), _now_ms()
            )
            if stretch.lost:
                log.warning(
                    "partition %d: the log no longer has all that %d conditions need; of %s what "
                    "it has is filled in", part.partition, len(stretch.lost),
                    ", ".join(sorted(definitions.asking(stretch.lost))),
                )  # fmt: skip
            earlier = Earlier(definitions, lacking, stretch.lost, part.stays)
            wanted = await self._wanted()
            breathe = partial(self._breathe, part)
            records = await replay(
                self._source, part.partition, stretch, earlier, self._money, wanted, breathe
            )
            log.info(
                "partition %d: %d events read again for %d customers",
                part.partition, records, len(lacking),
            )  # fmt: skip
            filled += await self._hand_over(definitions, part, earlier)
        return filled

    async def _wanted(self) -> Callable[[str, int], bool]:
        forgotten = await self._store.forgotten()

        def wanted(customer: str, at_ms: int) -> bool:
            return not forgotten or at_ms > forgotten.get(digest_of(customer), -1)

        return wanted

    async def _hand_over(self, definitions: Definitions, part: Part, earlier: Earlier) -> int:
        names, filled = list(earlier.wanted), 0
        for begin in range(0, len(names), _CHUNK):
            chunk = names[begin : begin + _CHUNK]
            await self._pipeline.review({part.partition: chunk}, "definition", earlier)
            filled += len(chunk)
            for name in chunk:
                _count_off(part.progress, definitions, earlier.wanted[name], earlier.lost)
            if time.monotonic() - self._published > _PUBLISH_SECONDS:
                await self._publish(definitions, [part])
            await self._breathe(part)
        return filled

    async def _breathe(self, *parts: Part) -> None:
        """Let events have their turn; _Over if all that is under way is for nothing."""
        if not any(part.stays() for part in parts):
            raise _Over
        # What this thread has worked, not what it waited for Redis, Kafka or a core.
        worked, events = time.thread_time() - self._since, self._pipeline.meter.events
        if self._busy():
            await asyncio.sleep(_BUSY_SECONDS)
        elif worked >= _WORK_SECONDS:
            share = _QUIET_SHARE if events == self._events else _LIVE_SHARE
            await asyncio.sleep(min(worked * (1 / share - 1), _BUSY_SECONDS))
        else:
            return
        self._since, self._events = time.thread_time(), events

    async def _publish(self, definitions: Definitions, parts: Sequence[Part]) -> None:
        """Say how far it is; the segments' descriptions sum it up over all workers."""
        await write_progress(
            self._store, {part.partition: part.progress for part in parts if part.stays()}
        )
        shares = complete_shares(await read_progress(self._store), definitions.version)
        await describe(self._store, definitions, shares)
        self._described, self._published = definitions.version, time.monotonic()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


#: In place of where the partition stands now.
_HERE: Point = (-1,)


def _grouped(lacking: Mapping[str, Point], here: Point) -> Lacking:
    groups: dict[Point, list[str]] = {}
    for key, point in lacking.items():
        groups.setdefault(here if point == _HERE else point, []).append(key)
    return groups


def _count_off(
    progress: Progress, definitions: Definitions, lacking: Lacking, lost: frozenset[str]
) -> None:
    keys_of_one = {key for states in lacking.values() for key in states}
    for segment in definitions.asking(keys_of_one):
        progress.left[segment] = max(0, progress.left.get(segment, 0) - 1)
    for segment in definitions.asking(keys_of_one & lost):
        progress.lost[segment] = progress.lost.get(segment, 0) + 1
