"""Every stored customer, a batch at a time: for those who look at all of them. Never writes."""

from collections.abc import Iterable, Iterator

import xxhash

from stream.customer import is_link
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected
from stream.store.division import check_stored

#: Customers that Redis looks at for one answer: about a millisecond of its time.
PAGE = 1_000


class StateScan(Connected):
    """Stored states, a partition after another: other clients of Redis are served in between.

    Whoever is stored all the while comes exactly once; who is added meanwhile may come.
    Each call raises StoreError if Redis does not answer or is divided into another number of
    partitions.
    """

    def __init__(self, settings: Settings, *, timeout_seconds: float = 10.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds, decode=False)
        self._partitions = settings.partitions

    def about(self) -> int:
        """How many customers there are, with those who were merged into others."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for partition in range(self._partitions):
                pipe.hlen(keys.states(partition))
            return sum(pipe.execute())

    def batches(self) -> Iterator[tuple[list[str], list[bytes]]]:
        """Customers and their stored states."""
        with self._told:
            check_stored(self._redis, self._partitions)
        for partition in range(self._partitions):
            yield from self._batches(keys.states(partition))

    def _batches(self, name: str) -> Iterator[tuple[list[str], list[bytes]]]:
        seen: set[int] = set()
        cursor = -1
        while cursor != 0:
            with self._told:
                cursor, found = self._redis.hscan(name, max(cursor, 0), count=PAGE)
            known = {key: state for key, state in found.items() if not is_link(state)}
            fresh = list(_unseen(known, seen))
            if fresh:
                yield [key.decode() for key in fresh], [known[key] for key in fresh]


def _unseen(found: Iterable[bytes], seen: set[int]) -> Iterator[bytes]:
    """HSCAN may give a name twice; hashes of those seen are kept, not the names."""
    for key in found:
        digest = xxhash.xxh3_64_intdigest(key)
        if digest not in seen:
            seen.add(digest)
            yield key
