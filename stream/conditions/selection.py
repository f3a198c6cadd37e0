"""Which events a condition is about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stream.conditions.values import Test, lookup

#: A purchase of zero and more, and one below zero, count as these events.
ORDER_COMPLETED = "Order Completed"
ORDER_REFUNDED = "Order Refunded"
PURCHASE_EVENTS = (ORDER_COMPLETED, ORDER_REFUNDED)
#: In place of an event's name: any event.
ANY_EVENT = "*"
#: Property that holds a purchase's amount, in units of the base currency.
TOTAL = "total"

MINOR_PER_UNIT = 100


@dataclass(slots=True)
class Happening:
    """One event; `total_minor` only of purchases."""

    name: str
    at_ms: int
    properties: Mapping[str, Any]
    total_minor: int | None

    def get(self, name: str) -> Any:
        """Value of a property, None if there is none."""
        if name == TOTAL and self.total_minor is not None:
            return self.total_minor / MINOR_PER_UNIT
        return lookup(self.properties, name)


@dataclass(frozen=True, slots=True)
class Selection:
    """Events of these names whose properties pass every test."""

    names: tuple[str, ...]
    where: tuple[tuple[str, Test], ...] = ()
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = " or ".join("any event" if n == ANY_EVENT else n for n in self.names)
        tests = ", ".join(f"{name} {test.text()}" for name, test in self.where)
        object.__setattr__(self, "_text", f"{names} ({tests})" if tests else names)

    def takes(self, event: Happening) -> bool:
        """Whether the event, which has one of the names, passes the tests."""
        # A generator would take twice as long.
        for name, test in self.where:
            if not test.passes(event.get(name)):
                return False
        return True

    def canonical(self) -> tuple[Any, ...]:
        tests = sorted(((name, test.canonical()) for name, test in self.where), key=repr)
        return (sorted(self.names), tests)

    def text(self) -> str:
        """`Product Viewed (category is "shoes")`."""
        return self._text


def purchase_event(total_minor: int, currency: str, items: list[Any]) -> tuple[str, dict[str, Any]]:
    """Name and properties under which the conditions see a purchase.

    Every item has `category` and `product_id`; a condition on either holds if one item passes.
    """
    name = ORDER_COMPLETED if total_minor >= 0 else ORDER_REFUNDED
    properties: dict[str, Any] = {TOTAL: total_minor / MINOR_PER_UNIT, "currency": currency}
    for name_of in ("category", "product_id"):
        values = [getattr(item, name_of) for item in items]
        properties[name_of] = list(dict.fromkeys(v for v in values if v is not None))
    return name, properties
