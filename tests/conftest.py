"""Real servers for every test that asks: started once, cleaned before each test.

`redis_url` and `broker` are what most tests want. A test with `broker` runs on the embedded
broker and on Apache Kafka; one with `embedded_broker` or `apache_kafka` on that one only.
"""

import warnings
from collections.abc import Iterator
from uuid import uuid4

import pytest
from redis import Redis

from stream.local import EmbeddedBroker, EmbeddedRedis, Server

with warnings.catch_warnings():
    # kafka-python reads its protocol with functions that Python 3.11 and 3.12 call deprecated.
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from tests.servers import ApacheKafka, apache_kafka_missing, remove_topics


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """The Redis of the whole run, with an AOF; `redis_url` is the clean one."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of an empty Redis, without cached scripts."""
    with Redis.from_url(redis_server.address) as client:
        client.flushall()
        client.script_flush()
    return redis_server.address


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker of the whole run; it keeps the topics of earlier tests."""
    with EmbeddedBroker() as server:
        yield server


@pytest.fixture(scope="session")
def apache_kafka() -> Iterator[ApacheKafka]:
    """Apache Kafka of the whole run; skips where it cannot run. Mark the test `kafka`."""
    missing = apache_kafka_missing()
    if missing:
        pytest.skip(missing)
    with ApacheKafka() as server:
        yield server


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Server:
    """Each kind of broker in turn, without topics; its `address` is the bootstrap server."""
    name = {"embedded": "embedded_broker", "apache": "apache_kafka"}[request.param]
    server: Server = request.getfixturevalue(name)
    remove_topics(server)
    return server


@pytest.fixture
def unique() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"test-{uuid4().hex[:8]}"
