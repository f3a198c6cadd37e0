"""Customers and centroids in two dimensions, for people to look at. Pure.

The plane is the one through the average customer in which the centroids differ most (principal
axes of the centroids, each weighted with its share; of the customers below three clusters). It is
kept from look to look as long as it shows nearly as much as the best one would, so that what
stands still in the model stands still on the page; a new plane is turned to where the old one was.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.snapshot import Snapshot
from stream import features
from stream.membership import cluster_segment
from stream.recall import recall

F64 = NDArray[np.float64]

#: A plane is kept while it shows this share of what the best one would.
KEPT_SHARE = 0.9
_FEW_CLUSTERS = 3
_AXIS_FEATURES = 3


@dataclass(frozen=True, eq=False)
class Plane:
    """Two directions in the model's space, shape (2, d), each of length 1."""

    features: tuple[str, ...]
    axes: F64

    def meanings(self) -> tuple[str, str]:
        """What each axis goes with, as `+orders +spend -recency_days`; the strongest first."""
        first, second = (
            " ".join(
                f"{'+' if axis[i] > 0 else '-'}{self.features[i]}"
                for i in np.argsort(-np.abs(axis), kind="stable")[:_AXIS_FEATURES]
                if axis[i]
            )
            for axis in self.axes
        )
        return first, second


@dataclass(frozen=True, slots=True)
class Scatter:
    """What is drawn: customers by segment, and where each segment's centroid lies.

    `shown` is the share of the centroids' differences that the plane shows.
    """

    customers: Mapping[str, Sequence[tuple[float, float]]]
    centroids: Mapping[str, tuple[float, float]]
    meanings: tuple[str, str]
    shown: float


def scatter(
    snapshot: Snapshot, states: Mapping[str, bytes], now_ms: int, before: Plane | None
) -> tuple[Scatter, Plane]:
    """Stored customers (id → state) as the model in force sees them at `now_ms`.

    Raises
    ------
    StoreError
        If a state has another layout.
    ValueError
        If the model has other features than this version.
    """
    if snapshot.features != features.NAMES:
        raise ValueError(f"features: {snapshot.features}, {features.NAMES} expected")
    known = list(recall(list(states), list(states.values())))
    rows = np.array([one.row for one in known]) if known else None
    Z = snapshot.scaled(features.vectors(rows, now_ms)) if rows is not None else np.empty((0, 0))
    C = snapshot.centroids
    spread = _spread(C, np.array([s.weight for s in snapshot.segments]), Z)
    plane = _plane(spread, snapshot.features, before)
    points: dict[str, list[tuple[float, float]]] = {}
    if rows is not None:
        ids = rows["cluster"].tolist()
        for cluster, place in zip(ids, _placed(Z, plane), strict=True):
            points.setdefault(cluster_segment(cluster), []).append(place)
    centres = zip(snapshot.segments, _placed(C, plane), strict=True)
    whole = float(np.trace(spread)) or 1.0
    return Scatter(
        points,
        {cluster_segment(segment.id): place for segment, place in centres},
        plane.meanings(),
        _explained(spread, plane.axes) / whole,
    ), plane


def _spread(C: F64, weights: F64, Z: F64) -> F64:
    """Covariance (d, d) of what is to be told apart."""
    X, w = (C, weights) if len(C) >= _FEW_CLUSTERS or not len(Z) else (Z, np.ones(len(Z)))
    w = w / (w.sum() or 1.0)
    centred = X - w @ X
    covariance: F64 = (centred * w[:, None]).T @ centred
    return covariance


def _plane(spread: F64, names: tuple[str, ...], before: Plane | None) -> Plane:
    _, vectors = np.linalg.eigh(spread)
    axes = vectors[:, ::-1][:, :2].T
    if before is None or before.features != names:
        return Plane(names, _signed(axes))
    if _explained(spread, before.axes) >= KEPT_SHARE * _explained(spread, axes):
        return before
    # The rotation (or reflection) within the new plane that brings it closest to the old one:
    # Schönemann, A generalized solution of the orthogonal Procrustes problem, 1966.
    u, _, v = np.linalg.svd(before.axes @ axes.T)
    return Plane(names, u @ v @ axes)


def _explained(spread: F64, axes: F64) -> float:
    return float(np.trace(axes @ spread @ axes.T))


def _signed(axes: F64) -> F64:
    """An eigenvector may point either way: its largest part is positive."""
    largest = np.abs(axes).argmax(axis=1)
    signs = np.where(np.take_along_axis(axes, largest[:, None], axis=1) < 0, -1.0, 1.0)
    return np.asarray(axes * signs)


def _placed(X: F64, plane: Plane) -> list[tuple[float, float]]:
    if not len(X):
        return []
    return [(round(x, 2), round(y, 2)) for x, y in (X @ plane.axes.T).tolist()]
