"""What the rest of the live tests rely on in both brokers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from stream.local import Server
from tests.servers import ApacheKafka, apache_kafka_missing, delete_topics, own_topics


@contextmanager
def admin_of(server: Server) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=server.address)
    try:
        yield admin
    finally:
        admin.close()


def records(server: Server, topic: str, count: int) -> list[tuple[bytes | None, list]]:
    consumer = KafkaConsumer(
        bootstrap_servers=server.address,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=8 << 20,
        consumer_timeout_ms=15_000,
    )
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [(record.value, record.headers) for record in islice(consumer, count)]
    finally:
        consumer.close()


def create(admin: KafkaAdminClient, topic: str, partitions: int) -> None:
    configs = {"max.message.bytes": str(4 << 20)}
    admin.create_topics(
        {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}},
        wait_for_metadata=True,
    )


def test_a_topic_has_its_partitions_and_an_id_of_its_own(broker, unique):
    with admin_of(broker) as admin:
        ids = []
        for partitions in (8, 3):
            create(admin, unique, partitions)
            (found,) = admin.describe_topics([unique])
            assert len(found["partitions"]) == partitions
            ids.append(found["topic_id"])
            delete_topics(admin, [unique])
    assert all(ids)
    assert ids[0] != ids[1], "a topic created anew is another topic"


def test_the_broker_fixture_has_no_topics(broker):
    with admin_of(broker) as admin:
        assert own_topics(admin) == []


def test_large_and_null_values_and_headers_arrive(broker, unique):
    large = os.urandom(2_000_000)
    with admin_of(broker) as admin:
        create(admin, unique, 1)
    producer = KafkaProducer(
        bootstrap_servers=broker.address,
        acks="all",
        compression_type="gzip",
        max_request_size=4 << 20,
    )
    for value in (b"first", None, large):
        producer.send(unique, value, key=b"key", headers=[("origin", b"test")])
    producer.flush()
    producer.close()
    header = [("origin", b"test")]
    assert records(broker, unique, 3) == [(b"first", header), (None, header), (large, header)]


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.skipif(bool(apache_kafka_missing()), reason=apache_kafka_missing())
def test_apache_kafka_killed_and_restarted_has_its_records(unique):
    with ApacheKafka() as server:
        with admin_of(server) as admin:
            create(admin, unique, 1)
        producer = KafkaProducer(bootstrap_servers=server.address, acks="all")
        producer.send(unique, b"kept").get(10)
        producer.close()
        port = server.port
        server.kill()
        assert not server.running
        server.restart()
        assert server.port == port
        assert records(server, unique, 1) == [(b"kept", [])]
