"""Segments that came as newcomers', by hand."""

import numpy as np

from models.lloyd import Partition
from models.settlers import Settlers


def divided(*rows: int) -> Partition:
    """Customers by the row each is in."""
    labels = np.array(rows, dtype=np.int64)
    k = int(labels.max()) + 1
    return Partition(np.zeros((k, 1)), labels, np.bincount(labels), np.zeros(k))


TWO = divided(0, 0, 0, 1, 1, 1, 1, 1)
THREE = divided(0, 0, 0, 1, 1, 1, 2, 2)


def test_nobody_has_come() -> None:
    assert Settlers().ended(TWO, divided(0, 0, 0, 0, 0, 0, 0, 0)) == 0


def test_what_ends_a_segment_of_newcomers() -> None:
    settlers = Settlers()
    settlers.restructured(TWO, THREE, newcomers=2)
    assert settlers.ended(THREE, THREE) == 0
    # Together with another, whichever is larger; but not if only others are put together.
    assert settlers.ended(THREE, divided(0, 0, 0, 1, 1, 1, 1, 1)) == 1
    assert settlers.ended(THREE, divided(0, 0, 0, 1, 1, 1, 0, 0)) == 1
    assert settlers.ended(THREE, divided(0, 0, 0, 0, 0, 0, 1, 1)) == 0
    # One who goes elsewhere ends nothing.
    assert settlers.ended(divided(0, 0, 0, 1, 1, 2, 2, 2), divided(0, 0, 0, 1, 1, 1, 2, 2)) == 0
    # Another number of rows is none that it knows.
    assert settlers.ended(TWO, divided(0, 0, 0, 0, 0, 0, 0, 0)) == 0


def test_they_are_known_from_one_structure_to_the_next() -> None:
    settlers = Settlers()
    settlers.restructured(TWO, THREE, newcomers=2)
    # The others are put together: what was row 2 is row 0 now.
    again = divided(1, 1, 1, 1, 1, 1, 0, 0)
    settlers.restructured(THREE, again)
    assert settlers.ended(again, divided(0, 0, 0, 0, 0, 0, 0, 0)) == 1
    four = divided(2, 2, 2, 1, 1, 3, 0, 0)
    settlers.restructured(again, four, newcomers=3)
    assert settlers.ended(four, divided(0, 0, 0, 0, 0, 0, 0, 0)) == 2
    assert settlers.ended(four, divided(1, 1, 1, 1, 1, 2, 0, 0)) == 0
    # Once put together with others it is none of newcomers any more.
    settlers.restructured(four, divided(0, 0, 0, 1, 1, 1, 0, 0))
    assert settlers.ended(divided(0, 0, 0, 1, 1, 1, 0, 0), divided(0, 0, 0, 0, 0, 0, 0, 0)) == 0


def test_retired_rows_are_left_out() -> None:
    settlers = Settlers()
    settlers.restructured(TWO, THREE, newcomers=2)
    settlers.lasting(THREE, np.array([True, False, True]))
    assert settlers.ended(TWO, divided(0, 0, 0, 0, 0, 0, 0, 0)) == 1
    settlers.lasting(TWO, np.array([True, False]))
    settlers.restructured(divided(0, 0), divided(0, 1))
    assert settlers.ended(divided(0, 1), divided(0, 0)) == 0


def test_goes_on_where_its_state_was_taken() -> None:
    settlers, again = Settlers(), Settlers()
    settlers.restructured(TWO, THREE, newcomers=2)
    again.restore(settlers.state())
    assert again.ended(THREE, TWO) == 1
    again.restore({})
    assert again.ended(THREE, TWO) == 0
