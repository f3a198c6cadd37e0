"""What tests of the stream share."""

from collections.abc import Iterator

import pytest
from redis import Redis


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """An empty Redis that answers in text."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client
