"""Defined segments of the customers in a table: events in, changes and due times out. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.columns import Columns
from stream.conditions import Change as Turn
from stream.conditions import (
    Changed,
    Definitions,
    Memory,
    Percentiles,
    Point,
    Ranks,
    purchase_event,
    unknown_past,
)
from stream.customer import UNASSIGNED, Table
from stream.decoding import Decoded, category_code
from stream.extra import Extra
from stream.membership import Change, cluster_segment
from stream.topics import INTERACTIONS, PROFILES, PURCHASES

_CHANGED = {
    INTERACTIONS: Changed.ACTIVITY | Changed.AFFINITIES | Changed.CLUSTER,
    PURCHASES: Changed.ACTIVITY | Changed.ORDERS | Changed.AFFINITIES | Changed.CLUSTER,
    PROFILES: Changed.ACTIVITY | Changed.TRAITS | Changed.CLUSTER,
}


#: Topics whose events the conditions see; a point is the next offset of each, in this order.
POINT_TOPICS = (INTERACTIONS, PURCHASES)


def point_of(ends: Mapping[str, int]) -> Point:
    """The point at which a partition stands, by its next offsets."""
    return tuple(ends.get(topic, 0) for topic in POINT_TOPICS)


def seen_as(topic: str, event: Any) -> tuple[str, int, Mapping[str, Any], int | None]:
    """Name, time, properties and amount under which conditions see an event of `POINT_TOPICS`."""
    if topic == INTERACTIONS:
        return event.name, event.timestamp, event.properties, None
    name, properties = purchase_event(event.total, event.currency, event.items)
    return name, event.timestamp, properties, event.total


def changed_by(topics: Iterable[str]) -> int:
    """Facts that events of these topics may change: flags of `Changed`."""
    found: int = Changed.NOTHING
    for topic in topics:
        found |= _CHANGED[topic]
    return found


@lru_cache(maxsize=64)
def _names(categories: frozenset[str]) -> dict[int, str]:
    """Code → name: of the categories themselves only codes are remembered."""
    return {category_code(category): category for category in categories}


class CustomerFacts:
    """What the conditions see of one row."""

    def __init__(self, row: NDArray[Any], extra: Extra, percentiles: Percentiles) -> None:
        self._row, self._extra, self.percentiles = row, extra, percentiles

    @property
    def traits(self) -> Mapping[str, Any]:
        known = self._extra.traits
        return {name: value for name, (value, _) in known.items() if value is not None}

    @property
    def events(self) -> int:
        return int(self._row["events"])

    @property
    def orders(self) -> int:
        return int(self._row["orders"])

    @property
    def spend_minor(self) -> int:
        return int(self._row["spend_minor"])

    @property
    def first_seen_ms(self) -> int:
        return int(self._row["first_seen_ms"])

    @property
    def last_seen_ms(self) -> int:
        return int(self._row["last_seen_ms"])

    def affinities(self, categories: frozenset[str]) -> Mapping[str, float]:
        """Share of each of these categories among the remembered ones."""
        names, weights = _names(categories), self._row["weights"].tolist()
        pairs = zip(self._row["categories"].tolist(), weights, strict=True)
        total = sum(weights) or 1.0
        return {names[code]: w / total for code, w in pairs if w > 0 and code in names}

    @property
    def cluster(self) -> str | None:
        cluster = int(self._row["cluster"])
        return None if cluster == UNASSIGNED else cluster_segment(cluster)


@dataclass(slots=True)
class Turns:
    """What evaluations of a batch found; `point` is where its partition stood before it."""

    point: Point | None = None
    #: Row → its turns, in the order in which they came about.
    turns: dict[int, list[Turn]] = field(default_factory=dict)
    #: Row → ms of the next evaluation, None for none; only where it is another than before.
    due: dict[int, int | None] = field(default_factory=dict)

    def changes(self, table: Table, definitions: Definitions) -> Iterator[Change]:
        """Change records of the segments that are published."""
        for row, turns in self.turns.items():
            version = int(table.rows["version"][row])
            for turn in turns:
                segment = definitions.segments.get(turn.segment)
                if segment is None or not segment.shadow:
                    yield Change(
                        table.names[row], turn.segment, turn.change, turn.at_ms, turn.cause,
                        turn.reason, version, turn.due_ms,
                    )  # fmt: skip

    def memberships(self, table: Table) -> list[Any]:
        """Customer, segment, ms entered or "" for a leaver; flat."""
        flat: list[Any] = []
        for row, turns in self.turns.items():
            for turn in turns:
                entered = turn.at_ms if turn.change == "entered" else ""
                flat += (table.names[row], turn.segment, entered)
        return flat


class Past(Protocol):
    """What happened to customers before their states begin."""

    def complete(self, customer_id: str, memory: Memory, definitions: Definitions) -> bool:
        """Give a memory what it lacks; whether it lacked anything."""


class Defined:
    """The definitions in force, applied to the rows of tables."""

    def __init__(self, definitions: Definitions, ranks: Ranks) -> None:
        self.definitions, self.ranks = definitions, ranks

    def take(
        self,
        table: Table,
        decoded: Decoded,
        batch: Columns,
        fresh: NDArray[np.bool_],
        new: frozenset[int],
        watermark_ms: int | None,
        found: Turns,
    ) -> None:
        """Fold a batch's events into the memories, in the order of their offsets.

        What ended by itself before an event is seen to end first; turns are added to `found`.
        `watermark_ms` is the newest event's time before this batch where the events are the clock
        (each is then judged when it comes), and None where the wall clock is.
        """
        changed = _CHANGED[decoded.topic]
        at_ms, rows = batch.at_ms.tolist(), batch.rows.tolist()
        newest_ms = np.maximum(np.maximum.accumulate(batch.at_ms), watermark_ms or 0).tolist()
        for i in np.flatnonzero(fresh).tolist():
            row, at = rows[i], at_ms[i]
            extra = self._extra(table, row, found.point, new=row in new)
            now = at if watermark_ms is None else newest_ms[i]
            if 0 < extra.due_ms <= now:
                self._judge(table, row, extra, now, Changed.NOTHING, found)
            cares = False
            if decoded.topic != PROFILES:
                seen = seen_as(decoded.topic, decoded.events[i])
                cares = self.definitions.observe(extra.memory, *seen)
            if watermark_ms is not None and (cares or decoded.topic == PROFILES):
                self._judge(table, row, extra, now, changed, found)

    def evaluate(
        self, table: Table, rows: Iterable[int], now_ms: int, changed: int, found: Turns
    ) -> None:
        """Evaluate rows at `now_ms`, adding to `found`; of those of whom nothing has changed,
        where they stand among all."""
        if changed == Changed.NOTHING and self.definitions.ranked:
            changed = Changed.RANKS
        for row in rows:
            extra = self._extra(table, row, found.point)
            self._judge(table, row, extra, now_ms, changed, found)

    def complete(
        self, table: Table, rows: NDArray[np.int64], past: Past, found: Turns
    ) -> list[int]:
        """Give rows what their memories lack; those that lacked anything."""
        return [
            row
            for row in rows.tolist()
            if past.complete(
                table.names[row], self._extra(table, row, found.point).memory, self.definitions
            )
        ]

    def _judge(
        self, table: Table, row: int, extra: Extra, now_ms: int, changed: int, found: Turns
    ) -> None:
        facts = CustomerFacts(table.rows[row], extra, self.ranks)
        verdict = self.definitions.evaluate(extra.memory, facts, now_ms, extra.memberships, changed)
        if verdict.changes:
            extra.memberships = dict(verdict.memberships)
            found.turns.setdefault(row, []).extend(verdict.changes)
        if (verdict.due_ms or 0) != extra.due_ms:
            extra.due_ms = verdict.due_ms or 0
            found.due[row] = verdict.due_ms

    def rank(self, table: Table, rows: Iterable[int], now_ms: int, partition: int) -> None:
        """Let a partition's customers count in the percentiles; each once per generation."""
        for row in rows:
            extra = table.extra.get(row) or Extra()
            facts = CustomerFacts(table.rows[row], extra, self.ranks)
            values = self.definitions.measures(extra.memory, facts, now_ms)
            self.ranks.add(values.items(), partition)

    def published(self, extra: Extra | None) -> list[str]:
        """Segments of a customer that others may see, sorted."""
        if extra is None:
            return []
        known = self.definitions.segments
        return sorted(s for s in extra.memberships if s not in known or not known[s].shadow)

    def _extra(self, table: Table, row: int, point: Point | None, *, new: bool = False) -> Extra:
        extra = table.extra.get(row)
        if extra is None:
            extra = table.extra[row] = Extra()
        if not extra.memory and not new:
            extra.memory = unknown_past()
        self.definitions.adopt(extra.memory, point)
        return extra
