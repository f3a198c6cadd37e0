"""Whether what Redis keeps by partition may be moved to another number of partitions. Pure."""

from collections.abc import Collection, Iterable, Mapping

from stream.errors import StoreError
from stream.store.division import FIELD, MOVING, division
from stream.store.reader import WORKER_GONE_MS
from stream.store.records import to_worker
from stream.topics import EVENT_TOPICS, SEGMENT_CHANGES

#: Fields of a partition's offsets.
Offsets = Mapping[str, str]


def check_workers(reports: Iterable[bytes], now_ms: int) -> None:
    """Refuse while workers run; `reports` as they are stored.

    Raises
    ------
    StoreError
        If one has reported lately.
    """
    running = [w for w in map(to_worker, reports) if w.at_ms > now_ms - WORKER_GONE_MS]
    if running:
        names = ", ".join(sorted(f"{worker.host}:{worker.pid}" for worker in running))
        raise StoreError(
            f"workers are running ({names}): stop them first; one that was killed counts as "
            f"gone after {WORKER_GONE_MS // 1000} seconds"
        )


def stale_partitions(found: Mapping[int, Offsets], partitions: int) -> set[int]:
    """Partitions whose offsets are of topics with another number of partitions than this."""
    unsaid = {p for p, fields in found.items() if fields.get(FIELD) in (None, MOVING)}
    said = {p for p in found.keys() - unsaid if found[p][FIELD] != division(partitions)}
    # More of them than there are topic partitions now.
    more = any(p >= partitions and topics_of(found[p]) for p in unsaid)
    return said | unsaid if said or more else set()


def check_topics(
    found: Mapping[int, Offsets], stale: Collection[int], topic_ids: Mapping[str, str]
) -> None:
    """Refuse topics that would be read twice, or that are others than the offsets are of.

    Raises
    ------
    StoreError
        If a topic of a stale partition is the same as before, or one of another is not.
    """
    for partition, fields in found.items():
        for topic in EVENT_TOPICS:
            stored, known = fields.get(f"{topic}:id", ""), topic_ids.get(topic, "")
            if not stored or not known:
                continue
            if partition in stale and stored == known:
                raise StoreError(
                    f"topic {topic!r} is the one that Redis has offsets of, but had another "
                    "number of partitions: its events would be counted twice. Delete "
                    f"{', '.join((*EVENT_TOPICS, SEGMENT_CHANGES))} and run `agos topics`"
                )
            if partition not in stale and stored != known:
                raise StoreError(
                    f"topic {topic!r} was deleted and created anew: Redis has offsets of "
                    f"{stored}, Kafka has {known}, and nothing says that the number of "
                    "partitions was another one. To have the new topic read from its "
                    f"beginning do HDEL agos:{{p}}:offsets {topic} {topic}:id for every "
                    "partition p"
                )


def topics_of(fields: Offsets) -> list[str]:
    """Event topics that a partition has offsets of."""
    return [topic for topic in EVENT_TOPICS if topic in fields]
