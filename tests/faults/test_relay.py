"""A Redis that goes back while its changes are being copied."""

from collections.abc import Sequence

from redis import Redis

from stream.outbox import Message
from stream.relay import Relay
from stream.settings import Settings
from stream.store.store import Store


async def test_a_place_from_before_a_rollback_passes_over_nothing(redis_url: str) -> None:
    """The first copy is under way when Redis loses it all; its clock is behind, too."""
    got: list[str] = []
    with Redis.from_url(redis_url) as redis:

        def add(position: str, customer: str) -> None:
            redis.xadd("agos:changes", {"customer": customer, "version": 1}, id=position)

        async def send(messages: Sequence[Message]) -> None:
            got.extend((message.key or b"").decode() for message in messages)
            if got == ["first"]:
                redis.delete("agos:changes")
                redis.hset("agos:relay", "cursor", "3-0")
                add("4-0", "second")

        redis.hset("agos:relay", "cursor", "5-0")
        add("9-0", "first")
        store = Store(Settings(redis=redis_url))
        try:
            relay = Relay(store, send, 4)
            while await relay.step():
                pass
        finally:
            await store.close()
        assert got == ["first", "second"]
        assert redis.hget("agos:relay", "cursor") == b"4-0"
