"""How much groups of customers differ in an outcome, with an interval and a p-value.

The measure is the correlation ratio of ranks: the square root of the share of the outcome's
rank variance that the groups account for. With two outcomes (bought or not) that is Cramér's V
(phi); with more it belongs to the Kruskal-Wallis test, which heavy tails do not disturb. 0.1 is
called small, 0.3 medium, 0.5 large (Cohen, Statistical Power Analysis, 1988, ch. 7).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

#: Samples of the bootstrap.
REPEATS = 500
_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True, slots=True)
class Effect:
    """Size from 0 to 1, its 95 % interval, and how likely as much is by chance alone."""

    size: float
    low: float
    high: float
    p: float


def effect_of(table: NDArray[Any], rng: np.random.Generator) -> Effect:
    """Effect of a table of counts: groups by outcomes, the latter in ascending order.

    The share of variance is corrected for what chance gives (epsilon squared: Kelley, PNAS 21,
    1935). The interval is that of a bootstrap of the table, moved by the same correction, so
    that it is not lifted by the noise that it adds itself.
    """
    table = np.asarray(table, np.int64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    groups, outcomes = table.shape
    count = int(table.sum())
    if groups < 2 or outcomes < 2 or count <= groups:
        return Effect(0.0, 0.0, 0.0, 1.0)
    share = float(_share(table[None])[0])
    corrected = 1 - (1 - share) * (count - 1) / (count - groups)
    drawn = rng.multinomial(count, (table / count).ravel(), size=REPEATS)
    shares = _share(drawn.reshape(REPEATS, groups, outcomes)) - (share - corrected)
    low, high = np.quantile(shares, [_LOW, _HIGH])
    return Effect(
        _root(corrected),
        _root(min(low, corrected)),
        _root(max(high, corrected)),
        float(chi2.sf((count - 1) * share, groups - 1)),
    )


def _share(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the rank variance between groups, for each table of a stack."""
    columns = tables.sum(axis=1)
    count = columns.sum(axis=1, keepdims=True)
    # Rank of all of one outcome, around the mean of all ranks.
    ranks = np.cumsum(columns, axis=1) - columns / 2 - count / 2
    total = (columns * ranks**2).sum(axis=1)
    sizes = tables.sum(axis=2)
    sums = (tables * ranks[:, None, :]).sum(axis=2)
    between = (sums**2 / np.maximum(sizes, 1)).sum(axis=1)
    return np.asarray(np.divide(between, total, out=np.zeros(len(tables)), where=total > 0))


def _root(share: float) -> float:
    return float(np.sqrt(min(max(share, 0.0), 1.0)))


def adjusted(p_values: list[float]) -> list[float]:
    """p-values after Holm's step-down: so many questions are asked at once.

    Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    found = [1.0] * len(p_values)
    least = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, p_values[i] * (len(p_values) - rank)))
        found[i] = least
    return found


def binned(values: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Codes from 0 in the order of the values: each value its own, or `most` of equal size."""
    distinct, codes = np.unique(values, return_inverse=True)
    if len(distinct) <= most:
        return codes.astype(np.int64)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, most + 1)[1:-1]))
    return np.unique(np.searchsorted(edges, values, side="left"), return_inverse=True)[1].astype(
        np.int64
    )


def crossed(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Table of counts of two columns of codes."""
    shape = (int(rows.max()) + 1, int(columns.max()) + 1)
    flat = np.bincount(rows * shape[1] + columns, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def gini(values: NDArray[np.float64]) -> float | None:
    """How unevenly an amount is spread: 0 all have the same, near 1 one has all."""
    ordered = np.sort(values)
    if not len(ordered) or ordered[0] < 0 or ordered[-1] <= 0:
        return None
    places = np.arange(1, len(ordered) + 1)
    n = len(ordered)
    return float((2 * (places * ordered).sum() / ordered.sum() - (n + 1)) / n)
