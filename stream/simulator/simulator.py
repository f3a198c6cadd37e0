"""The shop as a whole: all customers' visits in time order."""

import heapq
import math
import random
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from stream.simulator.visits import (
    DAY_MS,
    Customer,
    Step,
    change_persona,
    next_visit_ms,
    opening_ms,
    refund,
    visit,
)
from stream.timestamps import rfc3339
from stream.topics import PURCHASES

#: All customers come once within so much time: few events suffice to meet everyone.
_FIRST_VISITS_MS = DAY_MS // 2
_REHEARSED = 5_000
_MARGIN = 1.1
_LONGEST_NAP_SECONDS = 0.05


class SimulatedEvent(NamedTuple):
    """One event as it goes to Kafka: topic, customer id (the key) and record."""

    topic: str
    key: str
    record: dict[str, Any]


class Simulator:
    """A shop whose customers have personas; the same seed gives the same events.

    Event ids are unique within one simulator. Events come in time order; what was taken by one
    method is not seen again by another, so a backlog can be followed by live events.

    Parameters
    ----------
    customers
        How many there are; each comes at least once in the first day (business buyers: the
        first working day).
    seed
        Of everything random, and part of the event ids.
    start_ms
        When the first day begins, epoch milliseconds.
    until_ms
        No event is stamped later (events beyond it are stamped with it); None: no bound.
    change
        Chance that a customer turns into another persona after a visit.
    currency
        Of all orders.
    """

    def __init__(
        self,
        customers: int,
        seed: int,
        start_ms: int,
        *,
        until_ms: int | None = None,
        change: float = 0.04,
        currency: str = "USD",
    ) -> None:
        self._draw = random.Random(seed)
        self._customers = [Customer(number, self._draw) for number in range(customers)]
        self._change = change
        self._currency = currency
        self._until_ms = until_ms
        self._prefix = f"sim-{seed}-"
        self._sent = 0
        #: (when, tie-breaker, customer, steps left); the tie-breaker is unique.
        self._agenda: list[tuple[int, int, Customer, Iterator[Step]]] = []
        self._entries = 0
        for customer in self._customers:
            at = start_ms + int(self._draw.random() * _FIRST_VISITS_MS)
            self._plan(opening_ms(customer.persona, at, self._draw), customer)

    @classmethod
    def backlog(
        cls, customers: int, seed: int, events: int, end_ms: int, **options: Any
    ) -> "Simulator":
        """Simulator whose first `events` events end shortly before `end_ms`, and never after it.

        How long the history must be is tried out on a smaller shop with the same seed.
        """
        rehearsed = min(events, _REHEARSED)
        few = max(1, customers * rehearsed // max(1, events))
        shop = cls(few, seed, 0, **options)
        last = max((at for at, *_ in islice(shop._run(), rehearsed)), default=0)
        # Whole days, so that the hours of the day stay the same.
        days = int(last * _MARGIN // DAY_MS) + 1
        start = (end_ms // DAY_MS - days) * DAY_MS
        return cls(customers, seed, start, until_ms=end_ms, **options)

    def persona_of(self, customer_id: str) -> str:
        """Name of the persona that the customer has now."""
        return self._customers[int(customer_id[1:])].persona.name

    def events(self) -> Iterator[SimulatedEvent]:
        """Events without end, with the shop's own timestamps."""
        for at, topic, customer, record in self._run():
            record["timestamp"] = rfc3339(at)
            yield SimulatedEvent(topic, customer.customer_id, record)

    def encoded(self) -> Iterator[tuple[str, bytes, bytes]]:
        """As `events`, ready to send: topic, key bytes, JSON bytes."""
        encode = msgspec.json.Encoder().encode
        for at, topic, customer, record in self._run():
            record["timestamp"] = rfc3339(at)
            yield topic, customer.key, encode(record)

    def live(
        self,
        rate: float,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], object] = time.sleep,
        *,
        together_ms: int = 0,
    ) -> Iterator[SimulatedEvent]:
        """`rate` events per second, stamped with the clock: the shop in fast motion.

        A consumer that falls behind gets the missed events at once afterwards.

        Parameters
        ----------
        together_ms
            What happens within so many milliseconds comes at once, at the end of them.
        """
        begun = clock_ms()
        for number, (_, topic, customer, record) in enumerate(self._run()):
            due = begun + number * 1000 / rate
            if together_ms:
                due = begun + math.ceil((due - begun) / together_ms) * together_ms
            while (now := clock_ms()) < due:
                sleep(min((due - now) / 1000, _LONGEST_NAP_SECONDS))
            record["timestamp"] = rfc3339(now)
            yield SimulatedEvent(topic, customer.customer_id, record)

    def _plan(self, at_ms: int, customer: Customer, steps: Iterator[Step] | None = None) -> None:
        self._entries += 1
        steps = visit(customer, self._draw, self._currency) if steps is None else steps
        heapq.heappush(self._agenda, (at_ms, self._entries, customer, steps))

    def _run(self) -> Iterator[tuple[int, str, Customer, dict[str, Any]]]:
        """Time in ms, topic, customer and record (timestamp still None), in time order."""
        agenda, replace = self._agenda, heapq.heapreplace
        prefix, until_ms = self._prefix, self._until_ms
        while agenda:
            at, entry, customer, steps = agenda[0]
            step = next(steps, None)
            if step is None:
                heapq.heappop(agenda)
                self._leave(at, customer)
                continue
            topic, record, pause = step
            replace(agenda, (at + pause, entry, customer, steps))
            if topic == PURCHASES:
                self._maybe_refund(at, customer, record)
            self._sent += 1
            record["event_id"] = f"{prefix}{self._sent}"
            yield at if until_ms is None else min(at, until_ms), topic, customer, record

    def _leave(self, at_ms: int, customer: Customer) -> None:
        if self._draw.random() < self._change:
            change_persona(customer, self._draw)
        self._plan(next_visit_ms(customer.persona, at_ms, self._draw), customer)

    def _maybe_refund(self, at_ms: int, customer: Customer, bought: dict[str, Any]) -> None:
        if bought["total"] > 0 and self._draw.random() < customer.persona.refund:
            back = refund(bought, self._draw)
            days = 1 + self._draw.random() * 13
            self._plan(at_ms + int(days * DAY_MS), customer, iter([(PURCHASES, back, 0)]))
