"""What the conditions of a new file lack of the past, read from Kafka so that it can be looked at;
nothing is written."""

from collections.abc import Collection

from aiokafka.errors import KafkaError

from stream.backfill import MOST_STATES, Earlier, Lacking, Log, replay, slices_of, stretch_of
from stream.cli.scanning import scanned
from stream.conditions import Definitions, Memory, Point
from stream.defined import point_of
from stream.errors import AgosError
from stream.events import Money
from stream.settings import Settings
from stream.store.marks import digest_of
from stream.store.scan import StateScan
from stream.store.store import Store
from stream.topics import partition_of

#: States that are filled in at most: about half a gigabyte.
_MOST_STATES = 5 * MOST_STATES


class ReadPast:
    """What happened to customers before their states begin, as `Past` wants it."""

    def __init__(self, read: dict[int, list[Earlier]], partitions: int) -> None:
        self._read, self._partitions = read, partitions

    def complete(self, customer_id: str, memory: Memory, definitions: Definitions) -> bool:
        """Give a memory what it lacks; whether it lacked anything that is known here."""
        parts = self._read.get(partition_of(customer_id, self._partitions), [])
        return any(part.complete(customer_id, memory, definitions) for part in parts)


async def read_past(
    settings: Settings, scan: StateScan, definitions: Definitions, log: Log, now_ms: int
) -> ReadPast:
    """Read what these definitions ask about and customers' states do not hold.

    Raises
    ------
    AgosError
        If it is too much to be kept in memory, or Kafka does not answer.
    """
    store = Store(settings)
    try:
        partitions = range(settings.partitions)
        points = {p: point_of((await store.positions(p)).offsets) for p in partitions}
        forgotten = await store.forgotten()
    finally:
        await store.close()

    def wanted(customer: str, at_ms: int) -> bool:
        return not forgotten or at_ms > forgotten.get(digest_of(customer), -1)

    lacking = _lacking(settings, scan, definitions, points)
    money, read = Money(settings.exchange_rates()), dict[int, list[Earlier]]()
    try:
        for partition, customers in lacking.items():
            for some in slices_of(customers):
                found = list(some.values())
                stretch = await stretch_of(log, partition, definitions, found, now_ms)
                earlier = Earlier(definitions, some, stretch.lost, _always)
                await replay(log, partition, stretch, earlier, money, wanted, _go_on)
                read.setdefault(partition, []).append(earlier)
    except (KafkaError, TimeoutError) as error:
        raise AgosError(f"--past: Kafka at {settings.kafka}: {error!r}") from None
    return ReadPast(read, settings.partitions)


def _lacking(
    settings: Settings, scan: StateScan, definitions: Definitions, points: dict[int, Point]
) -> dict[int, dict[str, Lacking]]:
    lacking: dict[int, dict[str, Lacking]] = {}
    states = 0
    for batch in scanned(scan, "what is new"):
        for customer in batch:
            name = customer.customer_id
            partition = partition_of(name, settings.partitions)
            groups: dict[Point, Collection[str]] = {}
            for key, point in definitions.lacking(customer.memory, points[partition]).items():
                groups[point] = [*groups.get(point, ()), key]
                states += 1
            if groups:
                lacking.setdefault(partition, {})[name] = groups
        if states > _MOST_STATES:
            raise AgosError(
                f"--past: more than {_MOST_STATES:,} states of conditions would have to be kept in "
                "memory; put the segments in force with shadow: true instead"
            )
    return lacking


def _always() -> bool:
    return True


async def _go_on() -> None:
    """Nobody waits for this process."""
