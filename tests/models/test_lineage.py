"""Ids, parents and what became of segments, by hand."""

import numpy as np

from models.ancestry import Ancestry
from models.lineage import MEMORY_TICKS, Lineage, Memory, matched, trace
from models.snapshot import UNASSIGNED, Change

NOBODY: dict[int, int] = {}


def spread(*parts: tuple[int, int]) -> np.ndarray:
    """(value, how often) after each other."""
    return np.concatenate([np.full(count, value, dtype=np.int64) for value, count in parts])


def test_matching_takes_the_largest_sum() -> None:
    shared = np.array([[40.0, 2.0], [3.0, 30.0]])
    assert matched(shared) == {0: 0, 1: 1}
    assert matched(shared[::-1]) == {0: 1, 1: 0}


def test_unlike_segments_are_not_matched() -> None:
    # Jaccard 10 / (100 + 10 - 10) = .1.
    assert matched(np.array([[10.0, 90.0]])) == {1: 0}


def test_the_first_segments_are_new() -> None:
    nobody = np.full(4, UNASSIGNED)
    found = trace((), np.zeros(4, np.int64), nobody, np.array([0, 0, 1, 1]), 2, 1, NOBODY)
    assert found.ids == (1, 2)


def test_rows_in_another_order_keep_their_ids() -> None:
    past = spread((5, 50), (8, 30))
    found = trace((5, 8), spread((0, 50), (1, 30)), past, spread((1, 50), (0, 30)), 2, 9, NOBODY)
    assert found.ids == (8, 5)
    assert found.changes == ()


def test_a_split_has_one_parent() -> None:
    past = spread((5, 80), (8, 40))
    now = spread((0, 50), (2, 30), (1, 40))
    found = trace((5, 8), spread((0, 80), (1, 40)), past, now, 3, 9, NOBODY)
    assert found.ids == (5, 8, 9)
    assert found.parents == ((), (), (5,))
    assert found.changes == (Change("split", 9, (5,)),)


def test_customers_from_everywhere_are_a_birth() -> None:
    past = spread((5, 60), (8, 60), (5, 15), (8, 15))
    now = spread((0, 60), (1, 60), (2, 30))
    old = spread((0, 60), (1, 60), (0, 30))
    found = trace((5, 8), old, past, now, 3, 9, NOBODY)
    assert found.ids == (5, 8, 9)
    assert found.changes == (Change("born", 9, (5, 8)),)


def test_a_merge_and_a_death() -> None:
    past = spread((5, 50), (8, 20), (6, 40))
    merged = trace(
        (5, 8, 6), spread((0, 50), (1, 20), (2, 40)), past, spread((0, 70), (1, 40)), 2, 9, NOBODY
    )
    assert merged.ids == (5, 6)
    assert merged.changes == (Change("merged", 8, (5,)),)
    scattered = spread((0, 50), (0, 10), (1, 10), (1, 40))
    died = trace((5, 8, 6), spread((0, 50), (1, 20), (2, 40)), past, scattered, 2, 9, NOBODY)
    assert died.changes == (Change("died", 8, ()),)


def test_a_shrunken_segment_keeps_its_id_by_place() -> None:
    # Of 100 customers that were in 5, 90 are now in 8; the 10 left are where 5 is.
    past = spread((5, 100), (8, 100))
    old = spread((0, 10), (1, 190))
    found = trace((5, 8), old, past, spread((0, 10), (1, 190)), 2, 9, NOBODY)
    assert found.ids == (5, 8)


def test_the_child_of_a_vanished_segment_is_the_segment_moved() -> None:
    past = spread((9, 80), (8, 40))
    found = trace(
        (5, 9, 8), spread((1, 80), (2, 40)), past, spread((0, 80), (1, 40)), 2, 10, {9: 5}
    )
    assert found.ids == (5, 8)
    assert found.changes == (Change("merged", 9, (5,)),)


def test_memory_looks_back() -> None:
    memory = Memory()
    memory.tick(["a"], np.array([1]))
    memory.tick(["a"], np.array([2]))
    assert memory.past(["a", "b"]).tolist() == [1, UNASSIGNED]
    again = Memory(*memory.parts())
    again.relabel(["a"], np.array([7]), {7})
    assert again.past(["a"]).tolist() == [7]


def test_movers_tell_where_a_segment_came_from() -> None:
    """40 moved from 5 to where 8 is nearest; 20 of 8 are at the border; the place is no parent."""
    past = spread((5, 40), (8, 20), (5, 60), (8, 80))
    old = spread((1, 60), (0, 60), (1, 80))
    now = spread((2, 60), (0, 60), (1, 80))
    found = trace((5, 8), old, past, now, 3, 9, NOBODY)
    assert found.changes == (Change("split", 9, (5,)),)


def test_when_most_have_moved_the_id_moves_too() -> None:
    past = spread((9, 80), (5, 20), (8, 40))
    old = spread((1, 80), (0, 20), (2, 40))
    found = trace((5, 9, 8), old, past, old, 3, 10, {9: 5})
    assert found.ids == (10, 5, 8)
    assert found.changes == (Change("merged", 9, (5,)), Change("split", 10, (5,)))
    half = spread((0, 60), (1, 80), (2, 40))
    past = spread((5, 60), (9, 80), (8, 40))
    assert trace((5, 9, 8), half, past, half, 3, 10, {9: 5}).ids == (5, 9, 8)


