"""The collector of the tests."""

from collections.abc import AsyncIterator

import pytest

from tests.collect.harness import Site, running


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """A website of a collector with one write key."""
    async with running() as made:
        yield made
