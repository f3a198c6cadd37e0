"""For personalization engines and live views: what Redis says of customers and segments.

    with Reader("redis://127.0.0.1:6379/0") as reader:
        reader.segments("ada")            # ('cluster-3', 'loyal'), one HGET
        for change in reader.changes(group="mailer"):
            ...                           # at least once; resumes where the group stopped

`AsyncReader` (in `async_reader`) has the same methods for asyncio.
"""

import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected, client
from stream.store.division import check_stored
from stream.store.records import (
    Change,
    Customer,
    Member,
    Overview,
    Segment,
    to_change,
    to_customer,
    to_segments,
    to_segments_list,
    to_worker,
)
from stream.topics import partition_of

#: How long one call waits for changes; below any socket timeout, so that Ctrl-C comes through.
BLOCK_MS = 1_000
#: Changes fetched at once.
PAGE = 500
#: A consumer of a group that is silent for so long is taken for dead: others get its changes.
CLAIM_MS = 60_000
#: Changes of all customers that are searched for those of one.
LOOK_BACK = 200_000
#: A worker reports every second; one that is silent for so long is gone.
WORKER_GONE_MS = 10_000


class Reader(Connected):
    """Reads Redis, and never writes but for the position of a consumer group.

    Every method raises StoreError if Redis does not answer within `timeout_seconds` (two at
    least). Usable from several threads.

    Parameters
    ----------
    where
        URL, or settings where user, password, TLS or Sentinel are needed.
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
        self._partitions = settings.partitions
        self._raw: Any = client(settings, timeout_seconds=timeout_seconds, decode=False)

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self._raw.close()

    def segments(self, customer_id: str) -> tuple[str, ...]:
        """Ids of the segments that the customer is in; empty also for an unknown customer.

        An id that was merged into another customer has that one's.
        """
        with self._told:
            found = self._redis.hget(keys.customer(customer_id), "segments")
        if found is None and (now := self._now(customer_id)) != customer_id:
            return self.segments(now)
        return to_segments(found)

    def customer(self, customer_id: str) -> Customer | None:
        """The customer's public record, None if no event of it was applied.

        Of an id that was merged into another customer it is that one's.
        """
        with self._told:
            fields = self._redis.hgetall(keys.customer(customer_id))
        if not fields and (now := self._now(customer_id)) != customer_id:
            return self.customer(now)
        return to_customer(customer_id, fields) if fields else None

    def _now(self, customer_id: str) -> str:
        """The id at which an id ends that was merged into another one; asked only where there
        is no customer, so that whoever is found costs one question."""
        passed = {customer_id}
        while True:
            with self._told:
                found = self._redis.get(keys.link(customer_id))
            if found is None or found in passed:
                return customer_id
            passed.add(found)
            customer_id = found

    def members(self, segment: str, *, offset: int = 0, limit: int = 100) -> list[Member]:
        """A page of the segment's customers, the newest first.

        Pages shift while customers come and go; `all_members` misses nobody who stays.
        """
        if limit < 1:
            return []
        with self._told:
            rows = self._redis.zrange(
                keys.members(segment), offset, offset + limit - 1, desc=True, withscores=True
            )
        return [Member(name, int(at)) for name, at in rows]

    def all_members(self, segment: str) -> Iterator[Member]:
        """Every customer that is in the segment all the while, in no order; none twice."""
        seen: set[str] = set()
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, rows = self._redis.zscan(keys.members(segment), max(cursor, 0), count=PAGE)
            fresh = [(name, at) for name, at in rows if name not in seen]
            seen.update(name for name, _ in fresh)
            yield from (Member(name, int(at)) for name, at in fresh)

    def since(self, customer_id: str, segments: Sequence[str]) -> dict[str, int]:
        """Segment → ms when the customer entered it."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for segment in segments:
                pipe.zscore(keys.members(segment), customer_id)
            scores = pipe.execute()
        return {name: int(at) for name, at in zip(segments, scores, strict=True) if at is not None}

    def segment_list(self) -> list[Segment]:
        """All segments with their sizes, the largest first, retired ones last."""
        with self._told:
            known: dict[str, str] = self._redis.hgetall(keys.SEGMENTS)
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(keys.MODEL, "names")
            for segment in known:
                pipe.zcard(keys.members(segment))
            names, *sizes = pipe.execute()
        return to_segments_list(known, sizes, names)

    def changes(
        self,
        since: str = "$",
        *,
        group: str | None = None,
        consumer: str = "reader",
        wait: bool = True,
    ) -> Generator[Change, None, None]:
        """Entries and exits, in the order they were written.

        Parameters
        ----------
        since
            `position` of the last change that was seen, `0` for all that are kept, `$` for new
            ones only. With a group: where it begins when it is new.
        group
            Consumers of a group share the changes, each gets its part. A change is done when
            the next one is asked for; what a consumer had not done when it ended comes again
            when one of its name returns, or to another one after a minute.
        consumer
            Name of this one, unique in its group.
        wait
            False: end where no more changes are.
        """
        if group is not None:
            yield from self._group_changes(since, group, consumer, wait)
            return
        if since == "$":
            since = self._end()
        while True:
            with self._told:
                found = self._redis.xread(
                    {keys.CHANGES: since}, count=PAGE, block=BLOCK_MS if wait else None
                )
            for position, fields in found[0][1] if found else ():
                since = position
                yield to_change(position, fields)
            if not found and not wait:
                return

    def watch(self, customer_id: str) -> Generator[Customer | None, None, None]:
        """The customer as it is now, and again after each entry or exit of it."""
        position = self._end()
        yield self.customer(customer_id)
        for change in self.changes(position):
            if change.customer_id == customer_id:
                yield self.customer(customer_id)

    def latest(self, count: int, customer_id: str | None = None) -> list[Change]:
        """The newest `count` changes, newest first; of one customer: among the last 200,000."""
        found: list[Change] = []
        before, size = "+", count if customer_id is None else LOOK_BACK // 40
        for _ in range(1 if customer_id is None else 40):
            with self._told:
                page = self._redis.xrevrange(keys.CHANGES, before, "-", count=size)
            if not page or len(found) >= count:
                break
            found += [
                to_change(position, fields)
                for position, fields in page
                if customer_id is None or fields["customer"] == customer_id
            ]
            before = f"({page[-1][0]}"
        return found[:count]

    def state(self, customer_id: str) -> bytes | None:
        """What the workers remember of the customer; internal, read by `stream.customer`.

        Raises
        ------
        StoreError
            If Redis is divided into another number of partitions than the settings have.
        """
        home = keys.states(partition_of(customer_id, self._partitions))
        with self._told:
            check_stored(self._redis, self._partitions)
            stored: bytes | None = self._raw.hget(home, customer_id)
        return stored

    def categories(self, partition: int, codes: Sequence[int]) -> dict[int, str]:
        """Category code → name."""
        if not codes:
            return {}
        with self._told:
            names = self._redis.hmget(keys.categories(partition), [str(code) for code in codes])
        return {code: name for code, name in zip(codes, names, strict=True) if name is not None}

    def customers(self) -> int:
        """How many customers are known. Looks at every key: not for a loop."""
        with self._told:
            return sum(1 for _ in self._redis.scan_iter(keys.CUSTOMER_PREFIX + "*", count=5_000))

    def overview(self, partitions: int, changes: int = 20) -> Overview:
        """Workers, counters, segments and the latest changes, for live views."""
        at_ms = time.time_ns() // 1_000_000
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            pipe.hvals(keys.WORKERS)
            pipe.hget(keys.MODEL, "version")
            pipe.xlen(keys.CHANGES)
            for partition in range(partitions):
                pipe.hgetall(keys.counters(partition))
            reports, model, kept, *counters = pipe.execute()
        totals: dict[str, int] = {}
        for counted in counters:
            for name, number in counted.items():
                totals[name] = totals.get(name, 0) + int(number)
        workers = [to_worker(text) for text in reports]
        return Overview(
            at_ms,
            workers=tuple(w for w in workers if at_ms - w.at_ms < WORKER_GONE_MS),
            counters=totals,
            segments=tuple(self.segment_list()),
            changes=tuple(self.latest(changes)),
            changes_kept=kept,
            model_version=int(model or 0),
        )

    def _end(self) -> str:
        with self._told:
            last = self._redis.xrevrange(keys.CHANGES, count=1)
        return str(last[0][0]) if last else "0-0"

    def _group_changes(
        self, since: str, group: str, consumer: str, wait: bool
    ) -> Generator[Change, None, None]:
        with self._told:
            try:
                self._redis.xgroup_create(keys.CHANGES, group, id=since, mkstream=True)
            except redis.exceptions.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
        yield from self._unfinished(group, consumer)
        claimed = -CLAIM_MS / 1000
        while True:
            if time.monotonic() - claimed > CLAIM_MS / 1000 / 2:
                claimed = time.monotonic()
                yield from self._abandoned(group, consumer)
            with self._told:
                found = self._redis.xreadgroup(
                    group, consumer, {keys.CHANGES: ">"}, PAGE, BLOCK_MS if wait else None
                )
            if found:
                yield from self._done_one_by_one(group, found[0][1])
            elif not wait:
                return

    def _unfinished(self, group: str, consumer: str) -> Generator[Change, None, None]:
        """What a consumer of this name was given and did not finish."""
        after = "0"
        while True:
            with self._told:
                found = self._redis.xreadgroup(group, consumer, {keys.CHANGES: after}, PAGE)
            entries = found[0][1] if found else []
            if not entries:
                return
            after = entries[-1][0]
            yield from self._done_one_by_one(group, entries)

    def _abandoned(self, group: str, consumer: str) -> Generator[Change, None, None]:
        """What other consumers were given and did not finish for a minute."""
        after = "0-0"
        while True:
            with self._told:
                after, entries, *_ = self._redis.xautoclaim(
                    keys.CHANGES, group, consumer, CLAIM_MS, after, count=PAGE
                )
            yield from self._done_one_by_one(group, entries)
            if after == "0-0":
                return

    def _done_one_by_one(self, group: str, entries: Sequence[Any]) -> Generator[Change, None, None]:
        """Each change counts as done when the consumer comes back for more."""
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
                    self._redis.xack(keys.CHANGES, group, *done)
