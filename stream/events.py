"""The records of every topic, declared once, and how bytes become events.

The pydantic models are the contract (`agos schema` exports them). For speed a batch is first
read with msgspec structs that are derived from the same models; whatever those refuse is
read again with pydantic, which says what is wrong with it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any, Literal

import annotated_types
import msgspec
from pydantic import (
    AwareDatetime,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
)

from stream.errors import InvalidEvent
from stream.topics import (
    DEAD_LETTERS,
    INTERACTIONS,
    MODEL_SAMPLES,
    PROFILES,
    PURCHASES,
    SEGMENT_CHANGES,
)

#: Largest record that is read as an event; larger ones go to the dead letters.
MAX_RECORD_BYTES = 256 * 1024
#: How far ahead of the clock a timestamp may be (clocks differ), in milliseconds.
MAX_FUTURE_MS = 5 * 60 * 1000
#: Timestamps before 1990-01-01 are broken clocks.
MIN_TIMESTAMP_MS = 631_152_000_000
#: Largest amount of one purchase in currency units; far below where floats lose cents.
MAX_AMOUNT = 1e12

#: Farther than this from a whole number, the float product may round to the wrong side.
_CERTAIN = 0.4

#: Traits of one profile event, and characters of one trait's name and value together.
MAX_TRAITS = 100
MAX_TRAIT_CHARACTERS = 1024

#: Largest amount of one purchase in minor units of the base currency.
MAX_MINOR = 1e16

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_MS = 86_400_000

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Timestamp = Annotated[
    AwareDatetime | int | float,
    Field(description="RFC 3339 with an offset, or epoch milliseconds as a number"),
]


class Record(BaseModel):
    """Base of every wire record: unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore")


class Event(Record):
    """What every event has."""

    event_id: Identifier
    customer_id: Identifier
    timestamp: Timestamp


class Interaction(Event):
    """Something a customer did on a website; `name` as in Segment's e-commerce spec."""

    name: Identifier
    properties: dict[str, Any] = {}
    context: dict[str, Any] = {}


class Item(Record):
    """One line of an order; `price` per unit, in the order's currency."""

    product_id: str | int | None = None
    category: str | None = None
    price: FiniteFloat = 0.0
    quantity: FiniteFloat = 1.0


class Purchase(Event):
    """An order, or with a negative total a refund or cancellation."""

    order_id: Identifier
    total: Annotated[FiniteFloat, Field(ge=-MAX_AMOUNT, le=MAX_AMOUNT)]
    currency: Annotated[str, StringConstraints(min_length=3, max_length=3)]
    items: list[Item] = []


class Profile(Event):
    """Facts about a customer; a null value removes the trait."""

    traits: dict[str, str | bool | int | float | list[str] | None]


class MarkedProfile(Profile):
    """A profile event with what is not for everybody to write: collectors name a customer's other
    ids, and workers send each other messages about merges. Whatever is wrong here is read later."""

    anonymous_id: Any = None
    previous_id: Any = None
    merge_into: Any = None
    merged_state: Any = None
    via: Any = None


class DeadLetter(Record):
    """A record that could not be applied, with its original bytes.

    `letter_id` is `topic-partition@offset`: the same record rejected twice has the same id.
    """

    letter_id: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    rejected_at: int = Field(description="epoch milliseconds")
    key: Base64Bytes | None
    value: Base64Bytes | None


class SegmentChange(Record):
    """A customer entered or left a segment. `change_id` is stable: at least once, so dedupe by it.

    `version` counts the customer's writes: changes of one customer are ordered by it.
    """

    change_id: str
    customer: str
    segment: str
    change: Literal["entered", "left"]
    at: int = Field(description="epoch milliseconds")
    cause: Literal["event", "time", "model", "definition", "merge"]
    reason: str
    version: int
    due_at: int | None = Field(None, description="when it ends if nothing happens, epoch ms")


class ModelSample(Record):
    """The newest feature vector of a panel customer."""

    customer: str
    at: int = Field(description="epoch milliseconds")
    features_version: int
    x: list[float]


#: Topic → model of its records' values.
MODELS: Mapping[str, type[Record]] = {
    INTERACTIONS: Interaction,
    PURCHASES: Purchase,
    PROFILES: Profile,
    DEAD_LETTERS: DeadLetter,
    SEGMENT_CHANGES: SegmentChange,
    MODEL_SAMPLES: ModelSample,
}


def _struct_type(model: type[BaseModel]) -> type[msgspec.Struct]:
    """Msgspec struct with the model's fields, types and bounds: same contract, read faster."""
    required: list[Any] = []
    optional: list[Any] = []
    for name, field in model.model_fields.items():
        kind = _struct_annotation(field.annotation, field.metadata)
        if field.is_required():
            required.append((name, kind))
        elif isinstance(field.default, list | dict):
            factory: Callable[[], Any] = type(field.default)
            optional.append((name, kind, msgspec.field(default_factory=factory)))
        else:
            optional.append((name, kind, field.default))
    return msgspec.defstruct(f"Fast{model.__name__}", required + optional, gc=False)


def _struct_annotation(annotation: Any, metadata: Sequence[Any]) -> Any:
    if annotation == AwareDatetime | int | float:
        return datetime | int | float
    if annotation == list[Item]:
        return list[_struct_type(Item)]  # type: ignore[misc]
    bounds: dict[str, Any] = {}
    for constraint in metadata:
        if isinstance(constraint, StringConstraints):
            bounds |= {"min_length": constraint.min_length, "max_length": constraint.max_length}
        elif isinstance(constraint, annotated_types.Ge):
            bounds["ge"] = constraint.ge
        elif isinstance(constraint, annotated_types.Le):
            bounds["le"] = constraint.le
    return Annotated[annotation, msgspec.Meta(**bounds)] if bounds else annotation


