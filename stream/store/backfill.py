"""From where on each partition's customers know what definitions ask, and what is filled in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from stream.store import keys
from stream.store.store import Store


@dataclass(frozen=True, slots=True)
class Boundary:
    """Topic → next offset when definitions of this version came into force in a partition."""

    version: str
    offsets: Mapping[str, int]
    done: bool = False


async def boundaries(store: Store, partition: int) -> dict[str, Boundary]:
    """Version → boundary of a partition."""
    key = keys.backfill(partition)
    found: dict[bytes, bytes] = await store.wait_out(lambda: store.redis.hgetall(key))
    read = {}
    for version, text in found.items():
        known = json.loads(text)
        name = version.decode()
        read[name] = Boundary(name, known["offsets"], known["done"])
    return read


async def write_boundary(store: Store, partition: int, boundary: Boundary) -> None:
    """Keep a boundary; one of the same version is replaced."""
    text = json.dumps({"offsets": dict(boundary.offsets), "done": boundary.done})
    key = keys.backfill(partition)
    await store.wait_out(lambda: store.redis.hset(key, boundary.version, text))


async def drop_boundary(store: Store, partition: int, version: str) -> None:
    """Forget a boundary that nobody needs any more."""
    await store.wait_out(lambda: store.redis.hdel(keys.backfill(partition), version))
