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
    names, extras = judged.cohort.names(), judged.cohort.extras()
    for fields, chosen in (
        (_FIELDS, ~judged.full & ~judged.paid),
        (_FIELDS_WITH_MONEY, ~judged.full & judged.paid),
        (_ALL, judged.full),
    ):
        which = np.flatnonzero(chosen)
        if not len(which):
            continue
        some = [extras[i] for i in which.tolist()]
        values = _values(judged, which, fields, some, snapshot, defined)
        values.insert(0, [names[i] for i in which.tolist()])
        records = list(zip(*values, strict=True))
        edges = np.searchsorted(which, judged.cohort.bounds).tolist()
        sourced = judged.sources is not None
        for write, begin, end in zip(writes, edges[:-1], edges[1:], strict=True):
            if begin < end:
                flat = list(chain.from_iterable(records[begin:end]))
                write.groups.append(Group(fields, end - begin, flat, sourced))


def memberships(changes: Sequence[Change]) -> list[Any]:
    """Customer, segment, ms entered or "" for a leaver; flat."""
    flat: list[Any] = []
    for change in changes:
        flat += (change.customer, change.segment, change.at if change.change == "entered" else "")
    return flat


def _values(
    judged: Judged,
    which: NDArray[np.int64],
    fields: Sequence[str],
    extras: Sequence[Extra | None],
    snapshot: Snapshot | None,
    defined: Defined | None,
) -> list[list[Any]]:
    """Stored state, each field and, with events, the source; one list of values each."""
    state = get_rows(judged.cohort.state, which)
    clusters = state["cluster"].tolist()
    values: list[list[Any]] = [stored_forms(state, extras)]
    for name in fields:
        if name == "spend":
            # May be larger than what is exact in a double.
            values.append([str(minor) for minor in state["spend_minor"].tolist()])
        elif name in _COLUMNS:
            values.append(state[_COLUMNS[name]].tolist())
        elif name == "confidence":
            hundredths = np.rint(100 * judged.clusters.confidence[which]).astype(np.int64)
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
    if judged.sources is not None:
        values.append([judged.sources[i] for i in which.tolist()])
    return values


def _name(snapshot: Snapshot | None, cluster: int) -> str:
    return snapshot.name_of(cluster) if snapshot and cluster != UNASSIGNED else ""


def _segments(cluster: int, extra: Extra | None, defined: Defined | None) -> str:
    """Ids of the segments that others may see, comma-separated, defined ones first."""
    segments = defined.published(extra) if defined else sorted(extra.memberships if extra else ())
    if cluster != UNASSIGNED:
        segments.append(cluster_segment(cluster))
    return ",".join(segments)
