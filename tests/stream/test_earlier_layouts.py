"""What earlier versions stored is read; these tests write it as it was defined."""

import struct
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.customer import IDS, LAYOUT, Link, Table, is_link, stored_forms
from stream.earlier_layouts import EARLIER
from stream.errors import StoreError
from stream.merging import Kept, Transfer, message_of, packed, take_in
from stream.packing import id_number
from tests.stream.drawn_rows import NOON, row_of, rows

Row = np.ndarray[Any, Any]
NUMBERS = ("id_slot", "cluster", "version", "events", "orders", "spend_minor")


def first_layout(row: Row, extra: list[Any] | None) -> bytes:
    """Length, the row without zeros at its end, MessagePack."""
    row = row.copy()
    row["layout"] = 1
    fixed = row.tobytes().rstrip(b"\0")
    return struct.pack("<H", len(fixed)) + fixed + encoded(extra)


def second_layout(row: Row, extra: list[Any] | None) -> bytes:
    """Length, layout, number of ids, bitmap, bytes that are not zero, ids of six bytes."""
    one = row[0]
    last = int(one["last_seen_ms"])
    first, since = int(one["first_seen_ms"]), int(one["cluster_since_ms"])
    orders = [int(one["first_order_ms"]), int(one["last_order_ms"])]
    times = [first ^ last, last, *(at and at ^ (last + 1) for at in orders), since ^ last]
    head = struct.pack("<BiIIIq5q", *(int(one[name]) for name in NUMBERS), *times)
    head += b"".join(one[name].tobytes() for name in ("counters", "weights", "categories"))
    bits = "".join("1" if byte else "0" for byte in head).ljust(-(-len(head) // 8) * 8, "0")
    ids = one["ids"].tolist()
    while ids and not ids[-1]:
        ids.pop()
    body = bytes([2, len(ids)]) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    body += bytes(byte for byte in head if byte)
    body += b"".join(number.to_bytes(6, "little") for number in ids)
    return struct.pack("<H", len(body)) + body + encoded(extra)


def encoded(extra: list[Any] | None) -> bytes:
    return msgspec.msgpack.encode(extra) if extra is not None else b""


def loaded(*stored: bytes | None) -> Table:
    table = Table(10)
    table.load([str(i) for i in range(len(stored))], stored)
    return table


REST = [{"loyal": 6}, {"v": "1"}, 7, [[8, 9]], [10]]
FIRST_EXTRA = [{"age": [34, 5], "hue": ["red", NOON]}, *REST]
#: The country's place among the names that are known, and a name that is not.
SECOND_EXTRA = [[5, {0: 34}, NOON, {"hue": "red"}], *REST]


def assert_is_known(table: Table, row: int) -> None:
    extra = table.extra[row]
    assert list(extra.traits.items()) == [("age", (34, 5)), ("hue", ("red", NOON))]
    assert (extra.memberships, extra.memory, extra.due_ms) == ({"loyal": 6}, {"v": "1"}, 7)
    assert (extra.taken, extra.asked) == (((8, 9),), [10])


@given(st.lists(rows(), min_size=1, max_size=4))
@example([row_of()])
@example([row_of(ids=range(1, IDS + 1))])
@example([row_of(ids=[0, 5, 0, 7] + [0] * (IDS - 4), last_seen_ms=NOON, last_order_ms=NOON)])
def test_rows_of_earlier_layouts_are_read(drawn: list[Row]) -> None:
    for write in (first_layout, second_layout):
        stored = [write(row, SECOND_EXTRA if write is second_layout else None) for row in drawn]
        assert not any(is_link(state) for state in stored)
        table = loaded(*stored)
        assert table.rows[: len(drawn)].tobytes() == b"".join(row.tobytes() for row in drawn)


@pytest.mark.parametrize(
    "stored",
    [
        first_layout(row_of(first_seen_ms=NOON - 9, last_seen_ms=NOON), FIRST_EXTRA),
        second_layout(row_of(first_seen_ms=NOON - 9, last_seen_ms=NOON), SECOND_EXTRA),
    ],
)
def test_parts_of_variable_size_are_read_and_stored_anew(stored: bytes) -> None:
    table = loaded(stored)
    assert_is_known(table, 0)
    anew = table.dump(np.arange(1))[0]
    assert anew[0] >> 5 == LAYOUT
    again = loaded(anew)
    assert again.rows[:1].tobytes() == table.rows[:1].tobytes()
    assert_is_known(again, 0)


@pytest.mark.parametrize("write", [first_layout, second_layout])
def test_a_state_that_is_still_under_way_in_kafka_is_merged(write: Any) -> None:
    sent = write(row_of(events=3, spend_minor=250, first_seen_ms=NOON), None)
    names = ("previous_id", "anonymous_id", "merge_into")
    event = SimpleNamespace(
        customer_id="ada", event_id="e", merged_state=packed(sent), via=["anon"],
        **dict.fromkeys(names),
    )  # fmt: skip
    transfer = message_of(event)
    assert isinstance(transfer, Transfer)
    known = Kept(stored_forms(row_of(events=2, spend_minor=100, first_seen_ms=NOON + 9), [None])[0])
    kept, _ = take_in(known, transfer, {})
    row = loaded(kept.stored).rows[0]
    assert (row["events"], row["spend_minor"], row["first_seen_ms"]) == (5, 350, NOON)


def test_ids_of_the_first_layout_had_64_bits() -> None:
    number = id_number("one")
    row = row_of(ids=[0xABCD << 48 | number, 0, 7] + [0] * (IDS - 3))
    assert loaded(first_layout(row, None)).rows["ids"][0, :4].tolist() == [number, 0, 7, 0]
    link = b"\x01\x00\xff" + msgspec.msgpack.encode(["b", 3, [0xABCD << 48 | number]])
    assert loaded(link).links["0"].ids == (number,)


def test_all_forms_are_loaded_together() -> None:
    row = row_of(events=3, cluster=2, first_seen_ms=NOON - 9, last_seen_ms=NOON)
    table = loaded(
        second_layout(row, None),
        None,
        first_layout(row, FIRST_EXTRA),
        b"\x01\x00\xff" + msgspec.msgpack.encode(["b", 8, [3, 4], [[5, 6]]]),
        stored_forms(row, [None])[0],
        second_layout(row, SECOND_EXTRA),
    )
    assert table.rows["events"][:6].tolist() == [3, 0, 3, 0, 3, 3]
    assert table.rows["cluster"][:6].tolist() == [2, -1, 2, -1, 2, 2]
    assert table.rows["layout"][:6].tolist() == [LAYOUT] * 6
    assert table.links == {"3": Link("b", 8, (3, 4), ((5, 6),))}
    assert set(table.extra) == {2, 5}
    assert_is_known(table, 2)
    assert_is_known(table, 5)


def test_the_shortest_state_of_the_first_layout_is_no_link() -> None:
    # Begins as a link does, but for the layout.
    assert first_layout(row_of(), None) == b"\x01\x00\x01"
    assert not is_link(b"\x01\x00\x01")
    # One of the second layout with a size that begins so: 2 + 19 + 8 + 6 * 38 is 0x101.
    ids = [*range(1, 39), *[0] * (IDS - 38)]
    state = second_layout(row_of(ids=ids, categories=[0x1010101] * 2 + [0] * 4), None)
    assert state[:3] == b"\x01\x01\x02"
    assert not is_link(state)


@pytest.mark.parametrize(
    "stored", [b"\x05\x00\x03", b"\x05\x00\xff", b"\x20\x80\x01", b"\x5f\xff\x02"]
)
def test_a_layout_where_another_one_has_it_is_refused(stored: bytes) -> None:
    with pytest.raises(StoreError, match=f"'0' has layout 0, expected {LAYOUT}"):
        loaded(stored + bytes(9))


@given(st.sampled_from([1, 2]), st.binary(max_size=60), st.integers(0, 600))
def test_broken_states_of_earlier_layouts_are_errors_that_are_known(
    layout: int, rest: bytes, size: int
) -> None:
    state = struct.pack("<HB", size, layout) + rest
    try:
        _ = loaded(state)
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError):
        return


def test_the_present_layout_is_none_of_the_earlier_ones() -> None:
    assert sorted(EARLIER) == list(range(1, LAYOUT))
