"""A customer's reason for being in its segment, in words, for many customers at once."""

from collections.abc import Sequence

import numpy as np

from models.languages import EDGES, Language
from models.space import F64, Ints

#: At most so many features are given as reasons, each with at least this share of what speaks
#: for the segment.
REASONS = 3
LEAST_SHARE = 0.05
#: Sentences kept, as many customers have the same; about 2 MB.
MOST_MADE = 4096


class Explainer:
    """Puts into words what is nearest and why; keeps the words that it has made.

    Parameters
    ----------
    features
        Names of the coordinates.
    names, centroids
        Of the segments; centroids of shape (k, d).
    """

    def __init__(
        self, features: Sequence[str], names: Sequence[str], centroids: F64, words: Language
    ) -> None:
        self._names, self._centroids, self._words = names, centroids, words
        self._levels = [level for feature in features for level in words.levels_of(feature)]
        self._made: dict[tuple[int, int, bool, tuple[int, ...]], str] = {}

    def sentences(self, Z: F64, D: F64, own: Ints) -> list[str]:
        """Why each customer is in its segment.

        Parameters
        ----------
        Z, D
            Points (n, d), and their squared distances from the centroids (n, k); `D` is
            overwritten.
        own
            Row of the segment that each is in, shape (n,).
        """
        if len(self._names) == 1:
            return [self._words.only.format(name=self._names[0])] * len(Z)
        every = np.arange(len(Z))
        own_d = D[every, own]
        D[every, own] = np.inf
        other = D.argmin(axis=1)
        near = own_d <= D[every, other]
        codes = self._codes(Z, self._gain(Z, own, other))
        rows = zip(own.tolist(), other.tolist(), near.tolist(), codes.tolist(), strict=True)
        return [self._sentence(own, other, near, tuple(why)) for own, other, near, why in rows]

    def _gain(self, Z: F64, own: Ints, other: Ints) -> F64:
        """How much each feature speaks for the one segment against the other, shape (n, d)."""
        from_other = Z - self._centroids[other]
        from_own = Z - self._centroids[own]
        from_other *= from_other
        from_own *= from_own
        from_other -= from_own
        return from_other

    def _codes(self, Z: F64, gain: F64) -> Ints:
        """Places in `_levels` of the reasons, the best first, -1 for none; shape (n, REASONS)."""
        best = np.argsort(-gain, axis=1, kind="stable")[:, :REASONS]
        flat = best + np.arange(0, Z.size, Z.shape[1])[:, None]
        worth, z = gain.take(flat), Z.take(flat)
        least = LEAST_SHARE * np.maximum(gain, 0.0).sum(axis=1)
        code = (len(EDGES) + 1) * best + EDGES.searchsorted(z)
        return np.where(worth > least[:, None], code, -1)

    def _sentence(self, own: int, other: int, near: bool, why: tuple[int, ...]) -> str:
        key = (own, other, near, why)
        known = self._made.get(key)
        if known is None:
            if len(self._made) >= MOST_MADE:
                self._made.clear()
            known = self._made[key] = self._make(own, other, near, why)
        return known

    def _make(self, own: int, other: int, near: bool, why: tuple[int, ...]) -> str:
        reasons = self._words.join([self._levels[code] for code in why if code >= 0])
        template = self._words.nearest if near else self._words.stays
        return template.format(name=self._names[own], why=reasons, next=self._names[other])
