"""Quantiles of what was timed."""

from collections.abc import Mapping, Sequence

_SHARES: Mapping[str, float] = {"p50": 0.5, "p99": 0.99}


def quantiles(
    took: Sequence[float], shares: Mapping[str, float] = _SHARES, digits: int = 2
) -> dict[str, float]:
    """Nearest-rank quantiles: the smallest value that so large a share does not exceed."""
    if not took:
        raise ValueError("nothing was timed, expected at least one value")
    ordered = sorted(took)
    last = len(ordered) - 1
    # Rounded so that 0.1 * 30 is 3 and not a little more.
    ranks = {
        name: max(0, _ceil(round(share * len(ordered), 9)) - 1) for name, share in shares.items()
    }
    return {name: round(ordered[min(rank, last)], digits) for name, rank in ranks.items()}


def _ceil(value: float) -> int:
    return -int(-value // 1)
