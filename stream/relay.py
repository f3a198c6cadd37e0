"""Copies the change records from the Redis stream to `segment-changes`: at least once, in order."""

import asyncio
import logging
import time
from collections.abc import Sequence

import msgspec

from stream.outbox import Message, Send
from stream.store import keys
from stream.store.store import Store
from stream.topics import SEGMENT_CHANGES, partitions_of

log = logging.getLogger(__name__)
#: Records of one step.
MOST_AT_ONCE = 4_000
#: So long Redis lets a relay wait for new records.
_WAIT_MS = 1_000
#: So long one group of events waits for the copying, and is then applied all the same: whoever
#: watches over progress sees some.
_LONGEST_WAIT_SECONDS, _LOOK_SECONDS = 2.0, 0.1
_TOLD_SECONDS = 60.0
# Only from where the copying began: a Redis that was rolled back meanwhile keeps its own place.
# Where nothing is left to be copied the count begins anew: records may have been forgotten, or
# been copied by a version that did not count.
_ADVANCE = """
if (redis.call('HGET', KEYS[1], 'cursor') or '0-0') == ARGV[1] then
  redis.call('HSET', KEYS[1], 'cursor', ARGV[2])
  if #redis.call('XRANGE', KEYS[2], '(' .. ARGV[2], '+', 'COUNT', 1) == 0 then
    redis.call('HDEL', KEYS[1], 'added', 'copied')
  else
    redis.call('HINCRBY', KEYS[1], 'copied', ARGV[3])
  end
end
"""
_encode = msgspec.json.Encoder().encode
_NUMBERS = ("at", "version", "due_at")


class Relay:
    """Sends change records in the order of the stream, and remembers how far it got.

    The place is stored only after the brokers have the records: after a crash some are sent
    again, with the same `change_id`, and never one before an earlier one was sent.
    """

    def __init__(self, store: Store, send: Send, partitions: int) -> None:
        self._store, self._send, self._partitions = store, send, partitions
        self._after = "0-0"
        self._told = -_TOLD_SECONDS

    async def wait(self) -> None:
        """Wait until there may be something new, a second at most."""
        redis, after = self._store.redis, self._after
        await self._store.wait_out(
            lambda: redis.xread({keys.CHANGES: after}, count=1, block=_WAIT_MS)
        )

    async def step(self) -> int:
        """Copy what is new, at most `MOST_AT_ONCE`; how many were copied."""
        redis = self._store.redis
        # Asked for each time: a Redis that was rolled back has rolled back the place as well.
        raw = await self._store.wait_out(lambda: redis.hget(keys.RELAY, "cursor"))
        after = self._after = raw.decode() if raw else "0-0"
        entries = await self._store.wait_out(
            lambda: redis.xrange(keys.CHANGES, after, "+", count=MOST_AT_ONCE)
        )
        if entries and entries[0][0].decode() == after:
            del entries[0]
        elif entries and raw:
            log.warning("changes after %s were trimmed before they were copied", after)
        if not entries:
            return 0
        await self._send(_messages([fields for _, fields in entries], self._partitions))
        last = entries[-1][0].decode()
        places = (keys.RELAY, keys.CHANGES, after, last, len(entries))
        await self._store.wait_out(lambda: redis.eval(_ADVANCE, 2, *places))
        self._after = last
        return len(entries)

    async def keep_up(self, most: int) -> None:
        """Wait, for a bounded time, while more than `most` records are not copied yet.

        They are not trimmed, so that what is to be copied is bounded by this only.
        """
        deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
        while self._store.uncopied > most and time.monotonic() < deadline:
            if time.monotonic() - self._told > _TOLD_SECONDS:
                self._told = time.monotonic()
                log.warning(
                    "%d changes are not in %s yet: events wait until they are fewer than %d",
                    self._store.uncopied, SEGMENT_CHANGES, most,
                )  # fmt: skip
            await asyncio.sleep(_LOOK_SECONDS)
            await self._store.count_uncopied()


def _messages(entries: Sequence[dict[bytes, bytes]], partitions: int) -> list[Message]:
    owners = partitions_of([fields[b"customer"] for fields in entries], partitions).tolist()
    messages = []
    for fields, partition in zip(entries, owners, strict=True):
        record = {name.decode(): value.decode() for name, value in fields.items()}
        numbers = {name: int(record[name]) for name in _NUMBERS if name in record}
        value = _encode(record | numbers)
        messages.append(Message(SEGMENT_CHANGES, partition, fields[b"customer"], value))
    return messages
