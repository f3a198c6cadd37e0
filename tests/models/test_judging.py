"""What other structures must bring, by hand."""

import numpy as np
import pytest

from models.judging import MARGIN, NEWS, TENURE, TENURE_TICKS, Judge, caution
from models.lloyd import Partition, partition
from models.movement import Movement
from models.settlers import Settlers
from models.space import F64
from models.structure import COST, Scored
from models.tightness import Tightness
from models.young import YOUNG_TICKS, Young

#: 2,400 customers are enough for the narrowest margin.
HERE, THERE, BEYOND = (0.0, 0.0), (10.0, 0.0), (0.0, 10.0)
NOBODY = Movement(np.zeros(0, dtype=np.int64), np.zeros((0, 2)), np.zeros((0, 2)))


def points(*parts: tuple[tuple[float, float], int]) -> F64:
    return np.concatenate([np.full((count, 2), place) for place, count in parts])


X = points((HERE, 1200), (THERE, 1160), (BEYOND, 40))
ONE = partition(X, np.array([(5.0, 0.0)]))
TWO = partition(X, np.array([HERE, THERE]))
THREE = partition(X, np.array([HERE, THERE, BEYOND]))
#: The forty have come from both.
CAME = Movement(np.arange(len(X)), X, points((HERE, 1200), (THERE, 1160), (HERE, 20), (THERE, 20)))


def judge(
    here: Partition, score: float, young: Young, movement: Movement = NOBODY,
    settlers: Settlers | None = None, tick: int = 0, tenure: int = 0,
) -> Judge:  # fmt: skip
    return Judge(
        Scored(here, score), movement, Tightness(), young, settlers or Settlers(), tick, tenure
    )


@pytest.mark.parametrize(
    ("tenure", "times"),
    [(0, 1.0), (TENURE_TICKS // 2, (1.0 + TENURE) / 2), (TENURE_TICKS, TENURE), (900, TENURE)],
)
def test_the_longer_a_structure_lasts_the_more_another_must_bring(
    tenure: int, times: float
) -> None:
    offer = judge(TWO, 1.0, Young(), tenure=tenure).offer(Scored(THREE, 1.25))
    assert offer.gain == pytest.approx(0.25)
    assert offer.margin == pytest.approx(times * MARGIN)


def test_what_newcomers_are_forgiven_others_must_bring() -> None:
    young = Young()
    young.came(1, 100, 0.4)
    # Half of it is forgiven by then: the structure is worth 1.0 + .2.
    later = judge(TWO, 1.0, young, tick=100 + YOUNG_TICKS // 2)
    assert later.owed == pytest.approx(1.2)
    assert later.offer(Scored(ONE, 1.5)).gain == pytest.approx(0.3)
    # While the panel grows nothing is owed.
    assert later.grown(Scored(ONE, 1.5)).gain == pytest.approx(0.5)


def test_what_the_last_newcomers_are_forgiven_is_owed_by_the_next() -> None:
    young = Young()
    young.came(1, 100, 0.4)
    later = judge(TWO, 1.0, young, CAME, tick=100 + YOUNG_TICKS // 2)
    offer = later.offer(Scored(THREE, 0.9))
    # 40 came and nobody left: 40 ln 2, of all customers. The price of a segment is not theirs.
    told = 40 * np.log(2.0) / len(X)
    assert (offer.newcomers, offer.movers) == (2, False)
    assert offer.gain == pytest.approx(0.9 + 2 * COST + told - 1.2)
    assert offer.margin == pytest.approx(NEWS / len(X))
    # .1 worse than the structure in force, which may be .2 worse than another: .3 together.
    assert later.lacking(Scored(THREE, 0.9)) == pytest.approx(0.3)
    assert later.lacking(Scored(THREE, 1.3)) == 0.0


def test_what_was_needed_to_come_is_needed_to_go() -> None:
    settlers = Settlers()
    settlers.restructured(TWO, THREE, newcomers=2)
    later = judge(THREE, 1.0, Young(), settlers=settlers)
    # They did not pay the price of a segment (of two features), so that is not saved either.
    margin = MARGIN + NEWS / len(X) + 2 * COST
    assert later.offer(Scored(TWO, 1.0)).margin == pytest.approx(margin)
    # As many segments would do, if the newcomers keep theirs.
    others = partition(X, np.array([(5.0, 0.0), BEYOND]))
    assert later.offer(Scored(others, 1.0)).margin == pytest.approx(MARGIN)


def test_more_in_a_small_panel() -> None:
    # 16 ** 1.25 = 32 in a sixteenth of the panel.
    assert caution(2250) == caution(10_000) == 1.0
    assert caution(2250 // 16) == pytest.approx(32.0, rel=0.01)
