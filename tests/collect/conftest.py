"""The collector of the tests."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from stream.local import EmbeddedBroker
from tests.collect.engine import Engine
from tests.collect.harness import Site, running


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A website of a collector with one write key."""
    async with running() as made:
        yield made


@pytest.fixture(scope="module")
def engine(
    embedded_broker: EmbeddedBroker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """What becomes of events in the topics of a collector, which must be there before."""
    with Engine(embedded_broker, tmp_path_factory.mktemp("engine"), uuid4().hex) as started:
        yield started
