"""States of merged customers on their way, by Kafka, to those whom they are now."""

from collections.abc import Collection

import msgspec

from stream.outbox import Message, Send
from stream.store.store import Store
from stream.topics import PROFILES, partition_of


class Handing:
    """Sends on what the partitions of one worker have for other owners.

    Until Kafka has a state Redis keeps it: a worker that ends in between leaves it to the next
    one. Whatever is sent twice counts once.

    Parameters
    ----------
    partitions
        Of each event topic.
    """

    def __init__(self, store: Store, send: Send, partitions: int) -> None:
        self._store, self._send, self._partitions = store, send, partitions
        self._noted: set[int] = set()

    def note(self, partition: int) -> None:
        """The partition may have states to hand on."""
        self._noted.add(partition)

    async def hand_on(self, ours: Collection[int]) -> int:
        """Send what partitions of ours have to hand on; how many states."""
        sent = 0
        for partition in sorted(self._noted.intersection(ours)):
            self._noted.discard(partition)
            try:
                while found := await self._store.transfers(partition):
                    await self._send([self._message(record) for record in found.values()])
                    await self._store.transferred(partition, list(found))
                    sent += len(found)
            except BaseException:
                self._noted.add(partition)
                raise
        return sent

    def _message(self, record: bytes) -> Message:
        target: str = msgspec.json.decode(record)["customer_id"]
        return Message(PROFILES, partition_of(target, self._partitions), target.encode(), record)
