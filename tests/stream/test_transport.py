"""How far a partition is behind."""

import pytest

from stream.transport import Reach


@pytest.mark.parametrize(
    ("end", "position", "handed_over", "applied", "lag"),
    [
        (10, 10, 10, 10, 0),
        # Handed over and not yet applied.
        (10, 10, 10, 4, 6),
        # Not yet fetched.
        (10, 4, 4, 4, 6),
        # Read to the end: what is behind the last batch are markers.
        (10, 10, 8, 8, 0),
        # The same, with a batch under way.
        (10, 10, 8, 5, 5),
        # Nothing was handed over since the seek.
        (10, 10, None, 7, 3),
        # An end that the broker reports too low.
        (3, 9, 9, 9, 0),
    ],
)
def test_lag_counts_events_that_wait(
    end: int, position: int, handed_over: int | None, applied: int, lag: int
) -> None:
    assert Reach(end, position, handed_over).lag(applied) == lag
