"""Records that a worker sends to Kafka: dead letters, samples, misplaced events, changes."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from numpy.typing import NDArray

from stream.decoding import Decoded, Rejected
from stream.events import DeadLetter
from stream.features import VERSION as FEATURES_VERSION
from stream.samples import Sample
from stream.topics import DEAD_LETTERS, MODEL_SAMPLES


@dataclass(frozen=True, slots=True)
class Message:
    """A record to be sent to Kafka."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None


#: Sends records, in order per partition; returns when the brokers have them.
Send = Callable[[Sequence[Message]], Awaitable[None]]

_encode = msgspec.json.Encoder().encode


def turned_away(decoded: Decoded) -> list[Message]:
    """What of a batch is not applied where it was read: it must be safe elsewhere first."""
    forwarded = [
        Message(decoded.topic, partition, record.key, record.value)
        for record, partition in decoded.misplaced
    ]
    return forwarded + [dead_letter(rejected) for rejected in decoded.rejected]


def dead_letter(rejected: Rejected) -> Message:
    """A rejected record with its original bytes, where it came from, and why."""
    record = rejected.record
    letter = DeadLetter.model_construct(
        letter_id=f"{record.topic}-{record.partition}@{record.offset}",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=rejected.reason,
        detail=rejected.detail,
        rejected_at=time.time_ns() // 1_000_000,
        key=record.key,
        value=record.value,
    )
    return Message(DEAD_LETTERS, 0, record.key, letter.model_dump_json().encode())


def sample(customer: str, at_ms: int, x: NDArray[Any]) -> Message:
    """The newest feature vector of a panel customer, as `samples.Sample`."""
    value = _encode(Sample(customer, at_ms, FEATURES_VERSION, x.tolist()))
    return Message(MODEL_SAMPLES, 0, customer.encode(), value)
