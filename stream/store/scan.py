"""Every stored customer, a batch at a time: for those who look at all of them. Never writes."""

from collections.abc import Iterator

import xxhash

from stream.customer import is_link
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected

#: Keys that Redis looks at for one answer: about a millisecond of its time.
PAGE = 1_000


class StateScan(Connected):
    """Stored states by SCAN and MGET: other clients of Redis are served in between.

    Whoever is stored all the while comes exactly once; who is added meanwhile may come.
    Each call raises StoreError if Redis does not answer.
    """

    def __init__(self, settings: Settings, *, timeout_seconds: float = 10.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds, decode=False)

    def about(self) -> int:
        """About how many customers there are, for a progress bar."""
        with self._told:
            # Two keys each: what is remembered, and what others read.
            return int(self._redis.dbsize()) // 2

    def batches(self) -> Iterator[tuple[list[str], list[bytes]]]:
        """Customers and their stored states."""
        prefix = keys.STATE_PREFIX.encode()
        seen: set[int] = set()
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, found = self._redis.scan(max(cursor, 0), prefix + b"*", PAGE)
                fresh = list(_unseen(found, seen))
                stored = self._redis.mget(fresh) if fresh else []
            pairs = [
                (key, state)
                for key, state in zip(fresh, stored, strict=True)
                if state is not None and not is_link(state)
            ]
            if pairs:
                names = [key.removeprefix(prefix).decode() for key, _ in pairs]
                yield names, [state for _, state in pairs]


def _unseen(found: list[bytes], seen: set[int]) -> Iterator[bytes]:
    """SCAN may give a key twice; hashes of those seen are kept, not the keys."""
    for key in found:
        digest = xxhash.xxh3_64_intdigest(key)
        if digest not in seen:
            seen.add(digest)
            yield key
