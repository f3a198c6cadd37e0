"""Into Kafka: what waits together goes together, and nobody hears 200 before it is there.

Requests hand in records and wait. One task takes whatever waits, drops what Kafka has already,
and hands whole batches per partition to the producer; acknowledgements end the waiting. So the
cost per event falls as the load grows, and under light load nothing waits for company.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from stream.collect.mapping import Record
from stream.collect.refusal import Refusal, later
from stream.topics import Place, partitions_of

log = logging.getLogger(__name__)

#: A request waits so long for Kafka, then it is told to come again.
PATIENCE_SECONDS = 8.0
#: Most that may wait for Kafka; beyond that requests are refused at once.
MAX_WAITING_EVENTS = 50_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
_MAX_FLUSH_EVENTS = 5_000
#: Few: what waits meanwhile goes in larger batches.
_MAX_FLUSHES = 2
_SWEEP_SECONDS = 0.5
#: Customers whose partition is known; then all are forgotten.
_OWNERS_KEPT = 65_536
_FULL_RETRY_SECONDS = 2
_AWAY_RETRY_SECONDS = 5


class Seen(Protocol):
    """Remembers for a day which events Kafka has."""

    #: Calls that were not answered.
    misses: int

    async def known(self, identities: Sequence[int]) -> set[int]:
        """Those of `identities` that were added before."""

    async def add(self, identities: Sequence[int]) -> None:
        """Remember them."""


class _Ticket:
    """Records of one request that were not under way before, and who waits for their end."""

    __slots__ = ("bytes", "identities", "records", "taken", "waiters")

    def __init__(self, records: Mapping[int, Record]) -> None:
        self.records = list(records.values())
        self.identities = list(records)
        self.bytes = sum([len(record.value) for record in self.records])
        self.waiters: list[asyncio.Future[None]] = []
        #: Whether Kafka has them; None while that is open.
        self.taken: bool | None = None


class _Owners:
    """Partition of each key; customers send many events one after the other."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._known: dict[bytes, int] = {}

    def of(self, keys: Sequence[bytes]) -> list[int]:
        """Partition of every key."""
        known = self._known
        missing = [key for key in keys if key not in known]
        if missing:
            if len(known) > _OWNERS_KEPT:
                known.clear()
                missing = list(keys)
            known.update(
                zip(missing, partitions_of(missing, self._partitions).tolist(), strict=True)
            )
        return [known[key] for key in keys]


