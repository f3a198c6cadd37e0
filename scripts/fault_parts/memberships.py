"""Defined segments that depend on no clock, and who belongs to them by a plain look."""

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.oracle.events import Customer

#: Segment → its condition as the file spells it, and the same in Python.
CLOCKLESS: Mapping[str, tuple[str, Callable[[Customer], bool]]] = {
    "faults_orders": ("{measure: orders, at_least: 3}", lambda c: c.orders >= 3),
    "faults_spend": ("{measure: spend, at_least: 250}", lambda c: c.spend >= 250_00),
    "faults_events": ("{measure: events, at_least: 40}", lambda c: c.events >= 40),
    "faults_never": ("{did_not: Order Completed}", lambda c: c.orders == 0),
    "faults_age": (
        "{trait: age, between: [18, 34]}",
        lambda c: 18 <= c.traits.get("age", 0) <= 34,
    ),
    "faults_company": (
        "{all: [{trait: company_size, at_least: 100}, {not: {trait: country, is: PH}}]}",
        lambda c: c.traits.get("company_size", 0) >= 100 and c.traits.get("country") != "PH",
    ),
}


def write(shipped: Path, target: Path) -> None:
    """The shipped definitions and these in one file."""
    more = "".join(
        f"  {segment}:\n    when: {condition}\n" for segment, (condition, _) in CLOCKLESS.items()
    )
    target.write_text(shipped.read_text().rstrip("\n") + "\n" + more)


def wanted(customer: Customer) -> set[str]:
    """Which of them the customer must be in."""
    return {segment for segment, (_, holds) in CLOCKLESS.items() if holds(customer)}
