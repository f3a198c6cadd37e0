"""Orders, refunds and cancellations of Segment's e-commerce spec as purchases."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from stream.collect.calls import identifier
from stream.collect.refusal import invalid
from stream.events import MAX_AMOUNT

#: Event's name in lower case → +1 for an order, -1 for what takes one back.
SIGNS: Mapping[str, int] = {
    "order completed": 1,
    "completed order": 1,
    "order refunded": -1,
    "refunded order": -1,
    "order cancelled": -1,
    "order canceled": -1,
    "cancelled order": -1,
    "canceled order": -1,
}
#: Where the amount is, the first that is there: what was paid for the goods comes first.
_AMOUNTS = ("total", "revenue", "value")
_MAX_TEXT = 256
_MAX_ITEMS = 1_000


@lru_cache(maxsize=4096)
def sign_of(event: str) -> int:
    """+1 for an order, -1 for a refund or cancellation, 0 for any other event."""
    return SIGNS.get(event.strip().lower().replace("_", " "), 0)


def purchase_fields(
    sign: int, properties: Mapping[str, Any], fallback_id: str, currency: str
) -> dict[str, Any] | None:
    """`order_id`, `total`, `currency` and `items` of a purchase.

    None where something of unknown amount is taken back: a total of zero would count as an
    order. An order of unknown amount is one of zero.

    Raises
    ------
    Refusal
        400 for an amount or a currency that no purchase can have.
    """
    items = _items(properties.get("products"), sign)
    amount = _amount(properties, items)
    if amount is None:
        if sign < 0:
            return None
        amount = 0.0
    if abs(amount) > MAX_AMOUNT:
        raise invalid(f"the order's amount: expected at most {MAX_AMOUNT:g}")
    order_id = identifier(properties.get("order_id") or properties.get("orderId")) or fallback_id
    return {
        "order_id": order_id[:_MAX_TEXT],
        "total": amount if sign > 0 else -abs(amount),
        "currency": _currency(properties.get("currency"), currency),
        "items": items,
    }


def number(value: Any) -> float | None:
    """A finite number, also where it is written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found: float = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _amount(properties: Mapping[str, Any], items: list[dict[str, Any]]) -> float | None:
    for name in _AMOUNTS:
        found = number(properties.get(name))
        if found is not None:
            return found
    if any("price" in item for item in items):
        # Cents do not survive a sum of floats.
        total: float = sum(i.get("price", 0.0) * abs(i["quantity"]) for i in items)
        return round(total, 6)
    return None


def _items(products: Any, sign: int) -> list[dict[str, Any]]:
    if not isinstance(products, list):
        return []
    return [_item(p, sign) for p in products[:_MAX_ITEMS] if isinstance(p, dict)]


def _item(product: Mapping[str, Any], sign: int) -> dict[str, Any]:
    quantity = number(product.get("quantity"))
    # A negative quantity belongs to a negative total only.
    item: dict[str, Any] = {"quantity": sign * abs(1.0 if quantity is None else quantity)}
    price = number(product.get("price"))
    if price is not None:
        item["price"] = price
    product_id = identifier(
        product.get("product_id")
        or product.get("productId")
        or product.get("sku")
        or product.get("id")
    )
    if product_id:
        item["product_id"] = product_id
    if isinstance(product.get("category"), str):
        item["category"] = product["category"]
    return item


def _currency(value: Any, fallback: str) -> str:
    if value is None or value == "":
        return fallback
    code = value.strip().upper() if isinstance(value, str) else ""
    if len(code) != 3:
        raise invalid("the order's currency: expected a code of three letters")
    return code
