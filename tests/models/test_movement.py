"""Who has moved, by hand."""

import numpy as np
import pytest

from models.lloyd import Partition, partition
from models.movement import Movement
from models.space import F64

HERE, THERE, BEYOND = (0.0, 0.0), (10.0, 0.0), (0.0, 10.0)


def points(*parts: tuple[tuple[float, float], int]) -> F64:
    return np.concatenate([np.full((count, 2), place) for place, count in parts])


def divided(movement: Movement, *places: tuple[float, float]) -> Partition:
    return partition(movement.now, np.array(places))


def moved(then: F64, now: F64) -> Movement:
    return Movement(np.arange(len(now)), now, then)


def test_nobody_known_nobody_moved() -> None:
    nobody = np.zeros((0, 2))
    movement = Movement(np.zeros(0, dtype=np.int64), nobody, nobody)
    X = points((HERE, 5), (THERE, 5))
    one, two = partition(X, np.array([HERE])), partition(X, np.array([HERE, THERE]))
    assert not movement.newcomers(one, two)
    assert movement.gatherings(np.array([HERE]), np.random.default_rng(1)) == []


@pytest.mark.parametrize(
    ("came", "stayed", "told"),
    # 20 who came are 4.47 standard errors, 21 are 4.58; 25 are a third of 75 and 5 of 14.
    [(20, 0, False), (21, 0, True), (25, 50, False), (25, 45, True)],
)
def test_newcomers_are_many_and_a_large_part(came: int, stayed: int, told: bool) -> None:
    then = points((HERE, 300), (HERE, came), (THERE, stayed))
    now = points((HERE, 300), (THERE, came), (THERE, stayed))
    movement = moved(then, now)
    one, two = divided(movement, HERE), divided(movement, HERE, THERE)
    assert movement.newcomers(one, two) is told
    assert not movement.newcomers(two, one)


def test_a_segment_of_those_who_were_there_is_not_of_newcomers() -> None:
    # As many go as come: 30 either way.
    then = points((HERE, 200), (HERE, 30), (THERE, 30), (THERE, 30))
    now = points((HERE, 200), (THERE, 30), (HERE, 30), (THERE, 30))
    movement = moved(then, now)
    assert not movement.newcomers(divided(movement, HERE), divided(movement, HERE, THERE))


def test_newcomers_need_a_segment_of_their_own() -> None:
    # What is new in the second division is the other half of what nobody has come to.
    then = points((HERE, 100), (BEYOND, 100), (HERE, 40), (THERE, 40))
    now = points((HERE, 100), (BEYOND, 100), (THERE, 40), (THERE, 40))
    movement = moved(then, now)
    two = divided(movement, (5.0, 0.0), THERE)
    assert not movement.newcomers(two, divided(movement, HERE, BEYOND, THERE))


def test_a_place_where_many_have_come_together_is_proposed() -> None:
    rng = np.random.default_rng(2)
    then = points((HERE, 400), (THERE, 400)) + rng.normal(0.0, 1.0, (800, 2))
    now = then + rng.normal(0.0, 0.1, (800, 2))
    comers = np.r_[0:20, 400:420]
    now[comers] = np.array(BEYOND) + rng.normal(0.0, 1.0, (40, 2))
    offered = moved(then, now).gatherings(np.array([HERE, THERE]), np.random.default_rng(3))
    assert all(len(centroids) == 3 for centroids in offered)
    assert all(np.array_equal(centroids[:2], [HERE, THERE]) for centroids in offered)
    # The mean of the forty: within three standard errors, 3 / sqrt(40).
    assert np.abs(offered[0][2] - BEYOND).max() < 0.5