_FAST = {
    topic: msgspec.json.Decoder(_struct_type(model)).decode
    for topic, model in (
        (INTERACTIONS, MODELS[INTERACTIONS]),
        (PURCHASES, MODELS[PURCHASES]),
        (PROFILES, MarkedProfile),
    )
}


@dataclass(frozen=True, slots=True)
class Money:
    """Rates into the base currency; amounts become its minor units (hundredths)."""

    rates: Mapping[str, float]

    def to_minor(self, amount: float, currency: str) -> int:
        """Integer minor units, halves to even, of the decimal number as it was written.

        Raises
        ------
        InvalidEvent
            If the currency has no rate.
        """
        rate = self.rates.get(currency)
        if rate is None:
            known = ", ".join(sorted(self.rates))
            raise InvalidEvent("unknown-currency", f"currency {currency!r} has no rate ({known})")
        approximate = amount * rate * 100
        if abs(approximate) > MAX_MINOR:
            raise InvalidEvent(
                "invalid",
                f"{amount!r} {currency} is {approximate:g} minor units, expected at "
                f"most {MAX_MINOR:g}",
            )
        nearest = round(approximate)
        if abs(approximate - nearest) < _CERTAIN:
            return nearest
        exact = Decimal(repr(amount)) * Decimal(repr(rate)) * 100
        return int(exact.to_integral_value(ROUND_HALF_EVEN))


def read(topic: str, value: bytes | None, now_ms: int, money: Money) -> Any:
    """Event in `value`: an object with the attributes of the topic's model.

    `timestamp` becomes epoch milliseconds (int) and a purchase's `total` minor units of the
    base currency (int).

    Raises
    ------
    InvalidEvent
        With the reason; the record belongs to the dead letters.
    """
    if value is None:
        raise InvalidEvent("tombstone", "value is null, expected a JSON object")
    if len(value) > MAX_RECORD_BYTES:
        raise InvalidEvent(
            "too-large", f"record has {len(value)} bytes, expected at most {MAX_RECORD_BYTES}"
        )
    try:
        event: Any = _FAST[topic](value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(topic, value, error) from None
    at = event.timestamp
    if type(at) is datetime:
        at = _to_ms(at)
    # Before anything is computed with it: JSON's integers may have thousands of digits.
    if not MIN_TIMESTAMP_MS <= at <= now_ms + MAX_FUTURE_MS:
        raise _out_of_range(at, now_ms)
    event.timestamp = int(at)
    if topic == PURCHASES:
        _check_items(event)
        event.total = money.to_minor(event.total, event.currency)
    elif topic == PROFILES:
        _check_traits(event.traits)
    return event


def _to_ms(at: datetime) -> int:
    if at.tzinfo is None:
        raise InvalidEvent(
            "invalid", f"timestamp {at.isoformat()} has no offset, expected RFC 3339"
        )
    since = at - _EPOCH
    # Floors, as `since // milliseconds` does, in half the time.
    return since.days * _DAY_MS + since.seconds * 1000 + since.microseconds // 1000


def _out_of_range(at_ms: float, now_ms: int) -> InvalidEvent:
    if at_ms < MIN_TIMESTAMP_MS:
        return InvalidEvent(
            "timestamp-too-old", f"timestamp is {at_ms!r:.40} ms, expected 1990 or later"
        )
    return InvalidEvent(
        "timestamp-in-future",
        f"timestamp is {at_ms!r:.40} ms, expected at most {now_ms + MAX_FUTURE_MS} "
        f"({MAX_FUTURE_MS} ms ahead of the clock)",
    )


def _check_traits(traits: Mapping[str, Any]) -> None:
    if len(traits) > MAX_TRAITS:
        raise InvalidEvent("invalid", f"traits has {len(traits)}, expected at most {MAX_TRAITS}")
    for name, value in traits.items():
        size = len(name) + (len(value) if isinstance(value, str) else 0)
        if isinstance(value, list):
            size += sum(map(len, value))
        if size > MAX_TRAIT_CHARACTERS:
            raise InvalidEvent(
                "invalid",
                f"traits.{name:.80} has {size} characters with its name, "
                f"expected at most {MAX_TRAIT_CHARACTERS}",
            )
        if type(value) is int and not -(2**63) <= value < 2**63:
            raise InvalidEvent(
                "invalid", f"traits.{name:.80} is {value!r:.40}, expected at most 64 bits"
            )


def _check_items(purchase: Any) -> None:
    for i, item in enumerate(purchase.items):
        if not (math.isfinite(item.price) and math.isfinite(item.quantity)):
            raise InvalidEvent("invalid", f"items.{i}: price and quantity must be finite")
        if item.quantity < 0 and purchase.total >= 0:
            raise InvalidEvent(
                "negative-quantity",
                f"items.{i}.quantity is {item.quantity:g} in a purchase of {purchase.total:g}, "
                "expected a negative total (refund) or quantities of zero and more",
            )


def _explain(topic: str, value: bytes, refusal: Exception) -> InvalidEvent:
    """Why a record was refused: pydantic's words where it has any, else the refusal's own."""
    try:
        MODELS[topic].model_validate_json(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            return InvalidEvent("not-json", f"{first['msg']}, expected one JSON object")
        where = ".".join(str(part) for part in first["loc"]) or "record"
        reason = "missing-field" if first["type"] == "missing" else "invalid"
        return InvalidEvent(reason, f"{where}: {first['msg']} (got {first.get('input')!r:.80})")
    reason = "invalid" if isinstance(refusal, msgspec.ValidationError) else "not-json"
    return InvalidEvent(reason, str(refusal))
