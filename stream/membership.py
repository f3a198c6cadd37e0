"""Which segments a customer is in, and what changes about it."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream.cohort import Cohort
from stream.customer import UNASSIGNED

Cause = Literal["event", "time", "model", "definition", "merge"]

#: What `cluster` says of a customer that no model has seen yet.
NO_CLUSTER = "UNASSIGNED"


def cluster_segment(cluster: int) -> str:
    """Segment id of a discovered cluster."""
    return f"cluster-{cluster}" if cluster != UNASSIGNED else NO_CLUSTER


class Change(msgspec.Struct, frozen=True, gc=False):
    """A customer enters or leaves a segment."""

    customer: str
    segment: str
    change: Literal["entered", "left"]
    at: int
    cause: Cause
    reason: str
    version: int
    due_at: int | None = None
    #: Tells two changes apart that look the same: what was known of the customer then.
    evidence: int = 0

    def record(self) -> dict[str, Any]:
        """Fields of the change record, without empty ones.

        The id is made of what happened, not of when it was written, so that the same change
        computed again has the same id.
        """
        what = f"{self.customer}\0{self.segment}\0{self.change}\0{self.at}\0{self.evidence}"
        fields: dict[str, Any] = {
            "change_id": xxhash.xxh3_128_hexdigest(what.encode()),
            "customer": self.customer,
            "segment": self.segment,
            "change": self.change,
            "at": self.at,
            "cause": self.cause,
            "reason": self.reason,
            "version": self.version,
        }
        if self.due_at is not None:
            fields["due_at"] = self.due_at
        return fields

    def encoded(self) -> tuple[dict[str, Any], bytes]:
        """The record's fields, and the same as JSON."""
        record = self.record()
        return record, msgspec.json.encode(record)


@dataclass(frozen=True, slots=True)
class Clusters:
    """Result of scoring n customers."""

    confidence: NDArray[np.float32]
    #: Positions, among the n, of customers whose cluster changed.
    moved: NDArray[np.int64]
    #: What others may see of it: position, change; in the order of positions.
    changes: list[tuple[int, Change]]


def assign_clusters(
    cohort: Cohort,
    x: NDArray[np.float64],
    snapshot: Snapshot | None,
    at_ms: NDArray[np.int64],
    cause: Cause,
) -> Clusters:
    """Score n customers and write their clusters into the cohort and its tables.

    Parameters
    ----------
    x
        Feature vectors, shape (n, d).
    at_ms
        When each was evaluated, shape (n,).
    """
    if snapshot is None:
        return Clusters(np.zeros(len(cohort), np.float32), np.zeros(0, np.int64), [])
    state = cohort.state
    before = state["cluster"].astype(np.int64)
    ids, confidence = snapshot.assign(x, before)
    moved = np.flatnonzero(ids != before)
    if not len(moved):
        return Clusters(confidence, moved, [])
    state["cluster"][moved] = ids[moved]
    state["cluster_since_ms"][moved] = at_ms[moved]
    cohort.scatter()
    names, why = cohort.names(), snapshot.explain_many(x[moved], ids[moved])
    changes: list[tuple[int, Change]] = []
    for i, reason in zip(moved.tolist(), why, strict=True):
        old, new, at = int(before[i]), int(ids[i]), int(at_ms[i])
        version, events = int(state["version"][i]), int(state["events"][i])
        steps: list[tuple[int, Literal["entered", "left"]]] = [(old, "left"), (new, "entered")]
        for cluster, step in steps:
            if cluster != UNASSIGNED:
                segment = cluster_segment(cluster)
                change = Change(
                    names[i], segment, step, at, cause, reason, version, evidence=events
                )
                changes.append((i, change))
    return Clusters(confidence, moved, changes)