def test_who_has_come_to_the_old_place_is_not_left_of_the_segment() -> None:
    """Of 60 at the old place 30 came from 8: 80 who moved are 2.5 times the other 30."""
    past = spread((5, 30), (8, 30), (9, 80), (8, 40))
    old = spread((0, 60), (1, 80), (2, 40))
    assert trace((5, 9, 8), old, past, old, 3, 10, {9: 5}).ids == (10, 5, 8)
    unknown = spread((5, 30), (UNASSIGNED, 30), (9, 80), (8, 40))
    assert trace((5, 9, 8), old, unknown, old, 3, 10, {9: 5}).ids == (5, 9, 8)


def test_off_a_young_segment_of_newcomers_from_everywhere_is_a_birth() -> None:
    """9 held the first of them; all that 10 took from it had been in 5 and 8 before."""
    past, origins = spread((5, 60), (8, 60), (9, 80)), spread((5, 100), (8, 100))
    old = spread((0, 60), (1, 60), (2, 80))
    now = spread((0, 60), (1, 60), (2, 30), (3, 50))
    origins[120:] = np.arange(80) % 2 * 3 + 5
    found = trace((5, 8, 9), old, past, now, 4, 10, NOBODY, origins)
    assert found.changes == (Change("born", 10, (9,)),)
    origins[120:] = 5
    found = trace((5, 8, 9), old, past, now, 4, 10, NOBODY, origins)
    assert found.changes == (Change("split", 10, (9,)),)


def test_memory_knows_where_relabelled_customers_were() -> None:
    memory = Memory()
    memory.tick(["a", "b"], np.array([1, 2]))
    memory.relabel(["a", "b"], np.array([7, 2]), {7})
    memory.relabel(["a"], np.array([8]), {8})
    assert memory.past(["a", "b", "c"]).tolist() == [8, 2, UNASSIGNED]
    again = Memory(*memory.parts())
    assert again.origins(["a", "b", "c"]).tolist() == [1, 2, UNASSIGNED]
    # One that has been there for so long comes from there.
    for _ in range(2 * MEMORY_TICKS):
        again.tick(["a", "b"], np.array([8, 2]))
    assert again.origins(["a", "b"]).tolist() == [8, 2]


def test_who_moves_into_a_segment_that_is_remembered_was_not_always_in_it() -> None:
    """The memory reaches back 80 ticks at most: a segment of 79 ticks is not in it everywhere."""
    for since, past in ((100 - 2 * MEMORY_TICKS, [5, 6]), (101 - 2 * MEMORY_TICKS, [6, 6])):
        then = {"moved": 5, "stayed": 6}
        ancestry = Ancestry(8, Memory(100, then, dict(then)), {6: (5, since)})
        lineage = Lineage((5, 6), ((), ()), ())
        ancestry.settle(list(then), np.array([6, 6]), lineage, {6: 5})
        assert ancestry.memory.past(then).tolist() == past


def test_who_was_not_there_counts_by_place() -> None:
    """Of 5 nobody is remembered but 10 that were in 8."""
    past = spread((8, 10), (UNASSIGNED, 90), (8, 5), (6, 40))
    old = spread((0, 100), (1, 5), (2, 40))
    now = spread((0, 105), (1, 40))
    found = trace((5, 8, 6), old, past, now, 2, 9, NOBODY)
    assert found.ids == (5, 6)


def test_only_one_child_is_the_segment_moved() -> None:
    past = spread((9, 80), (7, 70), (8, 40))
    old = spread((1, 80), (2, 70), (3, 40))
    now = spread((0, 80), (1, 70), (2, 40))
    found = trace((5, 9, 7, 8), old, past, now, 3, 10, {9: 5, 7: 5})
    assert found.ids == (5, 7, 8)
    assert found.changes == (Change("merged", 9, (5,)),)


def test_a_growing_panel_has_no_heirs() -> None:
    lineage = Lineage((5, 6), ((), (5,)), (Change("split", 6, (5,)),))
    for growing, heirs in ((False, {6: (5, 0)}), (True, {})):
        ancestry = Ancestry(7)
        ancestry.settle(["a", "b"], np.array([5, 6]), lineage, {}, growing)
        assert ancestry.heirs == heirs


def test_memory_takes_a_grown_panel_in() -> None:
    memory, names = Memory(), [f"c{i}" for i in range(20)]
    for count in (8, 10, 20, 20):
        memory.tick(names[:count], np.full(count, count))
    # 10 are not more than 1.25 times 8; the second look is at 20, the one before at 8.
    assert memory.past([names[0], names[9]]).tolist() == [8, UNASSIGNED]
    memory.tick([*names, "a", "b", "c", "d", "e", "f"], np.full(26, 26))
    assert memory.past([names[0], names[9]]).tolist() == [20, 20]
