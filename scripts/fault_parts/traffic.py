"""What is sent: simulated events with broken ones and repetitions between, all from one seed."""

import asyncio
import itertools
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any

from aiokafka import AIOKafkaProducer

from stream.simulator import FAULTS, Faulty, Simulator, with_faults
from stream.timestamps import rfc3339
from stream.topics import partitions_of

_BATCH_BYTES = 512 * 1024
#: A broker that is away for a while must not lose what was accepted.
_PATIENCE_MS = 240_000
_MOST_AT_ONCE = 5_000
_TURN_SECONDS = 0.1
_STOP_SECONDS = 5.0
_LARGE = "too large"

Place = tuple[str, int]


def events(count: int, customers: int, seed: int, start_ms: int) -> Iterator[Faulty]:
    """`count` good records and what is mixed into them; the same every time."""
    shop = Simulator.backlog(customers, seed, count, start_ms)
    few = [kind for kind in FAULTS if kind != _LARGE]
    good = itertools.islice(shop.encoded(), count)
    return with_faults(good, seed, start_ms, invalid=0.002, duplicates=0.01, kinds=few)


def invalid(count: int, seed: int, start_ms: int) -> Iterator[Faulty]:
    """A flood of broken records of every kind; two of them are too large."""
    draw = random.Random(seed)
    few = [kind for kind in FAULTS if kind != _LARGE]
    for number in range(count):
        kind = _LARGE if number in (7, count // 2) else draw.choice(few)
        reason, make = FAULTS[kind]
        key = f"flood-{draw.randrange(50)}".encode()
        event_id = f"flood-{seed}-{number}"
        yield Faulty(*make(key, event_id, rfc3339(start_ms), start_ms), reason)


class Source:
    """Sends records at a steady rate, each once; a broker that is away is waited for.

    Attributes
    ----------
    ends
        Topic and partition → records that the broker has acknowledged.
    broken
        Reason → records sent that must be refused.
    """

    def __init__(
        self, kafka: str, partitions: int, loop: asyncio.AbstractEventLoop, idempotent: bool
    ) -> None:
        self._kafka, self._partitions, self._loop = kafka, partitions, loop
        self._idempotent = idempotent
        self._floods: list[Faulty] = []
        self.ends: Counter[Place] = Counter()
        self.broken: Counter[str] = Counter()
        self.sent = 0
        self.done: Future[None] = Future()

    def start(self, records: Iterable[Faulty], per_second: float) -> None:
        """Begin to send, in the loop's thread."""
        self.done = asyncio.run_coroutine_threadsafe(
            self._run(iter(records), per_second), self._loop
        )

    def flood(self, records: Iterable[Faulty]) -> None:
        """Send these, too, as soon as possible."""
        self._floods.extend(records)

    async def _run(self, records: Iterator[Faulty], per_second: float) -> None:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka, acks="all", max_batch_size=_BATCH_BYTES,
            max_request_size=4 * 1024 * 1024, enable_idempotence=self._idempotent,
            request_timeout_ms=_PATIENCE_MS, metadata_max_age_ms=5_000,
        )  # fmt: skip
        await producer.start()
        try:
            begun, wanted = time.monotonic(), 0
            while True:
                due = int((time.monotonic() - begun) * per_second) - wanted
                chunk = list(itertools.islice(records, min(max(due, 1), _MOST_AT_ONCE)))
                wanted += len(chunk)
                flood, self._floods = self._floods, []
                if not chunk and not flood:
                    return
                await self._send(producer, chunk + flood)
                await asyncio.sleep(_TURN_SECONDS)
        finally:
            await asyncio.wait_for(producer.stop(), _STOP_SECONDS)

    async def _send(self, producer: Any, chunk: list[Faulty]) -> None:
        owners = partitions_of([record.key for record in chunk], self._partitions).tolist()
        batches: dict[Place, list[Any]] = defaultdict(list)
        for record, owner in zip(chunk, owners, strict=True):
            batches[record.topic, owner].append(record)
        async with asyncio.TaskGroup() as group:
            for place, records in batches.items():
                group.create_task(self._send_to(producer, place, records))
        for record in chunk:
            if record.reason not in (None, "duplicate"):
                self.broken[str(record.reason)] += 1
        self.sent += len(chunk)

    async def _send_to(self, producer: Any, place: Place, records: list[Faulty]) -> None:
        topic, partition = place
        acknowledged = []
        batch = producer.create_batch()
        for record in records:
            fields = {"timestamp": None, "key": record.key, "value": record.value}
            if batch.append(**fields) is None:
                acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**fields)
        acknowledged.append(await producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*acknowledged)
        self.ends[place] += len(records)
