"""Segments that fade, by hand."""

import numpy as np

from models.fading import KNOWN_TICKS, LEAST_SHARE, NOTED_TICKS, Fading
from models.lloyd import Partition
from models.space import F64, Space

HERE, THERE, BEYOND = (0.0, 0.0), (10.0, 0.0), (0.0, 10.0)


def divided(*parts: tuple[tuple[float, float], int]) -> Partition:
    """Customers at places: (centroid, how many)."""
    counts = np.array([count for _, count in parts], dtype=np.int64)
    labels = np.repeat(np.arange(len(parts)), counts)
    return Partition(np.array([place for place, _ in parts]), labels, counts, np.zeros(len(parts)))


def lasting(fading: Fading, *parts: tuple[tuple[float, float], int], tick: int = 1) -> list[bool]:
    return [bool(one) for one in fading.lasting(divided(*parts), tick)]


def test_what_was_always_small_lasts() -> None:
    fading = Fading()
    assert lasting(fading, (HERE, 970), (THERE, 30)) == [True, True]
    assert lasting(fading, (HERE, 979), (THERE, 21)) == [True, True]


def test_what_has_become_small_is_retired() -> None:
    fading = Fading()
    assert lasting(fading, (HERE, 800), (THERE, 200)) == [True, True]
    # 4.5 % is more than a fifth of 20 %, 3.5 % is less.
    assert lasting(fading, (HERE, 955), (THERE, 45)) == [True, True]
    assert lasting(fading, (HERE, 965), (THERE, 35)) == [True, False]


def test_what_is_only_left_behind_is_retired_when_others_would_be_tighter() -> None:
    fading = Fading()
    # 5.5 % are less than .3 of 20 %, and no new segment could be so little of it; 6.5 % could.
    for count, lacking, lasts in [(200, True, True), (65, True, True), (55, False, True)]:
        found = divided((HERE, 1000 - count), (THERE, count))
        assert fading.lasting(found, 1, lacking).tolist() == [True, lasts]
    found = divided((HERE, 945), (THERE, 55))
    assert fading.left_behind(divided((HERE, 935), (THERE, 65))) is None
    assert fading.left_behind(found) == 1
    assert fading.lasting(found, 1, True).tolist() == [True, False]
    assert fading.left_behind(divided((HERE, 1000))) is None


def test_who_has_been_seen_and_is_still_there_is_not_left_behind() -> None:
    # Of everybody 61.6 % have been seen lately; a small segment needs half of that: 30.8 %.
    for seen_there, lasts in [(11, True), (10, False)]:
        seen = np.concatenate([np.arange(965) < 605, np.arange(35) < seen_there])
        fading = Fading()
        lasting(fading, (HERE, 800), (THERE, 200))
        fading.look(seen)
        few = divided((HERE, 965), (THERE, 35))
        assert (fading.left_behind(few) is None) == lasts
        assert fading.lasting(few, 2).tolist() == [True, lasts]


def test_where_others_were_may_be_a_new_segment_of_who_has_been_seen_there() -> None:
    fading = faded()
    few = divided((HERE, 970), (THERE, 30))
    fading.look(np.repeat([True, False], [970, 30]))
    assert fading.remains(few)
    fading.look(np.ones(1000, dtype=bool))
    assert not fading.remains(few)


def test_what_has_become_half_of_much_is_not_small() -> None:
    fading = Fading()
    assert lasting(fading, (HERE, 100), (THERE, 900)) == [True, True]
    # A ninth of its height, but every tenth customer is still there.
    assert lasting(fading, (HERE, 900), (THERE, 100)) == [True, True]


def test_hardly_anybody_is_no_segment() -> None:
    few = int(1000 * LEAST_SHARE) - 1
    assert lasting(Fading(), (HERE, 1000 - few), (THERE, few)) == [True, False]


def test_heights_are_forgotten() -> None:
    fading = Fading()
    lasting(fading, (HERE, 900), (THERE, 100))
    # 1.9 % are less than a fifth of 10 %, but that was long ago (.998 ** 700 is .25).
    for tick in range(700):
        fading.lasting(divided((HERE, 955), (THERE, 45)), tick)
    assert lasting(fading, (HERE, 981), (THERE, 19)) == [True, True]


def faded() -> Fading:
    fading = Fading()
    lasting(fading, (HERE, 800), (THERE, 200))
    assert lasting(fading, (HERE, 970), (THERE, 30), tick=2) == [True, False]
    return fading


def test_remains_are_no_new_segment() -> None:
    fading = faded()
    near = (9.5, 0.5)
    assert fading.remains(divided((HERE, 970), (near, 30)))
    # 6.5 % are more than were left at the end: somebody has come.
    assert not fading.remains(divided((HERE, 935), (near, 65)))
    assert not fading.remains(divided((HERE, 970), (BEYOND, 30)))
    assert not fading.remains(divided((HERE, 1000)))


