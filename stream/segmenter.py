"""One partition's customers: a batch of events in, one atomic write out. No I/O, no clock."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream.customer import UNASSIGNED, Table, fold
from stream.decoding import CategoryCodes, Decoded, columns
from stream.features import vectors
from stream.membership import Cause, Change, Clusters, assign_clusters, cluster_segment
from stream.store.write import Group, Write
from stream.topics import PURCHASES

_CORE = ("events", "last_seen", "version", "confidence", "cluster_name")
_MONEY = ("orders", "spend")
#: Samples of one batch at most.
_MOST_SAMPLES = 100
_ALL = (*_CORE, *_MONEY, "first_seen", "cluster", "segments")


#: Customers and their feature vectors, to be learned from.
Samples = list[tuple[str, NDArray[np.float64]]]


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

    def load(self, customers: Sequence[str], stored: Sequence[bytes | None]) -> None:
        """Take customers into the table as Redis has them."""
        start = len(self.table)
        self.table.load(customers, stored)
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
        self, decoded: Decoded, now_ms: int | None, wall_ms: int, snapshot: Snapshot | None
    ) -> tuple[Write, Samples]:
        """Fold events in and say what to write, and which samples to learn from.

        Every customer of `decoded` must be in the table. `now_ms` is None where the newest
        event is the clock; `wall_ms` stamps the write.
        """
        write = self.blank(wall_ms, snapshot)
        _count(write, decoded)
        if not decoded.events:
            return write, []
        batch = columns(decoded, self.table.index, self.codes)
        folded = fold(self.table, batch)
        rows = folded.rows
        applied = int(folded.fresh.sum())
        _add(write, "applied", applied)
        _add(write, "duplicates", len(folded.fresh) - applied)
        self.table.touch(rows)
        self.newest_ms = max(self.newest_ms, int(batch.at_ms.max()))
        offsets = np.zeros(len(self.table), np.int64)
        offsets[batch.rows] = decoded.offsets
        now = self.newest_ms if now_ms is None else now_ms
        money = decoded.topic == PURCHASES
        x = self._decide(write, rows, folded.older, offsets[rows], now, snapshot, "event", money)
        return write, self._samples(rows, x, snapshot)

    def review(
        self,
        customers: Sequence[str],
        now_ms: int | None,
        wall_ms: int,
        snapshot: Snapshot | None,
        cause: Cause,
    ) -> tuple[Write, Samples]:
        """Evaluate customers without an event; only those whose segments change are written.

        Idle customers are samples too: a panel that only hears of active ones does not know
        what a customer looks like who stays away.
        """
        now = self.newest_ms if now_ms is None else now_ms
        rows = np.array([self.table.index[name] for name in customers], np.int64)
        x = vectors(self.table.rows[rows], now)
        write, samples = self.blank(wall_ms, snapshot), self._samples(rows, x, snapshot)
        if snapshot is None or not len(rows):
            return write, samples
        ids, _ = snapshot.assign(x, self.table.rows["cluster"][rows].astype(np.int64))
        rows = rows[ids != self.table.rows["cluster"][rows]]
        if len(rows):
            self.table.rows["version"][rows] += 1
            none, everybody = np.zeros(0, np.int64), np.ones(len(rows), bool)
            self._decide(write, rows, everybody, none, now, snapshot, cause, False)
        return write, samples

    def blank(self, wall_ms: int, snapshot: Snapshot | None) -> Write:
        """A write that changes nothing yet."""
        write = Write(self.partition, expected_writer=self.writer)
        write.constants = {
            "updated_at": wall_ms,
            "model_version": snapshot.version if snapshot else 0,
            "definitions_version": "",
        }
        return write

    def _decide(
        self,
        write: Write,
        rows: NDArray[np.int64],
        full: NDArray[np.bool_],
        offsets: NDArray[np.int64],
        now_ms: int,
        snapshot: Snapshot | None,
        cause: Cause,
        money: bool,
    ) -> NDArray[np.float64]:
        state = self.table.rows[rows]
        x = vectors(state, now_ms)
        at_ms = state["last_seen_ms"] if cause == "event" else np.full(len(rows), now_ms)
        clusters = assign_clusters(self.table, rows, x, snapshot, at_ms, cause)
        full = full.copy()
        full[clusters.moved] = True
        self._group(write, rows, offsets, full, clusters, snapshot, money)
        write.changes = [change.encoded() for change in clusters.changes]
        write.memberships = _memberships(clusters.changes)
        write.categories = list(chain.from_iterable(self.codes.fresh.items()))
        self.codes.fresh = {}
        return x

    def _group(
        self,
        write: Write,
        rows: NDArray[np.int64],
        offsets: NDArray[np.int64],
        full: NDArray[np.bool_],
        clusters: Clusters,
        snapshot: Snapshot | None,
        money: bool,
    ) -> None:
        few = (*_CORE, *_MONEY) if money else _CORE
        for fields, chosen in ((few, ~full), (_ALL, full)):
            which = np.flatnonzero(chosen)
            if not len(which):
                continue
            values = self._values(rows[which], fields, clusters.confidence[which], snapshot)
            if len(offsets):
                values.append(offsets[which].tolist())
            flat = list(chain.from_iterable(zip(*values, strict=True)))
            write.groups.append(Group(fields, len(which), flat, sourced=bool(len(offsets))))

    def _values(
        self,
        rows: NDArray[np.int64],
        fields: Sequence[str],
        confidence: NDArray[np.float32],
        snapshot: Snapshot | None,
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
                values.append([_segments(c) for c in state["cluster"].tolist()])
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


def _segments(cluster: int) -> str:
    return cluster_segment(cluster) if cluster != UNASSIGNED else ""


def _memberships(changes: Sequence[Change]) -> list[Any]:
    """Customer, segment, ms entered or "" for a leaver; flat."""
    flat: list[Any] = []
    for change in changes:
        flat += (change.customer, change.segment, change.at if change.change == "entered" else "")
    return flat
