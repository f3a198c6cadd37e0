"""Quantiles of what was timed."""

from collections.abc import Mapping, Sequence

import numpy as np

_SHARES: Mapping[str, float] = {"p50": 0.5, "p99": 0.99}


def quantiles(
    took: Sequence[float], shares: Mapping[str, float] = _SHARES, digits: int = 2
) -> dict[str, float]:
    """Nearest-rank quantiles: the smallest value that so large a share does not exceed."""
    if not took:
        raise ValueError("nothing was timed, expected at least one value")
    found = np.quantile(took, list(shares.values()), method="inverted_cdf")
    return {name: round(float(value), digits) for name, value in zip(shares, found, strict=True)}
