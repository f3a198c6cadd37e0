"""Forgetting a customer: everything in Redis, and a mark that it is not to come back.

The mark is a digest of the id with the moment up to which the customer's events are not wanted
(for ever for one who opted out). Neither collectors nor workers take such events.
"""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client as async_client
from stream.store.connect import Connected
from stream.store.division import check_stored, division
from stream.store.marks import digest_of
from stream.store.scripts import script
from stream.topics import partition_of

#: Until when those who opted out are forgotten: year 9999.
FOR_EVER_MS = 253_402_300_799_000
_PAGE = 2_000
_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Forgot:
    """What was removed."""

    #: State, public record and due time.
    keys: int
    memberships: int
    changes: int

    def __add__(self, other: "Forgot") -> "Forgot":
        return Forgot(
            self.keys + other.keys,
            self.memberships + other.memberships,
            self.changes + other.changes,
        )


class Forgetter(Connected):
    """Removes customers from Redis. Every method raises StoreError if Redis does not answer."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, timeout_seconds=_TIMEOUT_SECONDS)
        self._partitions = settings.partitions
        self._script = self._redis.register_script(script("forget"))

    def forget(self, customer_id: str, *, for_ever: bool = False) -> Forgot:
        """Remove the customer; its events up to now (or for ever) are not wanted any more.

        State, record, memberships and due time go at once, entries of the streams of changes
        after it. The ids that were merged into it are forgotten with it. StoreError also if Redis
        is divided into another number of partitions than the settings have.
        """
        with self._told:
            check_stored(self._redis, self._partitions)
        until_ms = FOR_EVER_MS if for_ever else time.time_ns() // 1_000_000
        forgot, ids = Forgot(0, 0, 0), {customer_id}
        while ids:
            for name in sorted(ids):
                forgot += self._forget(name, until_ms)
            ids = self._linked_to(ids)
        return forgot

    def _forget(self, customer_id: str, until_ms: int) -> Forgot:
        names = script_keys(customer_id, self._partitions)
        arguments: list[str | int] = [
            customer_id,
            digest_of(customer_id),
            until_ms,
            f"forget:{uuid4().hex}",
            division(self._partitions),
        ]
        with self._told:
            removed, left = self._script(keys=names, args=arguments)
        changes = [position for position, _ in self.changes(customer_id)]
        self._delete(keys.CHANGES, changes)
        self._delete(keys.UNDELIVERED, self._undelivered(customer_id))
        return Forgot(removed, left, len(changes))

    def _linked_to(self, ids: Collection[str]) -> set[str]:
        """Ids that were merged into one of these. Looks at every key."""
        found: set[str] = set()
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, links = self._redis.scan(max(cursor, 0), keys.LINK_PREFIX + "*", _PAGE)
                targets = self._redis.mget(links) if links else []
            found.update(
                name.removeprefix(keys.LINK_PREFIX)
                for name, target in zip(links, targets, strict=True)
                if target in ids
            )
        return found

    def pardon(self, customer_id: str) -> bool:
        """Take the mark away: the customer's events are wanted again. Whether there was one."""
        with self._told:
            return bool(self._redis.hdel(keys.FORGOTTEN, digest_of(customer_id)))

    def forgotten_until_ms(self, customer_id: str) -> int | None:
        """Up to when the customer's events are not wanted; None for a customer not forgotten."""
        with self._told:
            found = self._redis.hget(keys.FORGOTTEN, digest_of(customer_id))
        return None if found is None else int(found)

    def changes(self, customer_id: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Position and fields of the customer's entries in `agos:changes`, the oldest first."""
        entries = self._entries(keys.CHANGES)
        return ((at, fields) for at, fields in entries if fields["customer"] == customer_id)

    def _undelivered(self, customer_id: str) -> list[str]:
        entries = self._entries(keys.UNDELIVERED)
        return [at for at, f in entries if json.loads(f["change"]).get("customer") == customer_id]

    def _entries(self, stream: str) -> Iterator[tuple[str, Mapping[str, str]]]:
        after = "-"
        while True:
            with self._told:
                page = self._redis.xrange(stream, after, "+", count=_PAGE)
            yield from page
            if len(page) < _PAGE:
                return
            after = f"({page[-1][0]}"

    def _delete(self, stream: str, positions: Sequence[str]) -> None:
        for start in range(0, len(positions), _PAGE):
            with self._told:
                self._redis.xdel(stream, *positions[start : start + _PAGE])


def script_keys(customer_id: str, partitions: int) -> list[str]:
    """Keys of the script that forgets."""
    partition = partition_of(customer_id, partitions)
    return [
        keys.states(partition),
        keys.customer(customer_id),
        keys.due(partition),
        keys.offsets(partition),
        keys.SEGMENTS,
        keys.FORGOTTEN,
        keys.link(customer_id),
        keys.transfers(partition),
    ]


class ForgottenCustomers:
    """The marks as a collector sees them: in its memory, read again every few seconds."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Any = async_client(settings, timeout_seconds=_TIMEOUT_SECONDS, decode=True)
        self._until_ms: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._until_ms)

    def wants(self, customer_id: str, at_ms: int) -> bool:
        """Whether an event of that time is to be kept."""
        return at_ms > self._until_ms.get(digest_of(customer_id), -1)

    async def refresh(self) -> bool:
        """Read the marks; whether Redis answered. If not, those that were read stay."""
        try:
            found = await self._redis.hgetall(keys.FORGOTTEN)
        except redis.exceptions.RedisError:
            return False
        self._until_ms = {name: int(until) for name, until in found.items()}
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
