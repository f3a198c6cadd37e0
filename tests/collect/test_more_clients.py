"""Clients beyond the four that are named: Python of RudderStack and of old, Java, Go."""

import subprocess
from collections.abc import Iterator, Sequence

import pytest

from stream.local import EmbeddedBroker
from tests.collect.engine import Engine
from tests.collect.live import Collector, environment, wait_kept
from tests.collect.shop import SEGMENTS, SENT, Events, check_shop, named
from tests.collect.toolchains import go, java, python

KEY = "key-of-the-clients"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def collector(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Collector]:
    with Collector(embedded_broker, tmp_path_factory.mktemp("collect"), KEY) as started:
        yield started


def sent(
    collector: Collector, user: str, command: Sequence[str], extra: dict[str, str] | None = None
) -> Events:
    """What Kafka has after the command's end."""
    done = subprocess.run(
        [*command, collector.url, KEY, user],
        env=environment() | (extra or {}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return wait_kept(collector.broker, user, SENT)


def test_rudderstack_python(collector: Collector, engine: Engine, unique: str):
    command, extra = python()
    check_shop(sent(collector, unique, [*command, "rudderstack.analytics"], extra), unique)
    engine.check(unique, SENT - 1, SEGMENTS)


def test_older_segment_python(collector: Collector, engine: Engine, unique: str):
    command, extra = python()
    check_shop(named(sent(collector, unique, [*command, "analytics"], extra), unique), unique)
    engine.check(unique, SENT - 1, SEGMENTS)


def test_segment_java(collector: Collector, engine: Engine, unique: str):
    check_shop(sent(collector, unique, java()), unique)
    engine.check(unique, SENT - 1, SEGMENTS)


def test_segment_go(collector: Collector, engine: Engine, unique: str):
    check_shop(sent(collector, unique, go()), unique)
    engine.check(unique, SENT - 1, SEGMENTS)
