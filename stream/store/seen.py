"""Remembers for a day which events Kafka has, so that what a client sends again is not sent on.

Exact sets of 64-bit numbers, no Bloom filter: an event that is taken for another one is lost, and
integer sets of Redis need 8 bytes a number, hardly more than a filter that errs once in a billion.
Two events are taken for one with a chance of `kept / 2**64`: one in 10**12 at 17 million kept.

Numbers are kept in four generations of eight hours, 10,000 sets each; a generation also ends
when a set has 500 numbers (about 4.3 million in all). So at most about 17 million are kept, the
newest 13 million at least, and none longer than 32 hours.
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.scripts import script
from stream.store.store import client

log = logging.getLogger(__name__)

_SETS = 10_000
_UNLINKED_AT_ONCE = 1_000
_ASKED_AT_ONCE = 1_000
_TIMEOUT_SECONDS = 0.5
#: After an error Redis is not asked again for so long.
_PAUSE_SECONDS = 5.0


class SeenEvents:
    """Shared by all collectors of one Redis.

    Where Redis does not answer, nothing is known and nothing is remembered: events go to Kafka,
    where the workers recognise what comes twice among the last events of its customer.
    """

    def __init__(self, settings: Settings) -> None:
        self._redis: Any = client(settings, timeout_seconds=_TIMEOUT_SECONDS, decode=True)
        self._script = self._redis.register_script(script("seen"))
        self._silent_until = 0.0
        #: Calls that Redis did not answer.
        self.misses = 0

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def known(self, identities: Sequence[int]) -> set[int]:
        """Those of `identities` that were added before."""
        found: set[int] = set()
        for start in range(0, len(identities), _ASKED_AT_ONCE):
            answer = await self._call("known", identities[start : start + _ASKED_AT_ONCE])
            found.update(int(text) for text in answer or ())
        return found

    async def add(self, identities: Sequence[int]) -> None:
        """Remember them."""
        for start in range(0, len(identities), _ASKED_AT_ONCE):
            gone = await self._call("add", identities[start : start + _ASKED_AT_ONCE])
            if gone is not None and gone >= 0:
                await self._remove(gone)

    async def _call(self, what: str, identities: Sequence[int]) -> Any:
        if time.monotonic() < self._silent_until:
            self.misses += 1
            return None
        arguments: list[str | int] = [what, time.time_ns() // 1_000_000, *identities]
        try:
            return await self._script(keys=[keys.SEEN], args=arguments)
        except redis.exceptions.RedisError as error:
            self._silence(error)
            return None

    async def _remove(self, generation: int) -> None:
        names = [keys.seen(generation, number) for number in range(_SETS)]
        try:
            for start in range(0, _SETS, _UNLINKED_AT_ONCE):
                await self._redis.unlink(*names[start : start + _UNLINKED_AT_ONCE])
        except redis.exceptions.RedisError as error:
            self._silence(error)

    def _silence(self, error: Exception) -> None:
        self.misses += 1
        self._silent_until = time.monotonic() + _PAUSE_SECONDS
        log.warning("Redis cannot say what was sent before: %s", error)