def test_who_is_left_where_a_segment_lay_is_no_new_segment() -> None:
    fading = Fading()
    for tick in range(1, 100):
        # Before all had left, the place was noted; who left went slowly, so the id went along.
        place = THERE if tick <= 2 * NOTED_TICKS else BEYOND
        fading.lasting(divided((HERE, 800), (place, 200)), tick)
    # 5.5 % are less than three tenths of 20 %, 6.5 % are not.
    assert fading.remains(divided((HERE, 800), (BEYOND, 145), (THERE, 55)))
    assert not fading.remains(divided((HERE, 800), (BEYOND, 135), (THERE, 65)))
    elsewhere = (-10.0, 0.0)
    assert not fading.remains(divided((HERE, 800), (BEYOND, 165), (elsewhere, 35)))


def test_what_was_in_force_for_a_moment_left_nothing_behind() -> None:
    fading = Fading()
    before = divided((HERE, 800), (THERE, 200))
    for tick in range(1, 100):
        fading.lasting(before, tick)
        fading.restructured(before, before, tick)
    assert not fading.remains(divided((HERE, 970), (THERE, 30)))


def test_remains_are_told_for_a_while() -> None:
    fading = faded()
    few = divided((HERE, 970), (THERE, 30))
    fading.lasting(divided((HERE, 1000)), 1 + KNOWN_TICKS)
    assert fading.remains(few)
    fading.lasting(divided((HERE, 1000)), 2 + KNOWN_TICKS)
    assert not fading.remains(few)


def test_a_segment_keeps_its_height_when_the_structure_changes() -> None:
    fading = Fading()
    before = divided((HERE, 800), (THERE, 200))
    fading.lasting(before, 1)
    # The first loses half of its customers to a third; the second comes first now.
    labels = np.repeat([1, 2, 0], [400, 400, 200])
    after = Partition(
        np.array([THERE, HERE, BEYOND]), labels, np.array([200, 400, 400]), np.zeros(3)
    )
    fading.restructured(before, after, 1)
    assert lasting(fading, (THERE, 35), (HERE, 565), (BEYOND, 400)) == [False, True, True]


def test_who_is_where_a_segment_lay_has_its_height() -> None:
    fading = Fading()
    for tick in range(1, 50):
        fading.lasting(divided((HERE, 760), (THERE, 240)), tick)
    # Most have gone; the id, and the height, went along. Then those left are told apart.
    before = divided((HERE, 760), (BEYOND, 240))
    labels = np.repeat([0, 1, 2], [760, 150, 90])
    after = Partition(
        np.array([HERE, BEYOND, THERE]), labels, np.array([760, 150, 90]), np.zeros(3)
    )
    fading.restructured(before, after, 50)
    # 3.5 % are less than a fifth of 24 %, though not of 9 %.
    assert lasting(fading, (HERE, 765), (BEYOND, 200), (THERE, 35)) == [True, True, False]


def test_what_is_new_has_no_height() -> None:
    fading = Fading()
    before = divided((HERE, 1000))
    fading.lasting(before, 1)
    labels = np.repeat([0, 1], [965, 35])
    fading.restructured(
        before, Partition(np.array([HERE, THERE]), labels, np.array([965, 35]), np.zeros(2)), 1
    )
    assert lasting(fading, (HERE, 965), (THERE, 35)) == [True, True]


def test_places_move_with_the_space() -> None:
    def space(mean: float) -> Space:
        flags = np.zeros(2, dtype=bool)
        return Space(np.full(2, mean), np.ones(2), flags, 100.0)

    fading = faded()
    fading.move(space(0.0), space(7.0))
    away: F64 = np.array([THERE]) - 7.0
    assert fading.remains(divided((HERE, 970), ((float(away[0, 0]), float(away[0, 1])), 30)))
    assert not fading.remains(divided((HERE, 970), (THERE, 30)))


def test_a_restart_forgets_nothing() -> None:
    fading = faded()
    again = Fading()
    again.restore(fading.state())
    assert again.state() == fading.state()
    assert again.remains(divided((HERE, 970), (THERE, 30)))
    wider = Fading()
    wider.restore(Fading.widened(fading.state(), 1))
    centroids = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 0.0]])
    few = divided((HERE, 970), (THERE, 30))
    assert wider.remains(Partition(centroids, few.labels, few.counts, few.sse))
    young = Fading()
    young.restore(Fading().state())
    assert not young.remains(few)
    nothing = Fading()
    nothing.restore({})
    assert not nothing.remains(few)
