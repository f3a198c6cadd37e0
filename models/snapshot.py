"""What the trainer publishes and every worker scores with: space, centroids, names."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np

from models.errors import InvalidSnapshot
from models.explaining import Explainer
from models.languages import LANGUAGES
from models.settling import FEW, settle
from models.space import CLIP, F32, F64, Ints, Space

#: The id of a customer that is in no segment (yet).
UNASSIGNED = -1
#: A customer moves only when the new centroid is nearer than (1 - this) of the old distance.
HYSTERESIS = 0.2
#: Into a segment that is so many versions old at most, and not of the first, this part of it will
#: do: its first customers came before it and are in others.
YOUNG_VERSIONS, YOUNG = 15, 0.75
#: A scale so large that a feature divided by it makes no difference.
WEIGHTLESS = 1e9
FORMAT = 1
LARGEST_BYTES = 64 * 1024

Kind = Literal["born", "died", "split", "merged"]


class Change(msgspec.Struct, frozen=True):
    """What became of the structure: `segment` came from (or went into) `others`.

    ``born``: new, of nothing that was; ``died``: nothing is left of it; ``split``: new, out of
    `others`; ``merged``: gone, into `others`.
    """

    kind: Kind
    segment: int
    others: tuple[int, ...] = ()


class Segment(msgspec.Struct, frozen=True):
    """One discovered segment.

    Attributes
    ----------
    id
        Stable over versions, never used again for another segment; from 1 up.
    centroid
        In model space, one coordinate per feature.
    name, sentence
        For people; `terms` are the keys the name is made of, as in ``("orders+", "spend+")``.
    weight
        Share of the customers, 0..1.
    effects
        What sets it apart: feature → deviations above (below: negative) the average customer,
        strongest first.
    parents
        Ids it came from (split, merge).
    born_version
        Version of the first snapshot that had it.
    """

    id: int
    centroid: tuple[float, ...]
    name: str
    sentence: str
    weight: float
    effects: tuple[tuple[str, float], ...]
    parents: tuple[int, ...] = ()
    born_version: int = 1
    terms: tuple[str, ...] = ()


class _Stored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The snapshot as JSON."""

    format: int
    version: int
    trained_on: int
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    logged: tuple[bool, ...]
    clip: float
    hysteresis: float
    panel_rate: float
    natural: bool
    language: str
    segments: tuple[Segment, ...]
    changes: tuple[Change, ...]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One published version of the model; immutable, scores in bulk.

    Parameters
    ----------
    version
        Counts up from 1.
    features
        Names, in the order of the columns of every `X` below.
    mean, scale, logged, clip
        The space (see `models.space.Space`).
    segments
        At least one.
    trained_on
        Customers in the panel that it was learned from.
    panel_rate
        Share of the hash space that the trainer wants samples of (`panel_hash` < rate).
    natural
        False: the customers do not fall into separate groups; the segments divide them usefully,
        but other borders would do as well.
    changes
        Births, deaths, splits and merges since the version before.
    """

    version: int
    features: tuple[str, ...]
    mean: F64
    scale: F64
    segments: tuple[Segment, ...]
    trained_on: int
    logged: tuple[bool, ...] = ()
    clip: float = CLIP
    hysteresis: float = HYSTERESIS
    panel_rate: float = 1.0
    natural: bool = True
    language: str = "en"
    changes: tuple[Change, ...] = ()
    _by_id: dict[int, Segment] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not self.logged:
            object.__setattr__(self, "logged", (True,) * len(self.features))
        _check(self)
        self._by_id.update((segment.id, segment) for segment in self.segments)

    @cached_property
    def space(self) -> Space:
        return Space(self.mean, self.scale, np.array(self.logged, dtype=bool), self.clip)

    @cached_property
    def centroids(self) -> F64:
        """Shape (k, d), in model space, one row per segment."""
        return np.array([segment.centroid for segment in self.segments], dtype=np.float64)

    @cached_property
    def ids(self) -> Ints:
        return np.array([segment.id for segment in self.segments], dtype=np.int64)

    @cached_property
    def _explainer(self) -> Explainer:
        called = [segment.name for segment in self.segments]
        return Explainer(self.features, called, self.centroids, LANGUAGES[self.language])

    @cached_property
    def _nearer(self) -> list[float]:
        """How near each segment must be to be moved to, in parts of the old squared distance."""
        young = [1 < s.born_version >= self.version - YOUNG_VERSIONS for s in self.segments]
        return [(1.0 - self.hysteresis * (YOUNG if y else 1.0)) ** 2 for y in young]

    @cached_property
    def _order(self) -> Ints:
        return np.argsort(self.ids)

    @property
    def structural(self) -> bool:
        """Whether segments came or went: idle customers are worth another look."""
        return bool(self.changes)

    def segment(self, segment_id: int) -> Segment | None:
        return self._by_id.get(segment_id)

    def name_of(self, segment_id: int) -> str:
        """The segment's name; empty for an id that is not in this snapshot."""
        found = self._by_id.get(segment_id)
        return found.name if found else ""

    def scaled(self, X: F64) -> F64:
        """Points (n, d) in model space of raw vectors (n, d); NaN lies at the average."""
        return self.space.project(X)

    def assign(self, X: F64, current: Ints) -> tuple[Ints, F32]:
        """Segments of customers, with hysteresis.

        Parameters
        ----------
        X
            Raw vectors, shape (n, d).
        current
            Ids the customers have now, shape (n,); `UNASSIGNED` or an id that this snapshot does
            not have: the nearest is taken.

        Returns
        -------
        ids
            Shape (n,).
        confidence
            Shape (n,), float32, 0..1: ``d_other² / (d_own² + d_other²)`` with the nearest other
            segment; .5 is half-way between two.
        """
        D = self._distances(self.space.project(X))
        rows, confidence = settle(D, self._rows(current), self._nearer)
        return self.ids[rows], confidence

    def explain(self, x: F64, segment_id: int = UNASSIGNED) -> str:
        """Why a customer is in its segment, in words; see `explain_many`."""
        return self.explain_many(np.asarray(x)[None, :], np.array([segment_id]))[0]

    def explain_many(self, X: F64, ids: Ints) -> list[str]:
        """Why customers are in their segments, in words.

        Parameters
        ----------
        X
            Raw vectors, shape (n, d).
        ids
            The segments they are in, shape (n,); `UNASSIGNED` or an id that this snapshot does
            not have: the nearest.
        """
        if not len(X):
            return []
        Z = self.space.project(X)
        D = self._distances(Z)
        here = np.asarray(self._rows(ids), dtype=np.int64)
        return self._explainer.sentences(Z, D, np.where(here >= 0, here, D.argmin(axis=1)))

    def widened(self, features: Sequence[str]) -> "Snapshot":
        """The same model with further features, which weigh nothing until the next version."""
        zeros, more = (0.0,) * len(features), len(features)
        wider = [
            msgspec.structs.replace(segment, centroid=(*segment.centroid, *zeros))
            for segment in self.segments
        ]
        return replace(
            self,
            features=(*self.features, *features),
            mean=np.concatenate([self.mean, np.zeros(more)]),
            scale=np.concatenate([self.scale, np.full(more, WEIGHTLESS)]),
            logged=(*self.logged, *(True,) * more),
            segments=tuple(wider),
        )

    def to_json(self) -> str:
        """One line of JSON, the same for the same snapshot, under 64 KB."""
        stored = _Stored(
            FORMAT, self.version, self.trained_on, self.features,
            tuple(self.mean.tolist()), tuple(self.scale.tolist()), self.logged, self.clip,
            self.hysteresis, self.panel_rate, self.natural, self.language,
            self.segments, self.changes,
        )  # fmt: skip
        return msgspec.json.encode(stored).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Snapshot":
        """The snapshot that `to_json` wrote.

        Raises
        ------
        InvalidSnapshot
            A ValueError: not JSON, another format, sizes that do not fit, numbers out of range.
        """
        size = len(text)
        if size > LARGEST_BYTES:
            raise InvalidSnapshot(f"snapshot: {size} bytes, at most {LARGEST_BYTES} expected")
        try:
            stored = msgspec.json.decode(text, type=_Stored)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidSnapshot(f"snapshot: {error}") from None
        if stored.format != FORMAT:
            raise InvalidSnapshot(f"snapshot: format {stored.format}, {FORMAT} expected")
        return cls(
            version=stored.version, features=stored.features, mean=np.array(stored.mean),
            scale=np.array(stored.scale), segments=stored.segments, trained_on=stored.trained_on,
            logged=stored.logged, clip=stored.clip, hysteresis=stored.hysteresis,
            panel_rate=stored.panel_rate, natural=stored.natural, language=stored.language,
            changes=stored.changes,
        )  # fmt: skip

    @cached_property
    def _terms(self) -> tuple[F64, F64]:
        """What the distance from the centroids needs of them: -2·c, |c|²."""
        C = self.centroids
        return np.ascontiguousarray(-2.0 * C.T), (C * C).sum(axis=1)

    def _distances(self, Z: F64) -> F64:
        """Squared, shape (n, k)."""
        product, norms = self._terms
        D: F64 = Z @ product
        D += norms
        D += np.vecdot(Z, Z)[:, None]
        return np.maximum(D, 0.0, out=D)

    def _rows(self, ids: Ints) -> list[int] | Ints:
        """Row of each id, -1 where the snapshot does not have it; a list if they are few."""
        if len(ids) <= FEW:
            return [self._row_of.get(i, -1) for i in ids.tolist()]
        at = np.searchsorted(self.ids, ids, sorter=self._order)
        found = self._order[np.minimum(at, len(self._order) - 1)]
        return np.where(self.ids[found] == ids, found, -1)

    @cached_property
    def _row_of(self) -> dict[int, int]:
        return {segment.id: row for row, segment in enumerate(self.segments)}


