"""Who has moved, by hand."""

import numpy as np
import pytest

from models.lloyd import Partition, partition
from models.movement import Movement
from models.space import F64

HERE, THERE, BEYOND, ELSEWHERE = (0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (-10.0, 0.0)


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
    assert movement.newcomers(one, two) is None
    assert movement.gatherings(np.array([HERE]), np.random.default_rng(1)) == []


@pytest.mark.parametrize(
    ("came", "stayed", "told"),
    # 8 who came are 2.83 standard errors, 9 are 3; 25 are a third of 75 and 5 of 14.
    [(8, 0, False), (9, 0, True), (25, 50, False), (25, 45, True)],
)
def test_newcomers_are_many_and_a_large_part(came: int, stayed: int, told: bool) -> None:
    then = points((HERE, 300), (HERE, came), (THERE, stayed))
    now = points((HERE, 300), (THERE, came), (THERE, stayed))
    movement = moved(then, now)
    one, two = divided(movement, HERE), divided(movement, HERE, THERE)
    assert (movement.newcomers(one, two) is not None) is told
    assert movement.newcomers(two, one) is None


def test_evidence_is_of_so_many_either_way() -> None:
    # 30 came and 10 left: 30 ln(30 / 20) + 10 ln(10 / 20).
    then = points((HERE, 300), (HERE, 30), (THERE, 10))
    now = points((HERE, 300), (THERE, 30), (HERE, 10))
    movement = moved(then, now)
    news = movement.newcomers(divided(movement, HERE), divided(movement, HERE, THERE))
    assert news is not None
    assert (news.row, news.movers) == (1, False)
    assert news.evidence == pytest.approx(30 * np.log(1.5) - 10 * np.log(2.0))


@pytest.mark.parametrize(("one", "other", "movers"), [(60, 0, True), (29, 20, False)])
def test_who_comes_from_where_many_leave_has_moved(one: int, other: int, movers: bool) -> None:
    # 20 are 4.47 standard errors of 20 who left and nobody who came, 29 are less than .6 of 49.
    then = points((HERE, 200), (THERE, 140 + one), (ELSEWHERE, 200 + other))
    now = points((HERE, 200), (THERE, 140), (BEYOND, one), (ELSEWHERE, 200), (BEYOND, other))
    movement = moved(then, now)
    three = (HERE, THERE, ELSEWHERE)
    news = movement.newcomers(divided(movement, *three), divided(movement, *three, BEYOND))
    assert news is not None
    assert (news.row, news.movers) == (3, movers)


def test_who_leaves_for_newcomers_is_not_set_against_who_comes() -> None:
    # 12 come to BEYOND and 10 leave it, but for THERE, where 40 others have come to as well.
    then = points((HERE, 300), (HERE, 40), (BEYOND, 10), (ELSEWHERE, 12), (ELSEWHERE, 150))
    now = points((HERE, 300), (THERE, 50), (BEYOND, 12), (ELSEWHERE, 150))
    movement = moved(then, now)
    three = (HERE, THERE, ELSEWHERE)
    news = movement.newcomers(divided(movement, *three), divided(movement, *three, BEYOND))
    assert news is not None
    assert (news.row, news.movers) == (3, False)
    assert news.evidence == pytest.approx(12 * np.log(2.0))


def test_a_new_segment_is_at_the_mean_of_the_newcomers() -> None:
    # 10 go from THERE and 10 come in their stead, as always; 20 come to a place beside it.
    beside = (10.0, 8.0)
    then = points((HERE, 100), (THERE, 10), (HERE, 30))
    now = points((HERE, 100), (HERE, 10), (THERE, 10), (beside, 20))
    movement = moved(then, now)
    found = movement.settled(now, np.array([HERE, (10.0, 4.0)]), 1, steps=1)
    assert found.centroids.tolist() == [[0.0, 0.0], [10.0, 8.0]]
    # If many who are there have always been there, the mean is not theirs, and nothing is told.
    staying = points((THERE, 80))
    more = moved(np.concatenate([then, staying]), np.concatenate([now, staying]))
    found = more.settled(more.now, np.array([HERE, (10.0, 4.0)]), 1, steps=1)
    assert found.centroids.tolist() == [[0.0, 0.0], [10.0, 4.0]]
    # Nor is anything told of a place that nobody is near.
    far = movement.settled(now, np.array([HERE, (500.0, 500.0)]), 1, steps=1)
    assert far.centroids[1].tolist() == [500.0, 500.0]


def test_a_segment_of_those_who_were_there_is_not_of_newcomers() -> None:
    # As many go as come: 30 either way.
    then = points((HERE, 200), (HERE, 30), (THERE, 30), (THERE, 30))
    now = points((HERE, 200), (THERE, 30), (HERE, 30), (THERE, 30))
    movement = moved(then, now)
    assert movement.newcomers(divided(movement, HERE), divided(movement, HERE, THERE)) is None


def test_newcomers_need_a_segment_of_their_own() -> None:
    # What is new in the second division is the other half of what nobody has come to.
    then = points((HERE, 100), (BEYOND, 100), (HERE, 40), (THERE, 40))
    now = points((HERE, 100), (BEYOND, 100), (THERE, 40), (THERE, 40))
    movement = moved(then, now)
    two = divided(movement, (5.0, 0.0), THERE)
    assert movement.newcomers(two, divided(movement, HERE, BEYOND, THERE)) is None


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
