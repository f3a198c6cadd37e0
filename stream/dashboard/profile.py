"""How a segment's customers differ from all: means over a sample of each. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stream.store.records import Customer, Segment

#: Customers drawn of the segment, and of all.
SAMPLE = 300
_DAY_MS = 86_400_000

#: Title → number of one customer, given the present moment.
MEASURES: Mapping[str, Callable[[Customer, int], float]] = {
    "events": lambda customer, now_ms: customer.events,
    "orders": lambda customer, now_ms: customer.orders,
    "spend": lambda customer, now_ms: customer.spend_minor / 100,
    "days since the last event": lambda customer, now_ms: (
        (now_ms - customer.last_seen_ms) / _DAY_MS
    ),
    "days since the first event": lambda customer, now_ms: (
        (now_ms - customer.first_seen_ms) / _DAY_MS
    ),
    "segments": lambda customer, now_ms: len(customer.segments),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a measure in the segment, and of all."""

    measure: str
    here: float
    all: float

    @property
    def times(self) -> float | None:
        """How many times the mean of all; None where that is zero."""
        return self.here / self.all if self.all else None


def differences(
    members: Sequence[Customer], everybody: Sequence[Customer], now_ms: int
) -> list[Difference]:
    """Means side by side; none where one of the samples is empty."""
    if not members or not everybody:
        return []
    return [
        Difference(name, _mean(measure, members, now_ms), _mean(measure, everybody, now_ms))
        for name, measure in MEASURES.items()
    ]


def quotas(segments: Sequence[Segment], most: int = SAMPLE) -> dict[str, int]:
    """How many of each cluster to draw, so that together they stand for all customers."""
    clusters = [segment for segment in segments if segment.discovered and segment.size]
    total = sum(segment.size for segment in clusters)
    return {s.id: max(round(most * s.size / total), 1) for s in clusters}


def _mean(
    measure: Callable[[Customer, int], float], customers: Sequence[Customer], now_ms: int
) -> float:
    return sum(measure(customer, now_ms) for customer in customers) / len(customers)
