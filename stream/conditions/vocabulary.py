"""Names that shops usually send, and notes on those of a file that are only near to one.

Names are free: whether a near one is misspelled only its author can say. Events and properties are
those of Segment's e-commerce spec, https://segment.com/docs/connections/spec/ecommerce/v2/; traits
those that its identify and group calls reserve.
"""

import re
from collections.abc import Iterable

from stream.conditions.problems import nearest
from stream.conditions.selection import ORDER_COMPLETED, ORDER_REFUNDED

EVENTS = (
    "Product Viewed", "Product Clicked", "Product List Viewed", "Product List Filtered",
    "Products Searched", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started",
    "Checkout Step Viewed", "Checkout Step Completed", "Payment Info Entered", ORDER_COMPLETED,
    ORDER_REFUNDED, "Order Updated", "Coupon Entered", "Coupon Applied", "Coupon Denied",
    "Coupon Removed", "Product Added to Wishlist", "Product Removed from Wishlist", "Cart Shared",
    "Product Shared", "Product Reviewed", "Promotion Viewed", "Promotion Clicked",
    "Wishlist Product Added to Cart", "Page Viewed", "Screen Viewed", "Signed Up",
    "Trial Started", "Webinar Registered",
)  # fmt: skip
#: What people call them, without blanks and small → the name that is sent.
_EVERYDAY = {
    **dict.fromkeys(
        ("addedtocart", "addtocart", "cartadd", "addedtobasket", "addtobasket", "cart", "basket",
         "addeditem", "itemadded", "addedproduct", "productaddedtocart"), "Product Added"),
    **dict.fromkeys(
        ("purchase", "purchased", "bought", "buy", "order", "ordered", "orderplaced",
         "placedorder", "completedorder", "ordercomplete", "checkoutcompleted", "sale", "paid",
         "transaction", "madeapurchase", "boughtsomething", "orderpaid", "completepurchase"),
        ORDER_COMPLETED),
    **dict.fromkeys(
        ("refund", "refunded", "return", "returned", "orderreturned", "ordercancelled",
         "ordercanceled", "refundedorder", "cancelled", "canceledorder", "cancelledorder"),
        ORDER_REFUNDED),
    **dict.fromkeys(
        ("checkout", "startedcheckout", "begincheckout", "initiatecheckout", "checkoutinitiated"),
        "Checkout Started"),
    **dict.fromkeys(
        ("viewedproduct", "productview", "viewitem", "viewcontent", "itemviewed", "viewed",
         "looked", "productpageviewed", "view"), "Product Viewed"),
    **dict.fromkeys(
        ("search", "searched", "searchedsite", "searchperformed", "productsearched"),
        "Products Searched"),
    **dict.fromkeys(
        ("removefromcart", "removedfromcart", "cartremove"), "Product Removed"),
    **dict.fromkeys(("pageview", "pageviewed", "visit", "visited", "viewedpage"), "Page Viewed"),
    **dict.fromkeys(("signup", "signedup", "register", "registered"), "Signed Up"),
    **dict.fromkeys(
        ("addedtowishlist", "addtowishlist", "wishlist"), "Product Added to Wishlist"),
}  # fmt: skip
#: Of a purchase there is nothing else.
_OF_PURCHASES = ("total", "currency", "category", "product_id")
_PROPERTIES = (
    "product_id", "sku", "category", "name", "brand", "variant", "price", "quantity", "coupon",
    "currency", "position", "value", "url", "image_url", "list_id", "query", "cart_id",
    "checkout_id", "order_id", "step", "shipping_method", "payment_method", "promotion_id",
    "affiliation", "total", "revenue", "discount", "tax", "shipping", "cart_size", "products",
)  # fmt: skip
_TRAITS = (
    "age", "birthday", "company", "created_at", "createdAt", "description", "email", "first_name",
    "firstName", "gender", "id", "last_name", "lastName", "name", "phone", "title", "username",
    "website", "city", "country", "interests", "language", "plan", "industry", "employees",
    "company_size", "vip",
)  # fmt: skip
_ANY = "*"
_COUNTED = re.compile(r"(?:last )?\d+ (\w+)$", re.IGNORECASE)
_SPOKEN = re.compile(r" (where|within|at_least|at_most) ", re.IGNORECASE)


def event_like(name: str) -> str:
    """The usual name of the event that `name` is near to; empty if it is none, or is one."""
    if name in EVENTS:
        return name
    folded = re.sub(r"[\W_]", "", name.casefold())
    everyday = _EVERYDAY.get(folded, "")
    if everyday or not folded.isascii():
        return everyday
    usual = {re.sub(r"[\W_]", "", event.casefold()): event for event in EVENTS}
    return usual.get(folded, "") or nearest(name, EVENTS, cutoff=0.85)


def event_note(name: str) -> tuple[str, str]:
    """What to note of an event's name, and the usual one; empty if there is nothing to say."""
    if spoken := _SPOKEN.search(name):
        field = spoken[1].lower()
        return f'"{name}" as a whole is the name of the event: {field}: is a field of its own', ""
    if (counted := _COUNTED.match(name)) and (usual := event_like(counted[1].removesuffix("s"))):
        said = "how often and how long ago are fields of their own: at_least: 3, within: 30d"
        return f'"{name}" as a whole is the name of the event: {said}', usual
    if name != _ANY and "*" in name:
        said = '"*" alone is any event; otherwise write any: and a condition for each'
        return f'"{name}" is the name of one event: {said}', ""
    usual = event_like(name) if name not in (_ANY, *EVENTS) else ""
    if not usual:
        return "", ""
    found = f'"{name}" is not "{usual}", as shops usually call it'
    if usual in (ORDER_COMPLETED, ORDER_REFUNDED):
        what = "purchases" if usual == ORDER_COMPLETED else "refunds and cancellations"
        found = f'"{name}" is not "{usual}", under which {what} count'
    return f"{found}; if no event has just that name the condition finds none", usual


def property_note(event: str, name: str) -> tuple[str, str]:
    """The same of a property of an event."""
    if event in (ORDER_COMPLETED, ORDER_REFUNDED):
        if name in _OF_PURCHASES or not name:
            return "", ""
        near = _MEANT.get(_folded(name)) or nearest(name, _OF_PURCHASES, cutoff=0.7)
        found = f'purchases have no "{name}", only {", ".join(_OF_PURCHASES)}'
        return found, near
    if name in _PROPERTIES:
        return "", ""
    near = _near(name, _PROPERTIES)
    return (f'"{name}" is not "{near}", as shops usually call it', near) if near else ("", "")


_MEANT = {
    **dict.fromkeys(("amount", "revenue", "value", "price", "sum", "spend", "ordertotal"), "total"),
    **dict.fromkeys(("product", "sku", "productid", "item"), "product_id"),
    "categories": "category",
}


def is_property(name: str) -> bool:
    """Whether properties of events are usually called so."""
    return name in _PROPERTIES


def trait_note(name: str) -> tuple[str, str]:
    """The same of a trait: only what differs from a usual one by capitals, blanks or a letter."""
    if name in _TRAITS:
        return "", ""
    near = _near(name, _TRAITS)
    return (f'"{name}" is not "{near}", as profiles usually have it', near) if near else ("", "")


def _near(name: str, known: Iterable[str]) -> str:
    folded = {_folded(one): one for one in known}
    if _folded(name) in folded:
        return folded[_folded(name)]
    return nearest(name, known, cutoff=0.86) if len(name) > 4 else ""


def _folded(name: str) -> str:
    return re.sub(r"[\W_]", "", name.casefold())
