"""What a segment of newcomers is allowed, by hand."""

import numpy as np
import pytest

from models.movement import Movement
from models.young import TOLD_TICKS, YOUNG_TICKS, Young


def test_what_it_lacks_is_forgiven_less_and_less() -> None:
    young = Young()
    assert not young.recent(0)
    assert young.forgiven(0) == 0.0
    young.came(2, 100, 0.4)
    assert young.forgiven(100) == pytest.approx(0.4)
    assert young.forgiven(100 + YOUNG_TICKS // 2) == pytest.approx(0.2)
    assert young.forgiven(100 + 2 * YOUNG_TICKS) == 0.0
    assert young.recent(100 + YOUNG_TICKS - 1)
    assert not young.recent(100 + YOUNG_TICKS)
    # Others who come, and are no worse for it, do not take from what the first are allowed.
    young.came(3, 100 + YOUNG_TICKS // 2, 0.0)
    assert young.forgiven(100 + YOUNG_TICKS // 2) == pytest.approx(0.2)
    young.replaced()
    assert young.forgiven(100) == 0.0


def test_newcomers_are_told_as_long_as_former_places_are_of_before() -> None:
    then = np.array([[0.0], [0.0], [0.0], [0.0]])
    now = np.array([[0.0], [0.0], [8.0], [9.0]])
    movement = Movement(np.arange(4), now, then)
    young = Young()
    assert young.learned(now, np.array([[0.0], [7.0]]), movement, 1, 1) is None
    young.came(1, 1, 0.0)
    found = young.learned(now, np.array([[0.0], [7.0]]), movement, 1, 1 + TOLD_TICKS)
    assert found is not None
    assert found.centroids.tolist() == [[0.0], [8.5]]
    assert young.learned(now, found.centroids, movement, 1, 2 + TOLD_TICKS) is None
    assert young.row == -1


def test_it_goes_on_when_others_are_retired() -> None:
    young = Young()
    young.came(2, 100, 0.4)
    young.lasting(np.array([False, True, True]))
    assert (young.row, young.forgiven(100)) == (1, 0.4)
    young.lasting(np.array([True, False]))
    assert (young.row, young.forgiven(100)) == (-1, 0.0)


def test_goes_on_where_its_state_was_taken() -> None:
    young, again = Young(), Young()
    young.came(1, 5, 0.25)
    again.restore(young.state())
    assert (again.row, again.forgiven(5), again.recent(5)) == (1, 0.25, True)
    again.restore({})
    assert again.row == 1
