"""Looks again at customers without new events, in the background and at a bounded rate."""

import logging
from collections import defaultdict

from stream.pipeline import Pipeline
from stream.store import keys
from stream.store.store import Store
from stream.topics import partitions_of

log = logging.getLogger(__name__)
#: Customers per step; with a step every 0.2 s at most 2,500 a second.
_CHUNK = 500


class Review:
    """One pass over all stored customers at a time; each worker sees to its own partitions."""

    def __init__(self, store: Store, pipeline: Pipeline) -> None:
        self._store, self._pipeline = store, pipeline
        self._cursor: int | None = None
        self._again = False

    @property
    def under_way(self) -> bool:
        """Whether a pass is going on."""
        return self._cursor is not None

    def request(self) -> None:
        """Begin a pass; if one is under way, another follows."""
        if self._cursor is None:
            self._cursor = 0
        else:
            self._again = True

    async def step(self) -> None:
        """Look at the next few hundred customers, if a pass is under way."""
        if self._cursor is None:
            return
        cursor = self._cursor
        cursor, found = await self._store.wait_out(
            lambda: self._store.redis.scan(cursor, keys.STATE_PREFIX + "*", _CHUNK)
        )
        await self._look_at([key.removeprefix(keys.STATE_PREFIX.encode()) for key in found])
        if cursor != 0:
            self._cursor = cursor
        else:
            self._cursor = 0 if self._again else None
            self._again = False

    async def _look_at(self, customers: list[bytes]) -> None:
        if not customers:
            return
        mine: dict[int, list[str]] = defaultdict(list)
        owners = partitions_of(customers, self._pipeline.settings.partitions).tolist()
        for customer, partition in zip(customers, owners, strict=True):
            if partition in self._pipeline.segmenters:
                mine[partition].append(customer.decode())
        for partition, names in mine.items():
            await self._pipeline.review(partition, names, "model")
