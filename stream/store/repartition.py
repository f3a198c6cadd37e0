"""Puts what Redis keeps by partition where another number of partitions wants it.

Whatever moves is taken out of one key and put into another in the same transaction: wherever it
is broken off nothing is lost or doubled, and the next run goes on. Until the end every partition's
offsets say so (`division.MOVING`), and a writer that is not told has another token.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from uuid import uuid4

import msgspec

from stream.relocation import relocated
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected
from stream.store.division import FIELD, MOVING, division
from stream.store.movable import Offsets, check_topics, check_workers, stale_partitions, topics_of
from stream.topics import partitions_of

#: Customers that one transaction moves: a few milliseconds of Redis' time.
PAGE = 1_000
_TIMEOUT_SECONDS = 10.0


class Repartitioner(Connected):
    """First `begin`, then `move` to its end. Nothing else may write meanwhile.

    Every method raises StoreError if Redis does not answer.

    Parameters
    ----------
    topic_ids
        Topic → id that Kafka gave it ("" where it gives none); each has the number of partitions
        that the settings have.

    Attributes
    ----------
    moved
        Customers whose state is in another place than before.
    """

    def __init__(self, settings: Settings, topic_ids: Mapping[str, str]) -> None:
        super().__init__(settings, timeout_seconds=_TIMEOUT_SECONDS, decode=False)
        self._partitions = settings.partitions
        self._topic_ids = topic_ids
        self._known: list[int] = []
        #: Partitions whose topics are still read on where they stood.
        self._going_on: set[int] = set()
        #: Key → how much of it was not looked at yet.
        self._left: Counter[str] = Counter()
        self.moved = 0

    def begin(self) -> int | None:
        """Fence writers off; how much there is to look at, None if all is where it belongs.

        Raises
        ------
        StoreError
            If a worker runs, or the topics are not what they must be.
        """
        found = {p: self._offsets(p) for p in self._partitions_known()}
        earlier = sum(map(len, self._earlier_states()))
        self._known = sorted({*found, *range(self._partitions)})
        wanted = division(self._partitions)
        if not earlier and all(
            p < self._partitions and fields.get(FIELD) == wanted for p, fields in found.items()
        ):
            return None
        with self._told:
            check_workers(self._redis.hvals(keys.WORKERS), time.time_ns() // 1_000_000)
        stale = stale_partitions(found, self._partitions)
        check_topics(found, stale, self._topic_ids)
        self._fence(found.keys(), stale)
        self._going_on = {p for p, fields in found.items() if p not in stale and topics_of(fields)}
        self._count()
        return earlier + self._left.total()

    def move(self) -> Iterator[int]:
        """Move everything, a page at a time; how much was looked at with each."""
        for partition in self._known:
            yield from self._move_states(partition)
        for names in self._earlier_states():
            self._take_earlier(names)
            yield len(names)
        for partition in self._known:
            yield from self._move_due(partition)
            self._move_transfers(partition)
        self._spread_categories()
        self._finish()

    # -- what there is -----------------------------------------------------------------------

    def _partitions_known(self) -> list[int]:
        names = (name for page in self._scan(keys.OF_PARTITIONS) for name in page)
        return sorted({p for name in names if (p := keys.partition_in(name)) is not None})

    def _earlier_states(self) -> Iterator[list[bytes]]:
        return self._scan(keys.EARLIER_STATE_PREFIX + "*")

    def _scan(self, pattern: str) -> Iterator[list[bytes]]:
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, found = self._redis.scan(max(cursor, 0), pattern, PAGE)
            if found:
                yield found

    def _offsets(self, partition: int) -> Offsets:
        with self._told:
            found = self._redis.hgetall(keys.offsets(partition))
        return {name.decode(): value.decode() for name, value in found.items()}

    def _count(self) -> None:
        with self._told:
            for partition in self._known:
                states, due = keys.states(partition), keys.due(partition)
                self._left[states] = self._redis.hlen(states)
                self._left[due] = self._redis.zcard(due)

    def _looked_at(self, name: str, count: int) -> int:
        """Without those who came there from elsewhere."""
        count = min(count, self._left[name])
        self._left[name] -= count
        return count

    # -- moving ------------------------------------------------------------------------------

    def _fence(self, known: Collection[int], stale: Collection[int]) -> None:
        token = f"repartition:{uuid4().hex}"
        pipe = self._redis.pipeline(transaction=True)
        for partition in self._known:
            name = keys.offsets(partition)
            if partition in stale:
                pipe.delete(name)
            pipe.hset(name, mapping={FIELD: MOVING, "writer": token})
        if stale:
            # Of a partition that is another one now: whom it has is to be looked at anew.
            pipe.delete(keys.BACKFILL)
            # The others' sketches go on to stand for everybody until there are new ones: without
            # any, customers would leave segments that ask for percentiles.
            gone = [partition for partition in known if partition >= self._partitions]
            if gone:
                pipe.hdel(keys.RANKS, *gone)
        with self._told:
            pipe.execute()

    def _move_states(self, partition: int) -> Iterator[int]:
        name = keys.states(partition)
        for found in self._pages(self._redis.hscan, name):
            states: dict[bytes, bytes] = dict(found)
            away: list[bytes] = []
            homes: dict[int, dict[bytes, bytes]] = defaultdict(dict)
            for customer, owner in self._owners(states):
                state = self._kept(states[customer], partition, owner)
                if owner != partition:
                    away.append(customer)
                elif state is states[customer]:
                    continue
                homes[owner][customer] = state
            if homes:
                pipe = self._redis.pipeline(transaction=True)
                for owner, some in homes.items():
                    pipe.hset(keys.states(owner), mapping=some)
                if away:
                    pipe.hdel(name, *away)
                with self._told:
                    pipe.execute()
            self.moved += len(away)
            yield self._looked_at(name, len(states))

    def _take_earlier(self, names: Collection[bytes]) -> None:
        with self._told:
            found = self._redis.mget(names)
        prefix = keys.EARLIER_STATE_PREFIX.encode()
        states = {
            name.removeprefix(prefix): state
            for name, state in zip(names, found, strict=True)
            if state is not None
        }
        if not states:
            return
        pipe = self._redis.pipeline(transaction=True)
        for customer, owner in self._owners(states):
            # What is there already is newer.
            state = self._kept(states[customer], owner, owner)
            pipe.hsetnx(keys.states(owner), customer, state)
        pipe.delete(*(prefix + customer for customer in states))
        with self._told:
            pipe.execute()
        self.moved += len(states)

    def _move_due(self, partition: int) -> Iterator[int]:
        name = keys.due(partition)
        for found in self._pages(self._redis.zscan, name):
            due: dict[bytes, float] = dict(found)
            homes: dict[int, dict[bytes, float]] = defaultdict(dict)
            for customer, owner in self._owners(due):
                if owner != partition:
                    homes[owner][customer] = due[customer]
            if homes:
                pipe = self._redis.pipeline(transaction=True)
                for owner, some in homes.items():
                    pipe.zadd(keys.due(owner), some, nx=True)
                pipe.zrem(name, *(customer for some in homes.values() for customer in some))
                with self._told:
                    pipe.execute()
            yield self._looked_at(name, len(due))

    def _move_transfers(self, partition: int) -> None:
        """To where they are of, and `forget` looks for them."""
        name = keys.transfers(partition)
        for found in self._pages(self._redis.hscan, name):
            owners = self._owners([_source(record) for record in found.values()])
            pipe = self._redis.pipeline(transaction=True)
            for (number, record), (_, owner) in zip(found.items(), owners, strict=True):
                if owner != partition:
                    pipe.hset(keys.transfers(owner), number, record)
                    pipe.hdel(name, number)
            with self._told:
                pipe.execute()

    def _spread_categories(self) -> None:
        """A name's code is the same everywhere: whoever comes may have any."""
        with self._told:
            here = {p: self._redis.hgetall(keys.categories(p)) for p in self._known}
            everywhere = {code: name for found in here.values() for code, name in found.items()}
            for partition in range(self._partitions):
                lacking = [code for code in everywhere if code not in here[partition]]
                for start in range(0, len(lacking), PAGE):
                    some = {code: everywhere[code] for code in lacking[start : start + PAGE]}
                    self._redis.hset(keys.categories(partition), mapping=some)

    def _finish(self) -> None:
        gone = [partition for partition in self._known if partition >= self._partitions]
        with self._told:
            counted = {p: self._redis.hgetall(keys.counters(p)) for p in gone}
            pipe = self._redis.pipeline(transaction=True)
            for partition, counters in counted.items():
                for name, number in counters.items():
                    pipe.hincrby(keys.counters(partition % self._partitions), name, int(number))
                pipe.delete(*keys.of_partition(partition))
            for partition in range(self._partitions):
                pipe.hset(keys.offsets(partition), FIELD, division(self._partitions))
            pipe.execute()

    # -- helpers -----------------------------------------------------------------------------

    def _pages(self, scan: Callable[..., Any], name: str) -> Iterator[Any]:
        """What a collection has, a page at a time; what is taken out of it meanwhile is no matter.

        Whoever is added may come as well: it is where it belongs.
        """
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, found = scan(name, max(cursor, 0), count=PAGE)
            if found:
                yield found

    def _owners(self, customers: Collection[bytes]) -> Iterator[tuple[bytes, int]]:
        names = list(customers)
        return zip(names, partitions_of(names, self._partitions).tolist(), strict=True)

    def _kept(self, state: bytes, was: int, owner: int) -> bytes:
        """The state as its partition is to have it, which may have another log than it had."""
        return state if was == owner and owner in self._going_on else relocated(state)


def _source(record: bytes) -> bytes:
    """The id that a transfer's state was kept under."""
    source: str = msgspec.json.decode(record)["via"][0]
    return source.encode()
