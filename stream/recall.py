"""Stored customers as the conditions see them, for those who only look. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stream.conditions import Memory, Percentiles, unknown_past
from stream.customer import Table
from stream.defined import CustomerFacts
from stream.extra import Extra


@dataclass(frozen=True, slots=True)
class Recalled:
    """One stored customer, read for itself: evaluating it changes nothing that is stored."""

    customer_id: str
    row: Any
    extra: Extra

    @property
    def memory(self) -> Memory:
        """What conditions have kept of its past."""
        return self.extra.memory

    @property
    def memberships(self) -> dict[str, int]:
        """Defined segments and when it entered them (ms)."""
        return self.extra.memberships

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
        extra = table.extra.get(i) or Extra()
        extra.memory = extra.memory or unknown_past()
        yield Recalled(name, table.rows[i], extra)
