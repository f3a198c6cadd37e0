"""Stored customers as the conditions see them, for those who only look. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from stream.conditions import Memory, Percentiles, unknown_past
from stream.customer import UNASSIGNED, Extra, Table
from stream.defined import CustomerFacts
from stream.membership import cluster_segment


@dataclass(frozen=True, slots=True)
class Recalled:
    """One stored customer. `memory` is its own; evaluating changes nothing that is stored."""

    customer_id: str
    row: Any
    traits: dict[str, Any]
    memory: Memory
    memberships: dict[str, int]
    #: Segment id of its cluster, None before the first model.
    cluster: str | None
    extra: Extra

    def facts(self, percentiles: Percentiles) -> CustomerFacts:
        """What conditions ask about, with the percentiles of these."""
        return CustomerFacts(self.row, self.extra, percentiles)


def recall(customers: Sequence[str], stored: Sequence[bytes]) -> Iterator[Recalled]:
    """Customers of their stored states.

    Raises
    ------
    StoreError
        If a state has another layout.
    """
    table = Table(len(customers))
    table.load(customers, stored)
    for i, name in enumerate(customers):
        yield _recalled(name, table.rows[i], table.extra.get(i) or Extra())


def _recalled(name: str, row: NDArray[Any], extra: Extra) -> Recalled:
    cluster = int(row["cluster"])
    return Recalled(
        name,
        row,
        {trait: value for trait, (value, _) in extra.traits.items() if value is not None},
        extra.memory or unknown_past(),
        dict(extra.memberships),
        cluster_segment(cluster) if cluster != UNASSIGNED else None,
        extra,
    )
