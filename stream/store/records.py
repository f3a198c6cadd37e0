"""What readers get: the public records of Redis as typed values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import msgspec


@dataclass(frozen=True, slots=True)
class Customer:
    """The public record of one customer, as of `updated_at_ms`.

    `spend_minor` is in minor units of the base currency; `cluster` is `UNASSIGNED` before the
    first model. `version` counts the writes of this customer.
    """

    customer_id: str
    segments: tuple[str, ...] = ()
    cluster: str = ""
    cluster_name: str = ""
    confidence: float = 0.0
    events: int = 0
    orders: int = 0
    spend_minor: int = 0
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    updated_at_ms: int = 0
    due_at_ms: int | None = None
    version: int = 0
    model_version: int = 0
    definitions_version: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A customer in a segment, and since when."""

    customer_id: str
    entered_ms: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: what it is, and how many customers are in it."""

    id: str
    name: str
    kind: str = ""
    origin: str = ""
    description: str = ""
    explanation: tuple[Any, ...] = ()
    share: float | None = None
    size: int = 0
    #: Discovered by an earlier model; its last customers move on when they are next looked at.
    retired: bool = False
    #: Share (0-1) of customers of whom everything is known that it asks about; less until what a
    #: new definition asks about the past is filled in.
    complete: float = 1.0

    @property
    def discovered(self) -> bool:
        """Whether a model found it (else somebody defined it)."""
        return self.origin == "discovered" or self.kind == "discovered"


@dataclass(frozen=True, slots=True)
class Change:
    """An entry or exit. `position` is where to resume; `change_id` is the same if it repeats."""

    position: str
    change_id: str
    customer_id: str
    segment: str
    change: Literal["entered", "left"]
    at_ms: int
    cause: str
    reason: str
    version: int
    due_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker last said of itself. Counts are since its start."""

    worker: str
    host: str = ""
    pid: int = 0
    at_ms: int = 0
    started_ms: int = 0
    partitions: tuple[int, ...] = ()
    events: int = 0
    rejected: int = 0
    misses: int = 0
    lag: int = 0
    model_version: int = 0


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything at one moment. `counters` are of all partitions, since the beginning."""

    at_ms: int
    workers: tuple[WorkerStatus, ...] = ()
    counters: Mapping[str, int] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    changes: tuple[Change, ...] = ()
    changes_kept: int = 0
    model_version: int = 0

    @property
    def rejected(self) -> int:
        """Events that went to the dead letters."""
        return sum(n for name, n in self.counters.items() if name.startswith("rejected"))

    @property
    def lag(self) -> int:
        """Events that wait in Kafka."""
        return sum(worker.lag for worker in self.workers)


#: Field of the customer's hash → attribute that holds it as a number.
_NUMBERS = {
    "events": "events",
    "orders": "orders",
    "spend": "spend_minor",
    "first_seen": "first_seen_ms",
    "last_seen": "last_seen_ms",
    "updated_at": "updated_at_ms",
    "version": "version",
    "model_version": "model_version",
}
_TEXTS = ("cluster", "cluster_name", "definitions_version", "source")


def to_segments(text: str | None) -> tuple[str, ...]:
    """Segment ids of the field `segments`."""
    return tuple(text.split(",")) if text else ()


def to_customer(customer_id: str, fields: Mapping[str, str]) -> Customer:
    """Customer of the fields of its hash; missing ones have their zero."""
    values: dict[str, Any] = {to: int(fields.get(name, 0)) for name, to in _NUMBERS.items()}
    values |= {name: fields.get(name, "") for name in _TEXTS}
    return Customer(
        customer_id,
        segments=to_segments(fields.get("segments")),
        confidence=float(fields.get("confidence", 0.0)),
        due_at_ms=int(fields["due_at"]) if fields.get("due_at") else None,
        **values,
    )


def to_segment(segment: str, text: str, size: int, modelled: Collection[str]) -> Segment:
    """Segment of its JSON in `agos:segments`; `modelled` are those of the model in force."""
    known: dict[str, Any] = msgspec.json.decode(text)
    explanation = known.get("explanation") or ()
    return Segment(
        segment,
        name=known.get("name") or segment,
        kind=known.get("kind", ""),
        origin=known.get("origin", ""),
        description=known.get("description") or "",
        explanation=(explanation,) if isinstance(explanation, str) else tuple(explanation),
        share=known.get("share"),
        size=size,
        retired=known.get("origin") == "discovered" and segment not in modelled,
        complete=known.get("complete", 1.0),
    )


def to_segments_list(
    known: Mapping[str, str], sizes: Sequence[int], names: str | None
) -> list[Segment]:
    """All segments, the largest first and the retired ones last; `names` is the model's field."""
    modelled: dict[str, str] = msgspec.json.decode(names) if names else {}
    found = [
        to_segment(segment, text, size, modelled)
        for (segment, text), size in zip(known.items(), sizes, strict=True)
    ]
    return sorted(found, key=lambda segment: (segment.retired, -segment.size, segment.id))


def to_change(position: str, fields: Mapping[str, str]) -> Change:
    """Change of one entry of the stream."""
    return Change(
        position,
        change_id=fields["change_id"],
        customer_id=fields["customer"],
        segment=fields["segment"],
        change=cast(Literal["entered", "left"], fields["change"]),
        at_ms=int(fields["at"]),
        cause=fields.get("cause", ""),
        reason=fields.get("reason", ""),
        version=int(fields.get("version", 0)),
        due_at_ms=int(fields["due_at"]) if fields.get("due_at") else None,
    )


def to_worker(text: str | bytes) -> WorkerStatus:
    """Worker of its report; fields that are not known here are left out."""
    report: dict[str, Any] = msgspec.json.decode(text)
    known = {name: report[name] for name in WorkerStatus.__slots__ if name in report}
    return WorkerStatus(**{**known, "partitions": tuple(report.get("partitions", ()))})
