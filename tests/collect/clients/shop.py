"""python shop.py PACKAGE HOST KEY USER: the same as segment.mjs with another SDK for Python.

`analytics` is Segment's older one, which makes the ids of messages itself.
"""

import importlib
import sys
from datetime import UTC, datetime

package, host, key, user = sys.argv[1:]
failures = []
client = importlib.import_module(f"{package}.client").Client(
    key, host=host, on_error=lambda error, batch: failures.append(error)
)
at = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def named(name):
    """Keywords of every call."""
    own = {} if package == "analytics" else {"message_id": f"{user}-{name}"}
    return {"timestamp": at, **own}


for i in range(50):
    viewed = {"product_id": f"p-{i}", "category": "shoes"}
    client.track(user, "Product Viewed", viewed, **named(f"view-{i}"))
order = {
    "order_id": "o-1",
    "total": 25,
    "currency": "USD",
    "products": [{"product_id": "p-7", "price": 12.5, "quantity": 2}],
}
client.track(user, "Order Completed", order, **named("order"))
client.identify(user, {"age": 34, "address": {"city": "Manila"}}, **named("identify"))
client.page(anonymous_id=f"{user}-anonymous", name="Home", **named("page"))
client.group(user, "g-1", {"industry": "logistics"}, **named("group"))
client.flush()
client.join()
sys.exit(1 if failures else 0)
