"""The job that every stream engine is given: what to remember of a customer, and how to count.

Count, sum, decay, nearest centroid; plain Python, as it is written for one event at a time.
The engines differ in how they bring events here, keep the state, and write it to Redis.
"""

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

#: Half-life of each decayed counter, in milliseconds: activity, spend.
_ACTIVITY_MS = 7 * 86_400_000
_SPEND_MS = 90 * 86_400_000
#: Any eight points in the space of the four features do: what counts is the search.
_CENTROIDS = tuple((float(i % 4), float(i % 3), 0.5 * (i % 5), 0.25 * (i % 7)) for i in range(8))

State = dict[str, Any]


def at_ms(timestamp: str | float) -> int:
    """Epoch milliseconds of an event's timestamp."""
    if isinstance(timestamp, str):
        return int(datetime.fromisoformat(timestamp).timestamp() * 1000)
    return int(timestamp)


def update(state: State | None, event: Mapping[str, Any]) -> State:
    """The customer's state after one more event."""
    now = at_ms(event["timestamp"])
    if state is None:
        state = {
            "events": 0,
            "orders": 0,
            "spend": 0,
            "last_ms": now,
            "activity": 0.0,
            "worth": 0.0,
        }
    elapsed = max(0, now - state["last_ms"])
    activity = state["activity"] * 2.0 ** (-elapsed / _ACTIVITY_MS)
    worth = state["worth"] * 2.0 ** (-elapsed / _SPEND_MS)
    orders, spend = state["orders"], state["spend"]
    total = event.get("total")
    if total is not None:
        minor = round(total * 100)
        orders, spend, worth = orders + (total >= 0), spend + minor, worth + minor / 100
    if "traits" not in event:
        activity += 1.0
    return {
        "events": state["events"] + 1,
        "orders": orders,
        "spend": spend,
        "last_ms": max(now, state["last_ms"]),
        "activity": activity,
        "worth": worth,
        "cluster": nearest(activity, worth, orders),
    }


def nearest(activity: float, worth: float, orders: int) -> int:
    """Index of the nearest centroid."""
    value = worth / orders if orders else 0.0
    x = (
        math.log1p(max(0.0, activity)),
        math.log1p(max(0.0, worth)),
        math.log1p(orders),
        math.log1p(max(0.0, value)),
    )
    distances = [math.dist(x, centroid) for centroid in _CENTROIDS]
    return distances.index(min(distances))


class Stopwatch:
    """Times a run from its first event to the end of its last write; then ends the process.

    A write that waits for a timer after the last event has come is timed as if it had begun at
    once: at a steady flow there is no such wait.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._first = self._last = 0.0
        self._written = 0

    def seen(self) -> None:
        """An event has come."""
        self._last = time.perf_counter()
        if not self._first:
            self._first = self._last

    def written(self, events: int, begun: float) -> None:
        """So many more events are in Redis, by a write that began at this `perf_counter`."""
        self._written += events
        if self._written >= self._total:
            waited = max(0.0, begun - self._last)
            tell(self._written, time.perf_counter() - self._first - waited)


def tell(events: int, seconds: float) -> None:
    """Say the figures and end at once: what an engine does when it stops is not measured."""
    print(json.dumps({"events": events, "seconds": seconds}), file=sys.__stdout__, flush=True)
    os._exit(0)
