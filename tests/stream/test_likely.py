"""What is likely becomes zeros and comes first, and nothing of a row is lost by it."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.customer import IDS, ROW
from stream.likely import stored_order, turn
from tests.stream.drawn_rows import NOON, row_of, rows


def test_every_byte_but_the_layout_and_the_ids_is_stored_once() -> None:
    assert sorted(stored_order(ROW)) == list(range(1, ROW.itemsize - 8 * IDS))


def test_a_field_that_is_not_named_is_stored_too() -> None:
    more = np.dtype([*ROW.descr, ("another", "<u2")])
    assert sorted(stored_order(more))[-2:] == [ROW.itemsize, ROW.itemsize + 1]
    assert len(stored_order(more)) == len(stored_order(ROW)) + 2


@given(rows(), st.integers(0, IDS))
def test_turned_twice_a_row_is_as_it_was(row: np.ndarray[Any, Any], kept: int) -> None:
    turned = row.copy()
    counts = np.array([kept], np.uint8)
    turn(turned, counts)
    assert turned["layout"] == row["layout"] and turned["cluster"] == row["cluster"]
    turn(turned, counts)
    assert turned.tobytes() == row.tobytes()


def test_what_is_likely_becomes_zeros() -> None:
    row = row_of(
        id_slot=9,
        events=9,
        first_seen_ms=NOON - 5,
        last_seen_ms=NOON,
        cluster_since_ms=NOON,
        last_order_ms=NOON,
    )
    turn(row, np.array([9], np.uint8))
    assert row["id_slot"] == row["events"] == row["cluster_since_ms"] == row["first_order_ms"] == 0
    # 2 ** 40 is the highest bit of this moment: five bytes are left of it.
    assert row["last_seen_ms"] == NOON - 2**40
    assert row["first_seen_ms"] == NOON ^ (NOON - 5)
    # An order at the moment of the last event is told from none.
    assert row["last_order_ms"] == NOON ^ (NOON + 1)


def test_who_is_in_no_cluster_is_so_since_never() -> None:
    row = row_of(cluster=-1, last_seen_ms=NOON)
    turn(row, np.array([0], np.uint8))
    assert row["cluster_since_ms"] == 0
