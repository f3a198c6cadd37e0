"""Throughput and memory as the number of customers grows."""

import time
from typing import Any

from scripts.benches.ground import drain, fill, worker
from scripts.benches.grown import Grown, bytes_per_customer

#: Customers that are active in the measurement where only the store grows.
_ACTIVE = 10_000
_LIMIT_SECONDS = 600.0


def growth(there: Grown, events: int) -> dict[str, Any]:
    """One size of store; each backlog is applied by a worker that has nobody in memory yet.

    `active_customers`: events of the same 10,000 customers whatever the size of the store.
    `all_customers`: events of all of them, in visits; the larger the store, the rarer one
    customer's next event, and the more states are read from Redis.
    """
    figures: dict[str, Any] = {
        "customers": there.customers,
        "history_events": there.events,
        "bytes_per_customer": bytes_per_customer(there),
        "worker_mb": there.worker_mb,
    }
    active = min(_ACTIVE, there.customers)
    for number, (name, people) in enumerate(
        (("active_customers", active), ("all_customers", there.customers))
    ):
        figures[name] = _backlog(there, events, people, there.seed + 1 + number)
    return figures


def _backlog(there: Grown, events: int, customers: int, seed: int) -> dict[str, Any]:
    fill(there.settings, events, customers, seed)
    # What Redis has to do after the load, such as writing its file anew, is not measured.
    time.sleep(2.0)
    before = there.events
    there.events = before + events
    with worker(there.settings) as process:
        done = drain(
            there.client, process, there.settings.partitions, there.events, before, _LIMIT_SECONDS
        )
    return {"events": events, "events_per_second": round(done.events_per_second),
            "per_event": done.per_event}  # fmt: skip
