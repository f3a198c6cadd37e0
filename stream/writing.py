"""What is written of customers that were judged: their records' fields, in groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream.cohort import Cohort
from stream.customer import UNASSIGNED, get_rows, stored_forms
from stream.defined import Defined
from stream.extra import Extra
from stream.membership import Change, Clusters, cluster_segment
from stream.store.write import Group, Write

#: Fields that every write of a customer has; with orders and refunds; and all of them.
_FIELDS = ("events", "last_seen", "version", "confidence", "cluster_name", "due_at")
_FIELDS_WITH_MONEY = (*_FIELDS, "orders", "spend")
_ALL = (*_FIELDS_WITH_MONEY, "first_seen", "cluster", "segments")
_FIELDS_BY_KIND = (_FIELDS, _FIELDS_WITH_MONEY, _ALL)
#: Fields that are columns of the state.
_COLUMNS = {
    "events": "events",
    "last_seen": "last_seen_ms",
    "version": "version",
    "orders": "orders",
    "first_seen": "first_seen_ms",
}
#: What a confidence is written as, by hundredths.
_HUNDREDTHS = tuple(str(i / 100) for i in range(101))


@dataclass(slots=True)
class Judged:
    """Customers that were judged and are to be written.

    Attributes
    ----------
    full
        Which need all fields, shape (n,).
    paid
        Which had an order or a refund, shape (n,).
    sources
        Each customer's last event as topic-partition@offset, n of them; None in a review.
    """

    cohort: Cohort
    clusters: Clusters
    full: NDArray[np.bool_]
    paid: NDArray[np.bool_]
    sources: Sequence[str] | None


def add_groups(
    writes: Sequence[Write], judged: Judged, snapshot: Snapshot | None, defined: Defined | None
) -> None:
    """Add the customers' records to the writes of their partitions."""
    kinds = np.where(judged.full, 2, judged.paid)
    # Those with the same fields stand together, in the cohort's order.
    order = np.argsort(kinds, kind="stable")
    edges = np.searchsorted(kinds[order], range(len(_FIELDS_BY_KIND) + 1)).tolist()
    records = _Records.of(judged, order)
    for fields, begin, end in zip(_FIELDS_BY_KIND, edges[:-1], edges[1:], strict=True):
        if begin < end:
            values = _values(records.part(slice(begin, end)), fields, snapshot, defined)
            _share_out(writes, judged, order[begin:end], fields, values)


def _share_out(
    writes: Sequence[Write],
    judged: Judged,
    which: NDArray[np.int64],
    fields: Sequence[str],
    values: Sequence[Sequence[Any]],
) -> None:
    """Give each write the records of its own customers; `values`: one sequence per column."""
    records = list(zip(*values, strict=True))
    edges = np.searchsorted(which, judged.cohort.bounds).tolist()
    for write, begin, end in zip(writes, edges[:-1], edges[1:], strict=True):
        if begin < end:
            flat = list(chain.from_iterable(records[begin:end]))
            sourced = judged.sources is not None
            write.groups.append(Group(fields, end - begin, flat, sourced))


def memberships(changes: Sequence[Change]) -> list[Any]:
    """Customer, segment, ms entered or "" for a leaver; flat."""
    flat: list[Any] = []
    for change in changes:
        flat += (change.customer, change.segment, change.at if change.change == "entered" else "")
    return flat


@dataclass(frozen=True, slots=True)
class _Records:
    """What is written of customers, n of each."""

    names: Sequence[str]
    stored: Sequence[bytes]
    state: NDArray[Any]
    extras: Sequence[Extra | None]
    confidence: NDArray[np.float32]
    sources: Sequence[str] | None

    @classmethod
    def of(cls, judged: Judged, order: NDArray[np.int64]) -> "_Records":
        names, extras = judged.cohort.names(), judged.cohort.extras()
        at, state = order.tolist(), get_rows(judged.cohort.state, order)
        ordered = [extras[i] for i in at]
        return cls(
            [names[i] for i in at],
            stored_forms(state, ordered),
            state,
            ordered,
            judged.clusters.confidence[order],
            None if judged.sources is None else [judged.sources[i] for i in at],
        )

    def part(self, part: slice) -> "_Records":
        return _Records(
            self.names[part],
            self.stored[part],
            self.state[part],
            self.extras[part],
            self.confidence[part],
            None if self.sources is None else self.sources[part],
        )


def _values(
    records: _Records, fields: Sequence[str], snapshot: Snapshot | None, defined: Defined | None
) -> list[Sequence[Any]]:
    """Name, stored state, each field and, with events, the source; one list of values each."""
    state, extras = records.state, records.extras
    clusters = state["cluster"].tolist()
    values: list[Sequence[Any]] = [records.names, records.stored]
    for name in fields:
        if name == "spend":
            # May be larger than what is exact in a double.
            values.append([str(minor) for minor in state["spend_minor"].tolist()])
        elif name in _COLUMNS:
            values.append(state[_COLUMNS[name]].tolist())
        elif name == "confidence":
            hundredths = np.rint(100 * records.confidence).astype(np.int64)
            values.append([_HUNDREDTHS[i] for i in hundredths.tolist()])
        elif name == "cluster":
            values.append([cluster_segment(cluster) for cluster in clusters])
        elif name == "cluster_name":
            values.append([_name(snapshot, cluster) for cluster in clusters])
        elif name == "segments":
            pairs = zip(clusters, extras, strict=True)
            values.append([_segments(cluster, extra, defined) for cluster, extra in pairs])
        elif name == "due_at":
            values.append([(extra.due_ms or "") if extra else "" for extra in extras])
    if records.sources is not None:
        values.append(records.sources)
    return values


def _name(snapshot: Snapshot | None, cluster: int) -> str:
    return snapshot.name_of(cluster) if snapshot and cluster != UNASSIGNED else ""


def _segments(cluster: int, extra: Extra | None, defined: Defined | None) -> str:
    """Ids of the segments that others may see, comma-separated, defined ones first."""
    segments = defined.published(extra) if defined else sorted(extra.memberships if extra else ())
    if cluster != UNASSIGNED:
        segments.append(cluster_segment(cluster))
    return ",".join(segments)
