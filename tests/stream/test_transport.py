"""How far a partition is behind, and in which order partitions are served."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream.local import EmbeddedBroker
from stream.transport import Reach, take_turns


@pytest.mark.parametrize(
    ("end", "position", "handed_over", "applied", "lag"),
    [
        (10, 10, 10, 10, 0),
        # Handed over and not yet applied.
        (10, 10, 10, 4, 6),
        # Not yet fetched.
        (10, 4, 4, 4, 6),
        # Read to the end: what is behind the last batch are markers.
        (10, 10, 8, 8, 0),
        # The same, with a batch under way.
        (10, 10, 8, 5, 5),
        # Nothing was handed over since the seek.
        (10, 10, None, 7, 3),
        # An end that the broker reports too low.
        (3, 9, 9, 9, 0),
    ],
)
def test_lag_counts_events_that_wait(
    end: int, position: int, handed_over: int | None, applied: int, lag: int
) -> None:
    assert Reach(end, position, handed_over).lag(applied) == lag


def test_partitions_with_a_backlog_are_served_in_turn(
    embedded_broker: EmbeddedBroker, unique: str
) -> None:
    topics = [f"{unique}-{number}" for number in range(3)]
    places = {TopicPartition(topic, 0) for topic in topics}
    served = asyncio.run(_served(embedded_broker.address, places, calls=6))
    # Each has three hundred, a hundred are taken at a time.
    assert [len(some) for some in served] == [1] * 6
    order = [place for some in served for place in some]
    assert set(order[:3]) == places
    assert order[3:] == order[:3]


async def _served(
    address: str, places: set[TopicPartition], calls: int
) -> list[list[TopicPartition]]:
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        for place in places:
            for number in range(300):
                await producer.send(place.topic, b"%d" % number, partition=0)
        await producer.flush()
    consumer = AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest")
    consumer.assign(places)
    async with consumer:
        async with asyncio.timeout(60):
            while set(consumer._fetcher._records) != places:  # noqa: SLF001
                await asyncio.sleep(0.05)
        served = []
        for _ in range(calls):
            found = await consumer.getmany(timeout_ms=30_000, max_records=100)
            take_turns(consumer, found)
            served.append(list(found))
        return served