class Gate:
    """Hands records to Kafka, each once however often and by whom it is sent again.

    Parameters
    ----------
    producer
        Has `create_batch()` and `send_batch(batch, topic, partition=…)` as aiokafka's.
    seen
        None: a record sent again after its first one was acknowledged goes to Kafka again.
    """

    def __init__(self, producer: Any, partitions: int, seen: Seen | None = None) -> None:
        self._producer = producer
        self._owners = _Owners(partitions)
        self._seen = seen
        self._tickets: list[_Ticket] = []
        self._under_way: dict[int, _Ticket] = {}
        self._events = 0
        self._bytes = 0
        #: Flush → since when it waits for Kafka.
        self._since: dict[int, float] = {}
        #: Waiters in the order in which their patience ends.
        self._deadlines: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(_MAX_FLUSHES)
        self._loop = asyncio.get_running_loop()
        self._flushes: set[asyncio.Task[None]] = set()
        self._pump = self._loop.create_task(self._run())
        self._sweeper = self._loop.create_task(self._sweep())
        self.counts: Counter[str] = Counter()

    @property
    def unchecked(self) -> int:
        """Calls that Redis did not answer: what was sent before was not recognised."""
        return self._seen.misses if self._seen else 0

    @property
    def waiting(self) -> int:
        """Events that Kafka has not acknowledged yet."""
        return self._events

    @property
    def silent_seconds(self) -> float:
        """For how long Kafka has not answered what it was sent first; 0 if nothing waits."""
        return self._loop.time() - min(self._since.values()) if self._since else 0.0

    async def put(self, records: Sequence[Record]) -> None:
        """Return when Kafka has every record, acknowledged by all replicas.

        Raises
        ------
        Refusal
            503 when too much waits already, Kafka is away, or it took too long. Records may
            still get there then; sent again they are recognised.
        """
        self._check_room(records)
        others: set[_Ticket] = set()
        fresh = {record.identity: record for record in records}
        if len(fresh) < len(records) or not self._under_way.keys().isdisjoint(fresh):
            fresh, others = self._sorted(records)
        self.counts["duplicates"] += len(records) - len(fresh)
        if fresh:
            own = _Ticket(fresh)
            self._enter(own)
            await self._end_of(own)
        for ticket in others:
            await self._end_of(ticket)

    def _sorted(self, records: Sequence[Record]) -> tuple[dict[int, Record], set[_Ticket]]:
        """The first of every event that is not under way, and tickets of those that are."""
        fresh: dict[int, Record] = {}
        others: set[_Ticket] = set()
        for record in records:
            ticket = self._under_way.get(record.identity)
            if ticket is None:
                fresh.setdefault(record.identity, record)
            else:
                others.add(ticket)
        return fresh, others

    async def close(self) -> None:
        """Wait for what is under way, for a bounded time."""
        if self._flushes:
            await asyncio.wait(self._flushes, timeout=PATIENCE_SECONDS)
        self._pump.cancel()
        self._sweeper.cancel()

    def _check_room(self, records: Sequence[Record]) -> None:
        if self._events + len(records) > MAX_WAITING_EVENTS or self._bytes > MAX_WAITING_BYTES:
            raise later("too many events wait for Kafka", _FULL_RETRY_SECONDS)
        if self.silent_seconds > PATIENCE_SECONDS:
            raise later("Kafka does not answer", _AWAY_RETRY_SECONDS)

    def _enter(self, ticket: _Ticket) -> None:
        self._events += len(ticket.records)
        self._bytes += ticket.bytes
        self._under_way.update(dict.fromkeys(ticket.identities, ticket))
        self._tickets.append(ticket)
        self._wake.set()

    async def _end_of(self, ticket: _Ticket) -> None:
        if ticket.taken is not None:
            if not ticket.taken:
                raise _refused()
            return
        end: asyncio.Future[None] = self._loop.create_future()
        ticket.waiters.append(end)
        self._deadlines.append((self._loop.time() + PATIENCE_SECONDS, end))
        await end

    async def _sweep(self) -> None:
        """Tell those whose patience is over."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._loop.time()
            while self._deadlines and (
                self._deadlines[0][1].done() or self._deadlines[0][0] <= now
            ):
                _, end = self._deadlines.popleft()
                if not end.done():
                    end.set_exception(
                        later("Kafka did not acknowledge in time", _AWAY_RETRY_SECONDS)
                    )

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._slots.acquire()
            handed_over = asyncio.Event()
            flush = self._loop.create_task(self._flush(self._take(), handed_over))
            self._flushes.add(flush)
            flush.add_done_callback(self._flushes.discard)
            # The order of two events of one customer is that in which they were handed over.
            await handed_over.wait()

    def _take(self) -> list[_Ticket]:
        taken, events = 0, 0
        for ticket in self._tickets:
            if taken and events + len(ticket.records) > _MAX_FLUSH_EVENTS:
                break
            taken, events = taken + 1, events + len(ticket.records)
        tickets, self._tickets = self._tickets[:taken], self._tickets[taken:]
        if not self._tickets:
            self._wake.clear()
        return tickets

    async def _flush(self, tickets: list[_Ticket], handed_over: asyncio.Event) -> None:
        self._since[id(tickets)] = self._loop.time()
        sent: set[int] = set()
        try:
            fresh, sent = await self._unknown(tickets)
            sends = await self._hand_over(fresh)
            handed_over.set()
            for identities, acknowledgement in sends:
                if await _acknowledged(acknowledgement):
                    self.counts["accepted"] += len(identities)
                    sent.update(identities)
        except KafkaError as error:
            log.warning("Kafka did not take events: %r", error)
        except Exception:
            # Nobody is told that what is not in `sent` has arrived, whatever went wrong.
            log.exception("a bug, please report it")
        finally:
            handed_over.set()
            self._slots.release()
            del self._since[id(tickets)]
        await self._settle(tickets, sent)

    async def _unknown(self, tickets: Sequence[_Ticket]) -> tuple[list[Record], set[int]]:
        """What Kafka does not have yet, and the identities of what it has."""
        records = list(chain.from_iterable(ticket.records for ticket in tickets))
        if self._seen is None:
            return records, set()
        identities = list(chain.from_iterable(ticket.identities for ticket in tickets))
        known = await self._seen.known(identities)
        if known:
            self.counts["duplicates"] += len(known)
            records = [record for record in records if record.identity not in known]
        return records, known

    async def _hand_over(self, records: list[Record]) -> list[tuple[list[int], Any]]:
        """Identities and acknowledgement of every batch; batches of a partition in order."""
        owners = self._owners.of([record.key for record in records])
        places: dict[Place, list[Record]] = defaultdict(list)
        for record, owner in zip(records, owners, strict=True):
            places[record.topic, owner].append(record)
        return [send for place, those in places.items() for send in await self._send(place, those)]

    async def _send(self, place: Place, records: list[Record]) -> list[tuple[list[int], Any]]:
        sends: list[tuple[list[int], Any]] = []
        now_ms = time.time_ns() // 1_000_000
        batch, begin = self._producer.create_batch(), 0
        append = batch.append
        for i, record in enumerate(records):
            if append(timestamp=now_ms, key=record.key, value=record.value) is None:
                sends.append(await self._sent(batch, place, records[begin:i]))
                batch, begin = self._producer.create_batch(), i
                append = batch.append
                append(timestamp=now_ms, key=record.key, value=record.value)
        sends.append(await self._sent(batch, place, records[begin:]))
        return sends

    async def _sent(self, batch: Any, place: Place, records: list[Record]) -> tuple[list[int], Any]:
        topic, partition = place
        acknowledgement = await self._producer.send_batch(batch, topic, partition=partition)
        return [record.identity for record in records], acknowledgement

    async def _settle(self, tickets: list[_Ticket], sent: set[int]) -> None:
        for ticket in tickets:
            ticket.taken = sent.issuperset(ticket.identities)
            for end in ticket.waiters:
                if end.done():
                    continue
                if ticket.taken:
                    end.set_result(None)
                else:
                    end.set_exception(_refused())
        if self._seen is not None and sent:
            # Until then what is sent again is recognised as being under way.
            await self._seen.add(list(sent))
        for ticket in tickets:
            for identity in ticket.identities:
                del self._under_way[identity]
            self._events -= len(ticket.records)
            self._bytes -= ticket.bytes


async def _acknowledged(acknowledgement: Any) -> bool:
    try:
        await acknowledgement
    except KafkaError as error:
        log.warning("Kafka did not take a batch: %r", error)
        return False
    return True


def _refused() -> Refusal:
    return later("Kafka did not take the events", _AWAY_RETRY_SECONDS)
