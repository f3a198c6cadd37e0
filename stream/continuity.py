"""Whether a log is the one that Redis has offsets of, and still has what was to be read next."""

from collections.abc import Awaitable, Callable

from stream.errors import OffsetError
from stream.topics import Place
from stream.transport import Batch

#: First offset that the log of a partition still has.
FirstOffset = Callable[[Place], Awaitable[int]]


async def check_log(batch: Batch, first_offset: FirstOffset) -> None:
    """Holes are fine; a log that begins later or earlier than where we were is not.

    The consumer silently begins anew at the log's start when its position is outside.

    Raises
    ------
    OffsetError
        If the log began again, or what was to be read next has expired.
    """
    if batch.start is None or batch.records[0].offset == batch.start:
        return
    place = (batch.topic, batch.partition)
    if batch.records[0].offset < batch.start:
        raise OffsetError(
            f"{place[0]}-{place[1]}: offset {batch.start} was to be read next and the log "
            f"began again at {batch.records[0].offset}: the topic was created anew or "
            "Kafka lost events"
        )
    check_kept(place, batch.start, await first_offset(place))


def check_kept(place: Place, position: int, first: int) -> None:
    """Raise an OffsetError if the log begins behind the next offset to apply."""
    if position < first:
        raise OffsetError(
            f"{place[0]}-{place[1]}: the next offset to apply is {position}, and the log begins "
            f"at {first}: {first - position} events expired before they were applied"
        )


def recreated(topic: str, stored_id: str, known_id: str) -> OffsetError:
    """The error for a topic that is another one than the stored offsets are of."""
    return OffsetError(
        f"topic {topic!r} was deleted and created anew: Redis has offsets of {stored_id}, Kafka "
        f"has {known_id}. To go on with the customers as they are, stop the workers and do "
        f"HDEL agos:{{p}}:offsets {topic} {topic}:id for every partition p: the new topic is then "
        "read from its beginning"
    )
