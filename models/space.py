"""The model space: raw features, mostly as logarithms, standardised on the panel, clipped."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Beyond this many standard deviations a value says no more: outliers must not own a segment.
CLIP = 5.0
#: A feature whose logarithm varies less than this is constant: it may not be blown up to ±5.
LEAST_SCALE = 1e-6

#: A feature is no amount, and taken as it is, if so many of its values have the rarer sign and its
#: tails are no heavier than this (fourth moment; 3 is normal); the second of each once it is so.
BOTH_SIGNS, TAILS = (0.1, 0.02), (6.0, 12.0)

#: Larger values count as these: nothing may overflow.
LARGEST, LARGEST_LOG = 1e12, 709.0


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """How a raw vector becomes a point: ``clip((signed_log1p(x) - mean) / scale)``.

    Features that are not `logged` are taken as they are.
    Unknown values (NaN) lie at the mean, so they pull a customer nowhere.

    Parameters
    ----------
    mean, scale
        Of each feature, after the logarithm, shape (d,).
    logged
        Which features are taken as logarithms, shape (d,).
    clip
        Largest absolute coordinate.
    """

    mean: F64
    scale: F64
    logged: Bools
    clip: float = CLIP
    _all_logged: bool = field(init=False, repr=False)
    _least: F64 = field(init=False, repr=False)
    _most: F64 = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # Where the largest values that count lie, so that a point is bounded only once.
        bound = np.where(self.logged, LARGEST_LOG, LARGEST)
        least, most = (-bound - self.mean) / self.scale, (bound - self.mean) / self.scale
        object.__setattr__(self, "_all_logged", bool(self.logged.all()))
        object.__setattr__(self, "_least", np.clip(least, -self.clip, self.clip))
        object.__setattr__(self, "_most", np.clip(most, -self.clip, self.clip))

    @classmethod
    def of(cls, X: F64, logged: Bools | None = None, clip: float = CLIP) -> "Space":
        """The space in which the rows of `X` have mean 0 and deviation 1."""
        flags = np.ones(X.shape[1], dtype=bool) if logged is None else logged
        L = flatten(X, flags)
        known = ~np.isnan(L)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, L, 0.0).sum(axis=0) / count
        centred = np.where(known, L - mean, 0.0)
        scale = np.sqrt((centred * centred).sum(axis=0) / count)
        scale = np.where(scale < LEAST_SCALE, 1.0, scale)
        return cls(mean, scale, flags, clip)

    def project(self, X: F64) -> F64:
        """Points (n, d) of raw vectors (n, d)."""
        Z = _logarithms(X) if self._all_logged else _unbounded(X, self.logged)
        Z -= self.mean
        Z /= self.scale
        np.maximum(Z, self._least, out=Z)
        np.minimum(Z, self._most, out=Z)
        # A sum with an unknown value is unknown: asked in one call, as most rows have none.
        flat = Z.ravel()
        if math.isnan(flat.dot(flat)):
            Z[np.isnan(Z)] = 0.0
        return Z

    def at(self, levels: F64) -> F64:
        """Points of logarithms, which `flatten` made of raw vectors."""
        if not self._all_logged:
            levels = np.where(self.logged, levels, _grown(levels))
        Z = np.clip((levels - self.mean) / self.scale, -self.clip, self.clip)
        Z[np.isnan(Z)] = 0.0
        return Z

    def moved(self, Z: F64, to: "Space") -> F64:
        """Points of this space as points of another (exact where nothing was clipped)."""
        levels = Z * self.scale + self.mean
        levels = np.where(self.logged & ~to.logged, _grown(levels), levels)
        levels = np.where(to.logged & ~self.logged, _logarithms(levels), levels)
        return np.clip((levels - to.mean) / to.scale, -to.clip, to.clip)

    def raw(self, z: F64) -> F64:
        """The raw vector that lies at point `z`."""
        level = z * self.scale + self.mean
        return np.where(self.logged, _grown(level), level)


def amounts(X: F64, before: Bools | None = None) -> Bools:
    """Which features are to be taken as logarithms, shape (d,).

    Parameters
    ----------
    before
        Which are; it takes more to change that. All of them if omitted.
    """
    L = flatten(X, np.zeros(X.shape[1], dtype=bool))
    known = ~np.isnan(L)
    count = np.maximum(known.sum(axis=0), 1)
    rarer = np.minimum((L < 0.0).sum(axis=0), (L > 0.0).sum(axis=0)) / count
    squares = np.where(known, L - np.where(known, L, 0.0).sum(axis=0) / count, 0.0) ** 2
    spread = squares.sum(axis=0) / count
    tails = (squares * squares).sum(axis=0) / count / np.maximum(spread * spread, 1e-300)
    before = np.ones(X.shape[1], dtype=bool) if before is None else before
    logged: Bools = (rarer < np.where(before, *BOTH_SIGNS)) | (tails > np.where(before, *TAILS))
    return logged


def flatten(X: F64, logged: Bools) -> F64:
    """``sign(x)·log1p(|x|)`` of the logged features; infinities become large numbers."""
    bound = np.where(logged, LARGEST_LOG, LARGEST)
    return np.clip(_unbounded(X, logged), -bound, bound)


def _grown(levels: F64) -> F64:
    """The raw values of logarithms."""
    return np.sign(levels) * np.expm1(np.minimum(np.abs(levels), LARGEST_LOG))


def _unbounded(X: F64, logged: Bools) -> F64:
    L = _logarithms(X)
    return L if logged.all() else np.where(logged, L, X)


def _logarithms(X: F64) -> F64:
    X = np.asarray(X, dtype=np.float64)
    L: F64 = np.abs(X)
    np.log1p(L, out=L)
    np.copysign(L, X, out=L)
    return L


def distances(Z: F64, centroids: F64) -> F64:
    """Squared distances (n, k) of points (n, d) from centroids (k, d)."""
    D: F64 = Z @ (-2.0 * centroids.T)
    D += np.einsum("ij,ij->i", centroids, centroids)
    D += np.einsum("ij,ij->i", Z, Z)[:, None]
    return np.maximum(D, 0.0, out=D)
