"""How far what new definitions ask about the past is filled in, by partition; and what the
memories of earlier definitions hold."""

from collections.abc import Mapping
from typing import Any

import msgspec

from stream.conditions import Definitions
from stream.store import keys
from stream.store.store import Store


class Progress(msgspec.Struct, omit_defaults=True):
    """Of one partition; counts are of customers, by segment.

    Attributes
    ----------
    version
        Of the definitions that this is about.
    left
        Of whom something is still to be filled in.
    lost
        Of whom the log no longer had everything.
    known
        Keys of the states that lack nothing that could be filled in, of any customer.
    """

    version: str
    done: bool = False
    customers: int = 0
    left: dict[str, int] = {}
    lost: dict[str, int] = {}
    known: list[str] = []


#: Versions of definitions that are remembered.
VERSIONS = 200


class Version(msgspec.Struct):
    """Definitions that were in force once: since when, and the keys of what they kept."""

    at_ms: int
    states: list[str]


_version = msgspec.json.Decoder(Version).decode
_read = msgspec.json.Decoder(Progress).decode


async def read_progress(store: Store) -> dict[int, Progress]:
    """Partition → what was last written of it, under whatever definitions."""
    found: dict[bytes, bytes] = await store.wait_out(lambda: store.redis.hgetall(keys.BACKFILL))
    return {int(partition): _read(text) for partition, text in found.items()}


async def write_progress(store: Store, progress: Mapping[int, Progress]) -> None:
    """Replace what is said of these partitions."""
    mapping: dict[Any, Any] = {p: msgspec.json.encode(one) for p, one in progress.items()}
    if mapping:
        await store.wait_out(lambda: store.redis.hset(keys.BACKFILL, mapping=mapping))


def complete_shares(progress: Mapping[int, Progress], version: str) -> dict[str, float]:
    """Segment → share (0-1) of customers of whom everything that it asks about is known.

    Segments of which that is everybody are left out; so are partitions that nobody has begun
    to look at under these definitions.
    """
    counted = [one for one in progress.values() if one.version == version]
    customers = sum(one.customers for one in counted)
    lacking: dict[str, int] = {}
    for one in counted:
        for counts in (one.left, one.lost):
            for segment, number in counts.items():
                lacking[segment] = lacking.get(segment, 0) + number
    return {s: max(0.0, 1 - n / max(customers, n)) for s, n in lacking.items() if n}


async def learn_versions(store: Store, definitions: Definitions, now_ms: int) -> None:
    """Tell definitions what memories of earlier ones hold, and later ones what those of these do.

    Of a memory of unknown definitions nobody can tell whether what it does not hold never happened,
    or was not asked about.
    """
    found: dict[bytes, bytes] = await store.wait_out(lambda: store.redis.hgetall(keys.DEFINITIONS))
    known = {name.decode(): _version(text) for name, text in found.items()}
    definitions.learn({name: frozenset(one.states) for name, one in known.items()})
    if definitions.version in known:
        return
    mine = Version(now_ms, sorted(definitions.conditions_needed))
    text = msgspec.json.encode(mine)
    await store.wait_out(lambda: store.redis.hset(keys.DEFINITIONS, definitions.version, text))
    oldest = sorted(known, key=lambda name: known[name].at_ms)[: max(0, len(known) + 1 - VERSIONS)]
    if oldest:
        await store.wait_out(lambda: store.redis.hdel(keys.DEFINITIONS, *oldest))
