"""What is stored of a customer: whatever was remembered comes back, and old forms are read."""

import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.customer import IDS, LAYOUT, ROW, Link, Table, stored_forms, stored_link
from stream.extra import Extra
from stream.packing import ID_BYTES, ID_MASK, id_number, pack_rows, unpack_rows

VALUES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)
NAMES = st.sampled_from(["age", "country", "createdAt", "values", "x", "größe", ""]) | st.text()
TRAITS = st.dictionaries(NAMES, st.tuples(VALUES, st.integers(0, 2**42)), max_size=12)
ROWS = st.integers(0, 6).flatmap(
    lambda n: st.tuples(
        st.lists(st.binary(min_size=13, max_size=13), min_size=n, max_size=n),
        st.lists(st.lists(st.integers(0, ID_MASK), min_size=5, max_size=5), min_size=n, max_size=n),
    )
)


@given(ROWS)
def test_rows_come_back_as_they_were(rows: tuple[list[bytes], list[list[int]]]) -> None:
    n = len(rows[0])
    head = np.frombuffer(b"".join(rows[0]), np.uint8).reshape(n, 13)
    ids = np.array(rows[1], np.uint64).reshape(n, 5)
    packed = pack_rows(head, ids)
    again, numbers = unpack_rows(packed, 13, 5)
    assert again.tobytes() == head.tobytes()
    assert numbers.tolist() == ids.tolist()
    for row, numbers_of_row, stored in zip(rows[0], rows[1], packed, strict=True):
        filled = sum(1 for byte in row if byte)
        last = max((i + 1 for i, number in enumerate(numbers_of_row) if number), default=0)
        assert len(stored) == 1 + 2 + filled + ID_BYTES * last


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_row_that_was_cut_off_is_refused(cut: int) -> None:
    head, ids = np.full((1, 13), 7, np.uint8), np.array([[9, 9, 9, 0, 0]], np.uint64)
    (packed,) = pack_rows(head, ids)
    with pytest.raises(ValueError):
        unpack_rows([packed[:-cut]], 13, 5)


@given(TRAITS)
def test_traits_come_back_in_their_order(traits: dict[str, tuple[Any, int]]) -> None:
    extra = Extra(traits, {"loyal": 5}, {"v": "1"}, 7, ((1, 2),), [3])
    again = Extra.from_bytes(extra.to_bytes())
    assert list(again.traits.items()) == list(traits.items())
    assert (again.memberships, again.memory, again.due_ms) == ({"loyal": 5}, {"v": "1"}, 7)
    assert (again.taken, again.asked) == (((1, 2),), [3])
    # Not looked at or looked at, changed or not: stored again it is the same.
    assert again.to_bytes() == extra.to_bytes()
    again.changing_traits()["age"] = (1, 2)
    assert dict(Extra.from_bytes(again.to_bytes()).traits) == {**traits, "age": (1, 2)}


def test_facts_of_one_moment_share_it_and_known_names_take_a_byte() -> None:
    moment = 1_795_000_000_000
    extra = Extra({"age": (34, moment), "country": ("PH", moment), "hue": ("red", moment)})
    # Two lists, the moment in nine bytes, a dictionary; 1 + 1, 1 + 3 and 4 + 4 of the facts.
    assert len(extra.to_bytes()) == 2 + 9 + 1 + 2 + 4 + 8


def test_nothing_remembered_takes_two_bytes() -> None:
    assert Extra().to_bytes() == bytes([0x91, 0x90])
    assert Extra.from_bytes(Extra().to_bytes()).traits == {}


@given(st.binary(max_size=40))
def test_what_is_no_extra_is_an_error_that_is_known(stored: bytes) -> None:
    try:
        _ = Extra.from_bytes(stored).traits
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError):
        return


def first_layout(row: np.ndarray[Any, Any], extra: list[Any] | None) -> bytes:
    """As the first layout was defined: length, the row without zeros at its end, MessagePack."""
    fixed = row.tobytes().rstrip(b"\0")
    more = msgspec.msgpack.encode(extra) if extra is not None else b""
    return struct.pack("<H", len(fixed)) + fixed + more


def test_states_of_the_first_layout_are_read() -> None:
    ids = [id_number("one"), id_number("two")]
    old = np.zeros(1, ROW)
    old["layout"], old["cluster"], old["events"], old["spend_minor"] = 1, 4, 2, -7
    old["id_slot"], old["last_seen_ms"] = 2, 1_795_000_000_000
    # The upper 16 bits were kept then.
    old["ids"][0, :2] = [0xABCD << 48 | number for number in ids]
    extra = [{"age": [34, 5]}, {"loyal": 6}, {"v": "1"}, 7, [[8, 9]], [10]]
    table = Table(4)
    table.load(["a", "b", "new"], [first_layout(old[0], extra), first_layout(old[0], None), None])
    row = table.rows[0]
    assert [int(row[name]) for name in ("layout", "cluster", "events", "spend_minor")] == [
        LAYOUT,
        4,
        2,
        -7,
    ]
    assert row["ids"][:3].tolist() == [*ids, 0]
    known = table.extra[0]
    assert dict(known.traits) == {"age": (34, 5)}
    assert (known.memberships, known.memory, known.due_ms) == ({"loyal": 6}, {"v": "1"}, 7)
    assert (known.taken, known.asked) == (((8, 9),), [10])
    assert 1 not in table.extra
    # Stored again it is of the present layout, and says the same.
    stored = table.dump(np.arange(2))
    assert {blob[2] for blob in stored} == {LAYOUT}
    again = Table(4)
    again.load(["a", "b"], stored)
    assert again.rows[:2].tobytes() == table.rows[:2].tobytes()
    assert dict(again.extra[0].traits) == {"age": (34, 5)}


def test_links_of_the_first_layout_know_their_events() -> None:
    number = id_number("one")
    table = Table(1)
    table.load(["a"], [stored_link(Link("b", 3, (0xABCD << 48 | number,)))])
    assert table.links["a"].ids == (number,)


def test_a_full_row_is_stored_and_read() -> None:
    row = np.frombuffer(b"\xff" * ROW.itemsize, ROW).copy()
    row["layout"], row["ids"] = LAYOUT, np.arange(1, IDS + 1)
    table = Table(1)
    table.load(["a"], stored_forms(row, [None]))
    assert table.rows[:1].tobytes() == row.tobytes()
