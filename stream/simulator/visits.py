"""One visit of one customer, step by step."""

import random
from collections.abc import Iterator
from typing import Any

from stream.simulator.catalog import CATEGORIES, Product, pick
from stream.simulator.personas import (
    COMPANY_SIZES,
    COUNTRIES,
    INDUSTRIES,
    INTERESTS,
    PERSONAS,
    Persona,
)
from stream.topics import INTERACTIONS, PROFILES, PURCHASES

DAY_MS = 24 * 60 * 60 * 1000
_HOUR_MS = 60 * 60 * 1000

#: Topic, record (its event id and timestamp still None), milliseconds until the next step.
Step = tuple[str, dict[str, Any], int]

_PERSONAS = list(PERSONAS.values())
_SHARES = [persona.share for persona in _PERSONAS]
_CATEGORIES = list(CATEGORIES)
_TERMS = ("best", "cheap", "new", "compare", "gift", "small", "green", "review")
#: Chance that a visit of a known customer changes its profile (moved, new interests, grew).
_PROFILE_CHANGE = 0.02
#: Chance that such a change includes the country.
_MOVED = 0.2


class Customer:
    """A simulated customer: who it is now, and what lies in its cart."""

    __slots__ = ("cart", "customer_id", "favourite", "key", "orders", "persona", "traits")

    def __init__(self, number: int, draw: random.Random) -> None:
        self.customer_id = f"c{number:06d}"
        self.key = self.customer_id.encode()
        self.persona = draw.choices(_PERSONAS, _SHARES)[0]
        self.favourite = draw.choice(_CATEGORIES)
        self.cart: list[tuple[Product, int, int]] = []
        self.orders = 0
        self.traits: dict[str, Any] = {}

    def record(self, **fields: Any) -> dict[str, Any]:
        """Record of this customer; the simulator fills in event id and timestamp."""
        return {
            "event_id": None, "customer_id": self.customer_id, "timestamp": None, **fields
        }  # fmt: skip

    def did(self, event: str, properties: dict[str, Any]) -> dict[str, Any]:
        """Interaction record, as `record`; spelled out because most events pass here."""
        return {
            "event_id": None, "customer_id": self.customer_id, "timestamp": None,
            "name": event, "properties": properties,
        }  # fmt: skip


def visit(customer: Customer, draw: random.Random, currency: str) -> Iterator[Step]:
    """The steps of one visit; the last one's delay is meaningless."""
    persona = customer.persona
    if not customer.traits or draw.random() < _PROFILE_CHANGE:
        yield PROFILES, _profile(customer, draw), _pause(draw, 8)
    about = customer.favourite if draw.random() < persona.focus else draw.choice(_CATEGORIES)
    yield from _browse(customer, about, draw)
    if not customer.cart:
        return
    yield INTERACTIONS, customer.did("Cart Viewed", {"cart_size": len(customer.cart)}), _pause(draw)
    if draw.random() >= persona.checkout:
        return
    value = _amount(sum(price * quantity for _, price, quantity in customer.cart))
    yield INTERACTIONS, customer.did("Checkout Started", {"value": value}), _pause(draw, 90)
    if draw.random() < persona.order:
        yield PURCHASES, order(customer, currency), 0
        customer.favourite = about


def _browse(customer: Customer, about: str, draw: random.Random) -> Iterator[Step]:
    persona = customer.persona
    random_ = draw.random
    if random_() < persona.search:
        query = f"{draw.choice(_TERMS)} {about}"
        yield INTERACTIONS, customer.did("Products Searched", {"query": query}), _pause(draw, 12)
    else:
        listed = {"category": about, "list_id": "sale" if persona.price < 0.8 else about}
        yield INTERACTIONS, customer.did("Product List Viewed", listed), _pause(draw, 15)
    for _ in range(1 + int(random_() * 2 * persona.views)):
        product = pick(about, random_())
        price = round(product.price_minor * persona.price)
        seen = {
            "product_id": product.product_id, "category": about, "price": _amount(price)
        }  # fmt: skip
        yield INTERACTIONS, customer.did("Product Viewed", seen), _pause(draw)
        if random_() < persona.add:
            quantity = 1 + int(random_() * persona.quantity)
            customer.cart.append((product, price, quantity))
            added = {**seen, "quantity": quantity}
            yield INTERACTIONS, customer.did("Product Added", added), _pause(draw, 10)


def order(customer: Customer, currency: str) -> dict[str, Any]:
    """Purchase of everything in the cart, which is empty afterwards."""
    customer.orders += 1
    lines, customer.cart = customer.cart, []
    return customer.record(
        order_id=f"{customer.customer_id}-{customer.orders}",
        total=_amount(sum(price * quantity for _, price, quantity in lines)),
        currency=currency,
        items=[
            {
                "product_id": product.product_id, "category": product.category,
                "price": _amount(price), "quantity": quantity,
            }
            for product, price, quantity in lines
        ],
    )  # fmt: skip


def refund(bought: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A negative purchase of one line of an order, or of all of it."""
    lines = bought["items"] if draw.random() < 0.5 else [draw.choice(bought["items"])]
    minor = sum(round(line["price"] * 100) * line["quantity"] for line in lines)
    back = [{**line, "quantity": -line["quantity"]} for line in lines]
    return {
        **bought, "event_id": None, "timestamp": None, "total": _amount(-minor), "items": back
    }  # fmt: skip


def _profile(customer: Customer, draw: random.Random) -> dict[str, Any]:
    traits = customer.traits
    if not traits:
        traits["age"] = 18 + int(draw.betavariate(2, 3) * 65)
        if customer.persona.business:
            traits["company_size"] = draw.choice(COMPANY_SIZES)
            traits["industry"] = draw.choice(INDUSTRIES)
    elif "company_size" in traits:
        traits["company_size"] = draw.choice(COMPANY_SIZES)
    if "country" not in traits or draw.random() < _MOVED:
        traits["country"] = draw.choice(COUNTRIES)
    traits["interests"] = sorted(draw.sample(INTERESTS, 1 + int(draw.random() * 3)))
    return customer.record(traits=dict(traits))


def change_persona(customer: Customer, draw: random.Random) -> None:
    """Turn the customer into one of the personas that its own leads to."""
    becomes = customer.persona.becomes
    customer.persona = PERSONAS[draw.choices(list(becomes), list(becomes.values()))[0]]


def next_visit_ms(persona: Persona, after_ms: int, draw: random.Random) -> int:
    """When the customer comes back: exponential gaps, moved into the persona's hours."""
    at = after_ms + 60_000 + int(draw.expovariate(persona.visits_per_week / (7 * DAY_MS)))
    return opening_ms(persona, at, draw)


def opening_ms(persona: Persona, at_ms: int, draw: random.Random) -> int:
    """`at_ms`, or a moment in the persona's next hours when it falls outside of them."""
    first, last = persona.hours
    day, in_day = divmod(at_ms, DAY_MS)
    if not first * _HOUR_MS <= in_day < last * _HOUR_MS:
        day += in_day >= last * _HOUR_MS
        at_ms = day * DAY_MS + int((first + draw.random() * (last - first)) * _HOUR_MS)
    # 1970-01-01 was a Thursday: days 2 and 3 of such a week are Saturday and Sunday.
    if persona.weekdays_only and day % 7 in (2, 3):
        at_ms += (4 - day % 7) * DAY_MS
    return at_ms


def _pause(draw: random.Random, seconds: int = 30) -> int:
    return 500 + int(draw.random() * 2000 * seconds)


def _amount(minor: int) -> float:
    return minor / 100
