"""Customers drawn by chance, as they are stored, and the model to see them with. Never writes."""

from collections.abc import Iterable, Mapping

from models.errors import InvalidSnapshot
from models.snapshot import Snapshot
from stream.errors import StoreError
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected
from stream.topics import partition_of


class Drawing(Connected):
    """Each call raises StoreError if Redis does not answer; its cost does not grow with the
    number of customers."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds, decode=False)
        self._partitions = settings.partitions

    def model(self) -> Snapshot | None:
        """The model in force; None before the first."""
        with self._told:
            text: bytes | None = self._redis.hget(keys.MODEL, "snapshot")
        try:
            return Snapshot.from_json(text) if text else None
        except InvalidSnapshot as error:
            raise StoreError(f"{keys.MODEL}: {error}") from None

    def draw(self, segments: Mapping[str, int]) -> dict[str, list[str]]:
        """So many customers of each segment, or all where there are fewer."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for segment, count in segments.items():
                pipe.zrandmember(keys.members(segment), count)
            drawn = pipe.execute()
        return {
            segment: [name.decode() for name in names]
            for segment, names in zip(segments, drawn, strict=True)
        }

    def states(self, customers: Iterable[str]) -> dict[str, bytes]:
        """Stored states; whoever is gone is missing."""
        names = list(customers)
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for name in names:
                pipe.hget(keys.states(partition_of(name, self._partitions)), name)
            stored = pipe.execute()
        return {name: state for name, state in zip(names, stored, strict=True) if state}
