"""One partition's customers: a batch of events in, one atomic write out. No I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream.conditions import Changed
from stream.customer import UNASSIGNED, Extra, Table, fold
from stream.decoding import CategoryCodes, Decoded, columns
from stream.defined import Defined, Turns
from stream.features import vectors
from stream.membership import Cause, Change, Clusters, assign_clusters, cluster_segment
from stream.store.write import Group, Write
from stream.topics import PURCHASES

#: Fields that every write of a customer has; with orders and refunds; and all of them.
_FIELDS = ("events", "last_seen", "version", "confidence", "cluster_name", "due_at")
_FIELDS_WITH_MONEY = (*_FIELDS, "orders", "spend")
#: Samples of one batch at most.
_MOST_SAMPLES = 100
_ALL = (*_FIELDS_WITH_MONEY, "first_seen", "cluster", "segments")


#: Customers and their feature vectors, to be learned from.
Samples = list[tuple[str, NDArray[np.float64]]]


@dataclass(slots=True)
class _Task:
    """Customers to judge and to write: `rows`, and by position which need all fields and the
    offset of their last event (none in a review)."""

    write: Write
    rows: NDArray[np.int64]
    full: NDArray[np.bool_]
    offsets: NDArray[np.int64]
    now_ms: int
    cause: Cause
    fields: Sequence[str]
    turns: Turns


class Segmenter:
    """Customers of one partition and where its topics stand.

    Attributes
    ----------
    table
        Customers in memory; they are what Redis has as long as `writer` wrote last.
    ends
        Topic → next offset to apply; a topic that Redis knows nothing of is missing.
    writer
        Token of the partition's last write that `table` is based on.
    newest_ms
        The newest event's time: the partition's watermark.
    """

    def __init__(self, partition: int, cache: int) -> None:
        self.partition = partition
        self.table = Table(cache)
        self.codes = CategoryCodes()
        self.ends: dict[str, int] = {}
        self.writer = ""
        self.newest_ms = 0

    def load(
        self, customers: Sequence[str], stored: Sequence[bytes | None], *, idle: bool = False
    ) -> None:
        """Take customers into the table as Redis has them."""
        start = len(self.table)
        self.table.load(customers, stored, idle=idle)
        self.newest_ms = max(
            self.newest_ms, int(self.table.rows["last_seen_ms"][start : len(self.table)].max())
        )

    def distrust(self) -> None:
        """Forget everything: a write may or may not have happened. The next one will miss."""
        self.table.clear()
        self.codes.forget()
        self.writer = "unknown"

    def reset(self, ends: dict[str, int], writer: str) -> None:
        """Start again from what Redis says."""
        if writer != self.writer:
            self.table.clear()
            self.codes.forget()
        self.ends, self.writer = dict(ends), writer

    def compute(
        self,
        decoded: Decoded,
        now_ms: int | None,
        wall_ms: int,
        snapshot: Snapshot | None,
        defined: Defined | None = None,
    ) -> tuple[Write, Samples]:
        """Fold events in and say what to write, and which samples to learn from.

        Every customer of `decoded` must be in the table. `now_ms` is None where the newest
        event is the clock; `wall_ms` stamps the write.
        """
        write = self.blank(wall_ms, snapshot, defined)
        _count(write, decoded)
        if not decoded.events:
            return write, []
        batch = columns(decoded, self.table.index, self.codes)
        first = self.table.rows["events"][batch.rows] == 0
        folded = fold(self.table, batch)
        rows = folded.rows
        applied = int(folded.fresh.sum())
        _add(write, "applied", applied)
        _add(write, "duplicates", len(folded.fresh) - applied)
        self.table.touch(rows)
        watermark_ms = None if now_ms is not None else self.newest_ms
        self.newest_ms = max(self.newest_ms, int(batch.at_ms.max()))
        offsets = np.zeros(len(self.table), np.int64)
        offsets[batch.rows] = decoded.offsets
        now = self.newest_ms if now_ms is None else now_ms
        turns = Turns()
        if defined is not None:
            new = frozenset(batch.rows[first].tolist())
            turns = defined.take(self.table, decoded, batch, folded.fresh, new, watermark_ms)
        fields = _FIELDS_WITH_MONEY if decoded.topic == PURCHASES else _FIELDS
        task = _Task(write, rows, folded.older, offsets[rows], now, "event", fields, turns)
        x = self._decide(task, snapshot, defined)
        return write, self._samples(rows, x, snapshot)

    def review(
        self,
        customers: Sequence[str],
        now_ms: int | None,
        wall_ms: int,
        snapshot: Snapshot | None,
        cause: Cause,
        defined: Defined | None = None,
    ) -> tuple[Write, Samples]:
        """Evaluate customers without an event; only those of whom something changes are written.

        Idle customers are samples too: a panel that only hears of active ones does not know
        what a customer looks like who stays away.
        """
        now = self.newest_ms if now_ms is None else now_ms
        rows = np.array([self.table.index[name] for name in customers], np.int64)
        x = vectors(self.table.rows[rows], now)
        write, samples = self.blank(wall_ms, snapshot, defined), self._samples(rows, x, snapshot)
        changing = np.zeros(len(rows), bool)
        turns = Turns()
        if snapshot is not None and len(rows):
            ids, _ = snapshot.assign(x, self.table.rows["cluster"][rows].astype(np.int64))
            changing = ids != self.table.rows["cluster"][rows]
        if defined is not None:
            defined.evaluate(self.table, rows.tolist(), now, Changed.NOTHING, turns)
            changing |= np.isin(rows, [*turns.turns, *turns.due])
        rows = rows[changing]
        if len(rows):
            self.table.rows["version"][rows] += 1
            everybody, nothing = np.ones(len(rows), bool), np.zeros(0, np.int64)
            task = _Task(write, rows, everybody, nothing, now, cause, _FIELDS, turns)
            self._decide(task, snapshot, defined)
        return write, samples

    def rank(self, customers: Sequence[str], now_ms: int | None, defined: Defined) -> None:
        """Let customers in the table count in the percentiles."""
        index, now = self.table.index, self.newest_ms if now_ms is None else now_ms
        defined.rank(self.table, [index[name] for name in customers if name in index], now)

    def blank(
        self, wall_ms: int, snapshot: Snapshot | None, defined: Defined | None = None
    ) -> Write:
        """A write that changes nothing yet."""
        write = Write(self.partition, expected_writer=self.writer)
        write.constants = {
            "updated_at": wall_ms,
            "model_version": snapshot.version if snapshot else 0,
            "definitions_version": defined.definitions.version if defined else "",
        }
        return write

    def _decide(
        self, task: "_Task", snapshot: Snapshot | None, defined: Defined | None
    ) -> NDArray[np.float64]:
        """Judge the task's customers and complete its write; their feature vectors."""
        rows, write = task.rows, task.write
        state = self.table.rows[rows]
        x = vectors(state, task.now_ms)
        event = task.cause == "event"
        at_ms = state["last_seen_ms"] if event else np.full(len(rows), task.now_ms)
        clusters = assign_clusters(self.table, rows, x, snapshot, at_ms, task.cause)
        changes = list(clusters.changes)
        task.full[clusters.moved] = True
        if defined is not None:
            judged = rows if event else rows[clusters.moved]
            flags = Changed.ALL if event else Changed.CLUSTER
            defined.evaluate(self.table, judged.tolist(), task.now_ms, flags, task.turns)
            changes += task.turns.changes(self.table, defined.definitions)
            task.full |= np.isin(rows, list(task.turns.turns))
            names = self.table.names
            write.due = list(
                chain.from_iterable((names[r], d or "") for r, d in task.turns.due.items())
            )
        self._group(task, clusters, snapshot, defined)
        write.changes = [change.encoded() for change in changes]
        write.memberships = _memberships(clusters.changes) + task.turns.memberships(self.table)
        write.categories = list(chain.from_iterable(self.codes.fresh.items()))
        self.codes.fresh = {}
        return x

    def _group(
        self,
        task: "_Task",
        clusters: Clusters,
        snapshot: Snapshot | None,
        defined: Defined | None,
    ) -> None:
        for fields, chosen in ((task.fields, ~task.full), (_ALL, task.full)):
            which = np.flatnonzero(chosen)
            if not len(which):
                continue
            rows, confidence = task.rows[which], clusters.confidence[which]
            values = self._values(rows, fields, confidence, snapshot, defined)
            sourced = len(task.offsets) > 0
            if sourced:
                values.append(task.offsets[which].tolist())
            flat = list(chain.from_iterable(zip(*values, strict=True)))
            task.write.groups.append(Group(fields, len(which), flat, sourced))

    def _values(
        self,
        rows: NDArray[np.int64],
        fields: Sequence[str],
        confidence: NDArray[np.float32],
        snapshot: Snapshot | None,
        defined: Defined | None,
    ) -> list[list[Any]]:
        state, names = self.table.rows[rows], self.table.names
        values: list[list[Any]] = [[names[row] for row in rows.tolist()], self.table.dump(rows)]
        columns_of = {
            "events": "events",
            "last_seen": "last_seen_ms",
            "version": "version",
            "orders": "orders",
            "spend": "spend_minor",
            "first_seen": "first_seen_ms",
        }
        for name in fields:
            if name in columns_of:
                values.append(state[columns_of[name]].tolist())
            elif name == "confidence":
                values.append(np.round(confidence.astype(np.float64), 2).tolist())
            elif name == "cluster":
                values.append([cluster_segment(c) for c in state["cluster"].tolist()])
            elif name == "cluster_name":
                values.append([_name(snapshot, c) for c in state["cluster"].tolist()])
            elif name == "segments":
                clusters = state["cluster"].tolist()
                extras = [self.table.extra.get(row) for row in rows.tolist()]
                values.append(
                    [_segments(c, e, defined) for c, e in zip(clusters, extras, strict=True)]
                )
            elif name == "due_at":
                extras = [self.table.extra.get(row) for row in rows.tolist()]
                values.append([(extra.due_ms or "") if extra else "" for extra in extras])
        return values

    def _samples(
        self, rows: NDArray[np.int64], x: NDArray[np.float64], snapshot: Snapshot | None
    ) -> Samples:
        rate = snapshot.panel_rate if snapshot else 1.0
        names = self.table.names
        places = self.table.panel[rows]
        chosen = np.flatnonzero(places < rate)
        if len(chosen) > _MOST_SAMPLES:
            # The lowest stay in the panel whatever its share becomes.
            chosen = chosen[np.argpartition(places[chosen], _MOST_SAMPLES)[:_MOST_SAMPLES]]
        return [(names[rows[i]], x[i]) for i in chosen.tolist()]


def _add(write: Write, counter: str, number: int) -> None:
    if number:
        write.counters[counter] = write.counters.get(counter, 0) + number


def _count(write: Write, decoded: Decoded) -> None:
    _add(write, "misplaced", len(decoded.misplaced))
    for rejected in decoded.rejected:
        _add(write, f"rejected:{rejected.reason}", 1)


def _name(snapshot: Snapshot | None, cluster: int) -> str:
    return snapshot.name_of(cluster) if snapshot and cluster != UNASSIGNED else ""


def _segments(cluster: int, extra: Extra | None, defined: Defined | None) -> str:
    """Ids of the segments that others may see, comma-separated, defined ones first."""
    segments = defined.published(extra) if defined else sorted(extra.memberships if extra else ())
    if cluster != UNASSIGNED:
        segments.append(cluster_segment(cluster))
    return ",".join(segments)


def _memberships(changes: Sequence[Change]) -> list[Any]:
    """Customer, segment, ms entered or "" for a leaver; flat."""
    flat: list[Any] = []
    for change in changes:
        flat += (change.customer, change.segment, change.at if change.change == "entered" else "")
    return flat
