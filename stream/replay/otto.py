"""OTTO recommender data (otto-de/recsys-dataset): one line of JSON per session.

Clicks become Product Viewed, carts Product Added; orders of the same session and moment are one
purchase. The data has no amounts: such a purchase counts as an order of total 0. The customer is
the session, which in this data set is one user's four weeks.
"""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import msgspec

from stream.replay.history import History, HistoryError, Recorded, in_time_order, lines
from stream.timestamps import rfc3339
from stream.topics import INTERACTIONS, PURCHASES

_NAMES = {"clicks": "Product Viewed", "carts": "Product Added"}


class _Event(msgspec.Struct):
    aid: int
    ts: int
    type: Literal["clicks", "carts", "orders"]


class _Session(msgspec.Struct):
    session: int
    events: list[_Event]


_decode = msgspec.json.Decoder(_Session).decode


def read_otto(path: Path, currency: str) -> History:
    """Streams the file; each session in time order, and all of them as far as fits in memory.

    Raises (while records are read)
    -------------------------------
    HistoryError
        Naming the line that is no session.
    """
    return History(in_time_order(_records(path, currency)))


def _records(path: Path, currency: str) -> Iterator[Recorded]:
    for number, line in enumerate(lines(path), 1):
        try:
            session = _decode(line)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise HistoryError(
                f"{path}: line {number}: {error}, expected a session of the OTTO data set"
            ) from None
        yield from _session(session, currency)


def _session(session: _Session, currency: str) -> Iterator[Recorded]:
    customer_id = str(session.session)
    events = sorted(session.events, key=lambda event: event.ts)
    number = 0
    for (ts, kind), group in groupby(events, key=lambda event: (event.ts, event.type)):
        products = [str(event.aid) for event in group]
        if kind == "orders":
            fields: list[dict[str, Any]] = [_order(customer_id, products, ts, currency)]
        else:
            fields = [
                {"name": _NAMES[kind], "properties": {"product_id": product}}
                for product in products
            ]
        for body in fields:
            number += 1
            record = {
                "event_id": f"otto-{customer_id}-{number}", "customer_id": customer_id,
                "timestamp": rfc3339(ts), **body,
            }  # fmt: skip
            topic = PURCHASES if kind == "orders" else INTERACTIONS
            yield Recorded(ts, topic, customer_id.encode(), msgspec.json.encode(record))


def _order(customer_id: str, products: list[str], ts: int, currency: str) -> dict[str, Any]:
    return {
        "order_id": f"{customer_id}-{ts}", "total": 0.0, "currency": currency,
        "items": [{"product_id": product} for product in products],
    }  # fmt: skip
