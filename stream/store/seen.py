"""Remembers for a day which events Kafka has, so that what a client sends again is not sent on.

Exact 64-bit numbers, no Bloom filter: an event that is taken for another one is lost, and six
bytes a number (the other two are the name of its field) are hardly more than a filter needs that
errs once in a billion. Two events are taken for one with a chance of `kept / 2**64`: one in 10**12
at 20 million kept.

65,536 fields keep the newest 340 numbers each, 22 million in all; which field is chance, so the
newest 16 million are there but for one in 100,000 (a field that got 340 where 244 are to be
expected: a Poisson distribution).
"""

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import redis.exceptions

from stream.settings import Settings
from stream.store import keys
from stream.store.async_connect import client
from stream.store.scripts import script

log = logging.getLogger(__name__)

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
            asked = identities[start : start + _ASKED_AT_ONCE]
            found.update(asked[i] for i in await self._call("known", asked) or ())
        return found

    async def add(self, identities: Sequence[int]) -> None:
        """Remember them."""
        for start in range(0, len(identities), _ASKED_AT_ONCE):
            await self._call("add", identities[start : start + _ASKED_AT_ONCE])

    async def _call(self, what: str, identities: Sequence[int]) -> Any:
        if time.monotonic() < self._silent_until:
            self.misses += 1
            return None
        numbers = np.array(identities, ">i8").view("V1").reshape(-1, 8)
        names, rests = numbers[:, :2].tobytes(), numbers[:, 2:].tobytes()
        try:
            return await self._script(keys=[keys.SEEN], args=[what, names, rests])
        except redis.exceptions.RedisError as error:
            self._silence(error)
            return None

    def _silence(self, error: Exception) -> None:
        self.misses += 1
        self._silent_until = time.monotonic() + _PAUSE_SECONDS
        log.warning("Redis cannot say what was sent before: %s", error)
