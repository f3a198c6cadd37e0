"""How many partitions Redis is divided into: what is stored by partition is found with that
number alone."""

from collections.abc import Iterable
from typing import Any

from stream.errors import StoreError
from stream.store import keys

#: Field of a partition's offsets, written with the first batch. No offset, which is a number:
#: versions of Agos that keep states elsewhere refuse it.
FIELD = "partitions"
#: In place of the number while `agos repartition` is at work.
MOVING = "moving"
#: In place of the number where there are customers, but nobody says how they are divided.
UNKNOWN = "unknown"


def division(partitions: int) -> str:
    """The field's value."""
    return f"of {partitions}"


def check_division(found: Iterable[str | None], partitions: int) -> None:
    """Refuse what is divided otherwise; None is where nothing is stored.

    Raises
    ------
    StoreError
        If Redis is divided into another number of partitions, or is about to be.
    """
    for value in found:
        if value == MOVING:
            raise StoreError("`agos repartition` has not come to its end: run it again")
        if value == UNKNOWN:
            raise StoreError(
                "Redis has customers of another version of Agos, or lacks how many partitions "
                "they are divided into: `agos repartition` puts that right"
            )
        if value not in (None, division(partitions)):
            raise StoreError(
                f"Redis is divided into {str(value).removeprefix('of ')} partitions, "
                f"AGOS_PARTITIONS is {partitions}: set it to what Redis has, or have all moved by "
                "`agos repartition`"
            )


def check_stored(client: Any, partitions: int) -> None:
    """Ask a blocking client. Raises StoreError as `check_division` does."""
    pipe = client.pipeline(transaction=False)
    for partition in range(partitions):
        pipe.hmget(keys.offsets(partition), FIELD, "writer")
    found = [
        UNKNOWN if value is None and writer is not None else value
        for value, writer in pipe.execute()
    ]
    check_division([v.decode() if isinstance(v, bytes) else v for v in found], partitions)
