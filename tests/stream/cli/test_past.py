"""`agos preview --past`: what is new to all is read from the log, and nothing is written."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from redis import Redis

from stream.cli.past import read_past
from stream.conditions import Ranks, parse
from stream.defined import Defined
from stream.errors import AgosError
from stream.preview import Outlook, Preview
from stream.recall import recall
from stream.settings import Settings
from stream.store.scan import StateScan
from stream.topics import INTERACTIONS
from tests.stream.fake_log import Log, Record, Worker

BEGIN_MS = 1_700_000_000_000
DAY = 86_400_000
PARTITIONS = 2
OLD = "version: 1\nsegments:\n  buyers: {when: {did: Order Completed}}\n"
NEW = OLD + (
    "  fans: {when: {did: View, at_least: 3, within: 30d}}\n"
    "  never: {when: {did_not: View}}\n"
    "  both: {when: {all: [{in: fans}, {did: Search}]}}\n"
)


class Source:
    """The fake log, every record written when its event happened."""

    def __init__(self, log: Log) -> None:
        self.log = log

    async def first(self, topic: str, partition: int) -> int:
        return self.log.expired.get((topic, partition), 0)

    async def offset_at(self, topic: str, partition: int, at_ms: int) -> int:
        return await self.first(topic, partition)

    async def records(
        self, topic: str, partition: int, begin: int, end: int
    ) -> AsyncIterator[Sequence[Any]]:
        for record in self.log.records.get((topic, partition), []):
            if begin <= record.offset < end:
                yield [Stamped(record)]


class Away(Source):
    """A log that nobody can read."""

    async def first(self, topic: str, partition: int) -> int:
        raise KafkaConnectionError("nobody there")


class Stamped:
    def __init__(self, record: Record) -> None:
        self.value, self.offset = record.value, record.offset
        self.timestamp = json.loads(record.value or b"")["timestamp"]


@pytest.fixture
def config(redis_url: str) -> Settings:
    return Settings(redis=redis_url, partitions=PARTITIONS, clock="events")


@pytest.fixture
async def log(config: Settings) -> Log:
    """Three have viewed two, three and four times; the last one has searched, too."""
    log = Log(PARTITIONS)
    names = [("ann", "View")] * 2 + [("ben", "View")] * 3 + [("cleo", "View")] * 4
    for number, (customer, name) in enumerate([*names, ("cleo", "Search"), ("dora", "Search")]):
        log.publish(
            INTERACTIONS,
            {
                "event_id": f"e{number}", "customer_id": customer, "name": name,
                "timestamp": BEGIN_MS + number,
            },
        )  # fmt: skip
    async with Worker(log, config) as worker:
        await worker.assign()
        worker.pipeline.defined = Defined(parse(OLD, "old"), Ranks())
        await worker.drain()
    return log


async def outlooks(config: Settings, source: Source | None) -> dict[str, Outlook]:
    found = Preview(parse(NEW, "new"), parse(OLD, "old"))
    with StateScan(config) as scan:
        if source is not None:
            found.past = await read_past(config, scan, found.definitions, source, BEGIN_MS + DAY)
        for names, states in scan.batches():
            found.add(list(recall(names, states)), BEGIN_MS + DAY)
    return {outlook.id: outlook for outlook in found.outlooks()}


def sizes(found: dict[str, Outlook]) -> dict[str, tuple[int, int]]:
    return {name: (one.count.after, one.count.incomplete) for name, one in found.items()}


async def test_what_is_new_is_read_and_nothing_is_written(
    config: Settings, log: Log, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        before = {key: redis.dump(key) for key in redis.keys()}
        without, filled = await outlooks(config, None), await outlooks(config, Source(log))
        assert {key: redis.dump(key) for key in redis.keys()} == before
    assert sizes(without) == {"buyers": (0, 0), "fans": (0, 4), "never": (4, 4), "both": (0, 4)}
    assert sizes(filled) == {"buyers": (0, 0), "fans": (2, 0), "never": (1, 0), "both": (1, 0)}
    assert {example.customer_id for example in filled["fans"].entering} == {"ben", "cleo"}
    assert [example.customer_id for example in filled["never"].entering] == ["dora"]


async def test_what_the_log_has_lost_stays_incomplete(config: Settings, log: Log) -> None:
    for partition in range(PARTITIONS):
        kept = log.records.get((INTERACTIONS, partition), [])
        log.expire((INTERACTIONS, partition), kept[0].offset + 1 if kept else 0)
    found = await outlooks(config, Source(log))
    # Who has done nothing but what is gone may have done more than that.
    assert found["never"].count.incomplete > 0


async def test_a_log_that_cannot_be_read_is_told(config: Settings, log: Log) -> None:
    with pytest.raises(AgosError, match=r"--past: Kafka at .*nobody there"):
        await outlooks(config, Away(log))
