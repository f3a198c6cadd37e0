"""The defined segments in `agos:segments`, for readers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stream.conditions import Definitions
from stream.store import keys
from stream.store.store import Store


async def describe(
    store: Store, definitions: Definitions, complete: Mapping[str, float] | None = None
) -> None:
    """Write every defined segment; those that are no longer defined go with their last member.

    `complete`: share of customers of whom everything is known that the segment asks about, of
    segments of which that is not everybody.
    """
    shares = {name: round(share, 4) for name, share in (complete or {}).items()}
    described: dict[Any, Any] = {
        segment.id: json.dumps(
            {
                "name": segment.name,
                "kind": segment.kind or "",
                "origin": "defined",
                "description": segment.description,
                "shadow": segment.shadow,
                "version": definitions.version,
                "complete": shares.get(segment.id, 1.0),
            },
            ensure_ascii=False,
        )
        for segment in definitions.segments.values()
    }
    if described:
        await store.wait_out(lambda: store.redis.hset(keys.SEGMENTS, mapping=described))


async def drop_empty(store: Store, definitions: Definitions | None) -> Sequence[str]:
    """Take segments away that are no longer defined and have no members; their ids."""
    known: dict[bytes, bytes] = await store.wait_out(lambda: store.redis.hgetall(keys.SEGMENTS))
    gone = []
    for name, text in known.items():
        segment = name.decode()
        defined = definitions is not None and segment in definitions.segments
        if json.loads(text).get("origin") == "defined" and not defined:
            key = keys.members(segment)
            if not await store.redis.exists(key):
                gone.append(segment)
    if gone:
        await store.wait_out(lambda: store.redis.hdel(keys.SEGMENTS, *gone))
    return gone