def _check(snapshot: Snapshot) -> None:
    """Raise `InvalidSnapshot` unless the parts fit together."""
    d = len(snapshot.features)
    ids = [segment.id for segment in snapshot.segments]
    rows = (segment.centroid for segment in snapshot.segments)
    sizes_fit = all(len(row) == d for row in rows) and len(snapshot.logged) == d
    shares_fit = all(0.0 <= segment.weight <= 1.0 for segment in snapshot.segments)
    checks = (
        (snapshot.version >= 1, "version", snapshot.version, "1 or more"),
        (d >= 1 and len(set(snapshot.features)) == d, "features", snapshot.features, "distinct"),
        (snapshot.mean.shape == (d,), "mean", snapshot.mean.shape, f"({d},)"),
        (snapshot.scale.shape == (d,), "scale", snapshot.scale.shape, f"({d},)"),
        (sizes_fit, "centroids", [len(s.centroid) for s in snapshot.segments], f"{d} each"),
        (len(ids) >= 1 and len(set(ids)) == len(ids), "segment ids", ids, "distinct, at least one"),
        (all(i >= 0 for i in ids), "segment ids", ids, "0 or more"),
        (shares_fit, "weights", [s.weight for s in snapshot.segments], "0..1"),
        (0.0 <= snapshot.hysteresis < 1.0, "hysteresis", snapshot.hysteresis, "0 <= h < 1"),
        (0.0 < snapshot.panel_rate <= 1.0, "panel_rate", snapshot.panel_rate, "0 < rate <= 1"),
        (snapshot.clip > 0.0, "clip", snapshot.clip, "more than 0"),
        (snapshot.language in LANGUAGES, "language", snapshot.language, sorted(LANGUAGES)),
    )
    for fine, name, value, expected in checks:
        if not fine:
            raise InvalidSnapshot(f"snapshot {name}: {value!r}, expected {expected}")
    numbers = np.concatenate([snapshot.mean, snapshot.scale, snapshot.centroids.ravel()])
    if not np.isfinite(numbers).all() or (snapshot.scale <= 0).any():
        raise InvalidSnapshot("snapshot numbers: finite ones expected, and scales above 0")
