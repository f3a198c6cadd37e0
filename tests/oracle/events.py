"""What any records of the three event topics must add up to, in one plain pass.

Shares no code with the project: standard library only, exact decimals, one dict per customer.
Ids are unique per customer; records are taken in the order in which they are given (per customer
that is the order of offsets, when every customer's records keep theirs).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

LARGEST = 262_144
BIGGEST_FLOAT = Decimal("1.7976931348623157e308")
YEAR_1990 = 631_152_000_000
FIVE_MINUTES = 300_000
RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt _](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?"
)


class Refused(Exception):
    """A record for the dead letters; its text is the reason."""


@dataclass
class Customer:
    """Figures of one customer."""

    events: int = 0
    orders: int = 0
    spend: int = 0
    first_seen: int = 0
    last_seen: int = 0
    ids: set[str] = field(default_factory=set)
    #: Newest fact by event time (null: removed), and that time.
    facts: dict[str, Any] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    @property
    def traits(self) -> dict[str, Any]:
        """Facts that hold."""
        return {name: fact for name, fact in self.facts.items() if fact is not None}


@dataclass
class Expected:
    """What must be there after all records."""

    customers: dict[str, Customer] = field(default_factory=dict)
    dead: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0


def expected(
    records: Iterable[tuple[str, bytes | None]], now_ms: int, rates: Mapping[str, float]
) -> Expected:
    """Figures after (topic, value) records; `rates`: units of the base currency per unit."""
    result = Expected()
    for topic, value in records:
        try:
            at, record = check(topic, value, now_ms, rates)
        except Refused as refused:
            result.dead[str(refused)] += 1
            continue
        known = result.customers.setdefault(
            record["customer_id"], Customer(first_seen=at, last_seen=at)
        )
        if record["event_id"] in known.ids:
            result.duplicates += 1
            continue
        known.ids.add(record["event_id"])
        apply(known, topic, record, at, rates)
    return result


def apply(
    known: Customer, topic: str, record: dict[str, Any], at: int, rates: Mapping[str, float]
) -> None:
    """Count one valid event that was not seen before."""
    known.events += 1
    known.first_seen = min(known.first_seen, at)
    known.last_seen = max(known.last_seen, at)
    if topic == "purchases":
        minor = Decimal(record["total"]) * Decimal(str(rates[record["currency"]])) * 100
        known.spend += int(minor.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
        known.orders += record["total"] >= 0
    elif topic == "profiles":
        for name, trait in record["traits"].items():
            if at >= known.told.get(name, at):
                known.told[name] = at
                known.facts[name] = float(trait) if isinstance(trait, Decimal) else trait


def check(
    topic: str, value: bytes | None, now_ms: int, rates: Mapping[str, float]
) -> tuple[int, dict[str, Any]]:
    """Epoch milliseconds and record of a valid event."""
    if value is None:
        raise Refused("tombstone")
    if len(value) > LARGEST:
        raise Refused("too-large")
    record = parse(value)
    needed = {
        "interactions": ["name"],
        "purchases": ["order_id", "total", "currency"],
        "profiles": ["traits"],
    }[topic]
    for name in ["event_id", "customer_id", "timestamp", *needed]:
        if name not in record:
            raise Refused("missing-field")
    for name in ["event_id", "customer_id"]:
        text(record[name])
    check_body(topic, record)
    at = milliseconds(record["timestamp"])
    if at < YEAR_1990:
        raise Refused("timestamp-too-old")
    if at > now_ms + FIVE_MINUTES:
        raise Refused("timestamp-in-future")
    if topic == "purchases":
        quantities = [item.get("quantity", 1) for item in record.get("items", [])]
        if record["total"] >= 0 and any(quantity < 0 for quantity in quantities):
            raise Refused("negative-quantity")
        if record["currency"] not in rates:
            raise Refused("unknown-currency")
    return int(at), record


def parse(value: bytes) -> dict[str, Any]:
    """The JSON object in `value`, its decimals exact."""

    def no_number(name: str) -> Any:
        raise ValueError(name)

    try:
        record = json.loads(value.decode(), parse_float=Decimal, parse_constant=no_number)
    except (ValueError, RecursionError):
        # JSON has no NaN, but where it stands for one of the numbers that are needed,
        # the refusal may as well name the field.
        raise Refused(nan_reason(value)) from None
    if not isinstance(record, dict):
        raise Refused("invalid")
    return record


def nan_reason(value: bytes) -> str:
    """`invalid` if NaN or Infinity stands for a number of a purchase, else `not-json`."""
    try:
        record = json.loads(value.decode())
    except (ValueError, RecursionError):
        return "not-json"
    numbers = [record.get("total")]
    for item in record.get("items") or []:
        numbers += [item.get("price"), item.get("quantity")]
    odd = [n for n in numbers if isinstance(n, float) and (n != n or abs(n) == float("inf"))]
    return "invalid" if odd else "not-json"


def text(value: Any, shortest: int = 1, longest: int = 256) -> None:
    """Refuse what is no text of a permitted length."""
    if not isinstance(value, str) or not shortest <= len(value) <= longest:
        raise Refused("invalid")


def number(value: Any, largest: Decimal = BIGGEST_FLOAT) -> None:
    """Refuse what is no number of at most `largest`."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("invalid")
    if not -largest <= value <= largest:
        raise Refused("invalid")


def check_body(topic: str, record: dict[str, Any]) -> None:
    """Refuse wrong types in what only events of this topic have."""
    if topic == "interactions":
        text(record["name"])
        for name in ["properties", "context"]:
            if not isinstance(record.get(name, {}), dict):
                raise Refused("invalid")
    elif topic == "purchases":
        text(record["order_id"])
        text(record["currency"], 3, 3)
        number(record["total"], Decimal("1e12"))
        check_items(record.get("items", []))
    else:
        check_traits(record["traits"])


def check_items(items: Any) -> None:
    """Refuse what is no list of order lines."""
    if not isinstance(items, list):
        raise Refused("invalid")
    for item in items:
        if not isinstance(item, dict):
            raise Refused("invalid")
        number(item.get("price", 0))
        number(item.get("quantity", 1))
        if not isinstance(item.get("category"), str | None):
            raise Refused("invalid")
        product = item.get("product_id")
        if isinstance(product, bool) or not isinstance(product, str | int | None):
            raise Refused("invalid")


def check_traits(traits: Any) -> None:
    """Refuse traits that are neither text, number, truth value, list of texts nor null."""
    if not isinstance(traits, dict):
        raise Refused("invalid")
    for trait in traits.values():
        if isinstance(trait, list):
            if not all(isinstance(part, str) for part in trait):
                raise Refused("invalid")
        elif isinstance(trait, int) and not -(2**63) <= trait < 2**63:
            raise Refused("invalid")
        elif not isinstance(trait, str | int | Decimal | None):
            raise Refused("invalid")


def milliseconds(timestamp: Any) -> int | Decimal:
    """Epoch milliseconds, rounded down."""
    if isinstance(timestamp, int | Decimal) and not isinstance(timestamp, bool):
        return timestamp
    found = RFC_3339.fullmatch(timestamp) if isinstance(timestamp, str) else None
    if found is None or found[8] is None:
        raise Refused("invalid")
    sign = -1 if found[8][0] == "-" else 1
    digits = "0000" if found[8] in "Zz" else found[8][1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * sign
    try:
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        clock = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise Refused("invalid") from None
    whole = (clock - datetime(1970, 1, 1, tzinfo=UTC) - ahead) // timedelta(seconds=1)
    return whole * 1000 + int(((found[7] or ".") + "000")[1:4])
