"""The default clusterer with River's interface: dicts or frames in, segment ids out."""

import numbers
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from river import base

from models.errors import InvalidState, ModelError
from models.panel import PANEL_SIZE
from models.snapshot import UNASSIGNED, Snapshot
from models.space import F64, Ints
from models.trainer import LEAST_CUSTOMERS, Trainer

_MAGIC = b"agos-segments-1\n"


class _Stored(msgspec.Struct, frozen=True):
    """What `to_bytes` writes, as MessagePack."""

    seed: int
    panel_size: int
    clusterer: str
    language: str
    rows: int
    waiting: int
    trainer: bytes


class LiveSegments(base.Clusterer):
    """Segments of customers that keep their identity while the customers change.

    Warm-started k-means on a panel of customers that finds the number of segments by itself;
    see `models.trainer.Trainer`, which this wraps, for the ways that a stream feeds it.

    Rows without a customer (`learn_one`, `learn_many`) count as customers seen once; the last
    `panel_size` of them are remembered.

    Parameters
    ----------
    seed
        Of everything random.
    panel_size
        Customers to learn from, about; bounds memory and cost.
    clusterer
        A name of `models.registry`.
    language
        Of names and explanations.

    Attributes
    ----------
    snapshot : Snapshot or None
        The newest published model; None before there are enough customers.

    Examples
    --------
    >>> import random
    >>> rng = random.Random(1)
    >>> model = LiveSegments(seed=1)
    >>> model.predict_one({"orders": 1.0, "views": 2.0})
    -1
    >>> for i in range(400):
    ...     x = {"orders": rng.gauss(30, 3), "views": rng.gauss(2, 1)}
    ...     model.update(f"buyer-{i}", x)
    ...     x = {"orders": 0.0, "views": rng.gauss(40, 5)}
    ...     model.update(f"viewer-{i}", x)
    >>> buyer = model.predict_one({"orders": 28.0, "views": 3.0})
    >>> model.snapshot.name_of(buyer)
    'frequent buyers'
    """

    def __init__(
        self,
        seed: int = 1,
        panel_size: int = PANEL_SIZE,
        clusterer: str = "default",
        language: str = "en",
    ) -> None:
        self.seed = seed
        self.panel_size = panel_size
        self.clusterer = clusterer
        self.language = language
        self._trainer: Trainer | None = None
        self._rows = 0
        self._waiting = 0

    @property
    def snapshot(self) -> Snapshot | None:
        return self._trainer.snapshot if self._trainer else None

    @property
    def n_clusters(self) -> int:
        return len(self.snapshot.segments) if self.snapshot else 0

    def learn_one(self, x: Mapping[Hashable, Any]) -> None:
        """Learn from a row that belongs to nobody in particular."""
        self.update(self._anonymous(), x)

    def predict_one(self, x: Mapping[Hashable, Any]) -> int:
        """Id of the nearest segment; `UNASSIGNED` before there are any."""
        if self._trainer is None or self._trainer.snapshot is None:
            return UNASSIGNED
        vector = self._vector(x, self._trainer.features)[None, :]
        ids, _ = self._trainer.snapshot.assign(vector, np.array([UNASSIGNED]))
        return int(ids[0])

    def update(self, customer: object, x: Mapping[Hashable, Any]) -> None:
        """Take `x` as the latest row of a customer, whoever it is called."""
        trainer = self._with_features([str(name) for name in x])
        self._take(trainer, str(customer), self._vector(x, trainer.features))

    def forget(self, customer: object) -> None:
        """Remove a customer."""
        if self._trainer is not None:
            self._trainer.forget(str(customer))

    def learn_many(self, X: Any, customers: Iterable[object] | None = None) -> None:
        """Learn from a frame (anything with `columns` and `to_numpy`) or an array.

        The same as its rows one by one.
        """
        features, rows = _table(X)
        trainer = self._with_features(features)
        rows = _arranged(rows, features, trainer.features)
        names = customers if customers is not None else (self._anonymous() for _ in rows)
        for customer, row in zip(names, rows, strict=True):
            self._take(trainer, str(customer), row)

    def predict_many(self, X: Any) -> Ints:
        """Ids of the nearest segments, shape (n,)."""
        features, rows = _table(X)
        unassigned = np.full(len(rows), UNASSIGNED, dtype=np.int64)
        if self._trainer is None or self._trainer.snapshot is None or not len(rows):
            return unassigned
        rows = _arranged(rows, features, self._trainer.features)
        ids, _ = self._trainer.snapshot.assign(rows, unassigned)
        return ids

    def to_bytes(self) -> bytes:
        """Everything needed to go on elsewhere; the same bytes for the same model."""
        stored = _Stored(
            self.seed, self.panel_size, self.clusterer, self.language, self._rows, self._waiting,
            self._trainer.to_bytes() if self._trainer else b"",
        )  # fmt: skip
        return _MAGIC + msgspec.msgpack.encode(stored)

    @classmethod
    def from_bytes(cls, data: bytes) -> "LiveSegments":
        """The model that `to_bytes` wrote; raises `InvalidState`."""
        if not data.startswith(_MAGIC):
            raise InvalidState(f"segments: starts with {data[:16]!r}, {_MAGIC!r} expected")
        try:
            stored = msgspec.msgpack.decode(data[len(_MAGIC) :], type=_Stored)
        except msgspec.MsgspecError as error:
            raise InvalidState(f"segments: {error}") from None
        model = cls(stored.seed, stored.panel_size, stored.clusterer, stored.language)
        model._trainer = Trainer.from_bytes(stored.trainer) if stored.trainer else None
        model._rows, model._waiting = stored.rows, stored.waiting
        return model

    def _take(self, trainer: Trainer, customer: str, x: F64) -> None:
        """A tick is worth its cost after so many rows as half of the panel."""
        trainer.update(customer, x)
        self._waiting += 1
        if self._waiting >= max(LEAST_CUSTOMERS, trainer.customers // 2):
            self._waiting = 0
            trainer.tick()

    def _anonymous(self) -> str:
        self._rows += 1
        return f"#{self._rows % self.panel_size}"

    def _with_features(self, features: Sequence[str]) -> Trainer:
        """The trainer, made or widened so that it knows all of these."""
        if self._trainer is None:
            self._trainer = Trainer(
                sorted(features), self.seed, self.clusterer, self.panel_size, self.language
            )
        elif not set(features) <= set(self._trainer.features):
            self._trainer = self._trainer.widened(features)
        return self._trainer

    def _vector(self, x: Mapping[Hashable, Any], features: Sequence[str]) -> F64:
        row = {str(name): value for name, value in x.items()}
        return np.array([_value(name, row.get(name)) for name in features], dtype=np.float64)


def _value(name: str, value: object) -> float:
    if value is None:
        return np.nan
    if not isinstance(value, numbers.Real):
        raise ModelError(f"feature {name}: {value!r}, a number expected")
    return float(value)


def _table(X: Any) -> tuple[list[str], F64]:
    """Names and values of a frame; the columns of an array are called "0", "1", …."""
    values: npt.ArrayLike = X.to_numpy() if hasattr(X, "to_numpy") else X
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2:
        raise ModelError(f"rows: shape {rows.shape}, (n, d) expected")
    columns = getattr(X, "columns", range(rows.shape[1]))
    return [str(name) for name in columns], rows


def _arranged(rows: F64, features: list[str], wanted: Sequence[str]) -> F64:
    """Columns in the order wanted; NaN for those that are not there."""
    place = {name: column for column, name in enumerate(features)}
    arranged = np.full((len(rows), len(wanted)), np.nan)
    for column, name in enumerate(wanted):
        if name in place:
            arranged[:, column] = rows[:, place[name]]
    return arranged
