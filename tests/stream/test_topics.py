"""Partitions agree with every client that uses Kafka's default partitioner for keys."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from stream.topics import EVENT_TOPICS, partition_of, partitions_of

KEYS = st.lists(st.binary(max_size=70))


def of_kafka(key: bytes, partitions: int) -> int:
    """Kafka's DefaultPartitioner, by kafka-python's murmur2."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=70)) | st.lists(st.binary(max_size=70), min_size=17),
    st.integers(1, 4096),
)
def test_partitions_are_kafkas(keys: list[bytes], partitions: int) -> None:
    expected = [of_kafka(key, partitions) for key in keys]
    assert partitions_of(keys, partitions).tolist() == expected


@settings(deadline=None)
@given(st.text(min_size=1, max_size=256), st.integers(1, 4096))
def test_partition_of_one_customer_is_kafkas_for_its_name_in_utf8(
    customer_id: str, partitions: int
) -> None:
    assert partition_of(customer_id, partitions) == of_kafka(customer_id.encode(), partitions)


# From Apache Kafka's own UtilsTest.testMurmur2 (signed 32-bit hashes).
@pytest.mark.parametrize(
    ("key", "murmur"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
@pytest.mark.parametrize("count", [1, 100])
def test_hashes_of_kafkas_own_test(key: bytes, murmur: int, count: int) -> None:
    most = 2**31 - 1
    assert partitions_of([key] * count, most).tolist() == [(murmur & 0x7FFFFFFF) % most] * count


def test_no_keys_have_no_partitions() -> None:
    assert partitions_of([], 8).shape == (0,)


def test_event_topics_are_distinct() -> None:
    assert len(set(EVENT_TOPICS)) == 3
