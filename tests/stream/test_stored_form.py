"""What is stored of a customer: whatever was remembered comes back, in few bytes."""

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.customer import IDS, LAYOUT, Link, Table, is_link, stored_forms, stored_link
from stream.errors import StoreError
from stream.extra import Extra
from stream.packing import ID_BYTES, ID_MASK, ids_kept, pack_rows, unpack_rows
from tests.stream.drawn_rows import NOON, TRAITS, row_of, rows

Row = np.ndarray[Any, Any]
HEADS = st.integers(0, 6).flatmap(
    lambda n: st.tuples(
        st.lists(
            st.binary(min_size=13, max_size=13)
            | st.binary(max_size=9).map(lambda head: head.ljust(13, b"\0")),
            min_size=n,
            max_size=n,
        ),
        st.lists(st.lists(st.integers(0, ID_MASK), min_size=5, max_size=5), min_size=n, max_size=n),
        st.lists(st.binary(max_size=5), min_size=n, max_size=n),
    )
)


def pack(heads: list[bytes], ids: list[list[int]], extras: list[bytes]) -> list[bytes]:
    n = len(heads)
    head = np.frombuffer(b"".join(heads), np.uint8).reshape(n, 13)
    numbers = np.array(ids, np.uint64).reshape(n, 5)
    return pack_rows(3, head, numbers, ids_kept(numbers), extras)


@given(HEADS)
def test_packed_rows_come_back_as_they_were(
    drawn: tuple[list[bytes], list[list[int]], list[bytes]],
) -> None:
    packed = pack(*drawn)
    ids = np.zeros((len(packed), 5), np.uint64)
    head, kept, extras = unpack_rows(packed, 13, ids)
    assert head.tobytes() == b"".join(drawn[0])
    assert ids.tolist() == drawn[1]
    assert extras == drawn[2]
    for row, numbers, extra, count, stored in zip(*drawn, kept.tolist(), packed, strict=True):
        last = max((i + 1 for i, number in enumerate(numbers) if number), default=0)
        assert count == last
        filled = [i for i, byte in enumerate(row) if byte]
        map_bytes = filled[-1] // 8 + 1 if filled else 0
        assert stored[:2] == bytes([3 << 5 | map_bytes, 0x80 | last])
        assert len(stored) == 2 + map_bytes + len(filled) + ID_BYTES * last + len(extra)


@pytest.mark.parametrize("cut", [1, 5, 20, 32])
def test_a_state_that_was_cut_off_is_refused(cut: int) -> None:
    whole, other = pack([b"\7" * 13, b"\1" * 13], [[9, 9, 9, 0, 0]] * 2, [b"", b"rest"])
    # 2 + 2 + 13 + 3 * 6
    assert len(whole) == 35
    with pytest.raises(ValueError):
        unpack_rows([other, whole[:-cut], other], 13, np.zeros((3, 5), np.uint64))


def test_a_state_that_says_more_than_fits_is_refused() -> None:
    (whole,) = pack([bytes(13)], [[1, 2, 3, 4, 5]], [bytes(99)])
    for wrong in (
        # Six ids; three bytes of a bitmap; bits that stand for no byte.
        bytes([whole[0], 0x86]) + whole[2:],
        bytes([3 << 5 | 3, 0x80]) + bytes(99),
        bytes([3 << 5 | 2, 0x80, 0, 7]) + bytes(99),
    ):
        with pytest.raises(ValueError):
            unpack_rows([wrong], 13, np.zeros((1, 5), np.uint64))


@given(st.lists(st.tuples(rows(), st.none() | TRAITS), max_size=4))
@example([(row_of(), None), (row_of(), {})])
@example([(row_of(ids=range(1, IDS + 1)), None), (row_of(ids=range(IDS)), None)])
@example([(row_of(ids=[0, 5, 0, 7] + [0] * (IDS - 4), id_slot=4, events=4), None)])
def test_any_state_comes_back_as_it_was(drawn: list[tuple[Row, dict[str, Any] | None]]) -> None:
    table, names = Table(9), [str(i) for i in range(len(drawn))]
    table.load(names, [None] * len(drawn))
    for i, (row, traits) in enumerate(drawn):
        table.rows[i] = row[0]
        if traits is not None:
            table.extra[i] = Extra(traits, {"loyal": 5}, {"v": "1"}, 7, ((1, 2),), [3])
    stored = table.dump(np.arange(len(drawn)))
    assert not any(is_link(state) for state in stored)
    again = Table(9)
    again.load(names, stored)
    assert again.rows[: len(drawn)].tobytes() == b"".join(row.tobytes() for row, _ in drawn)
    for i, (_, traits) in enumerate(drawn):
        if traits is None:
            assert i not in again.extra
            continue
        extra = again.extra[i]
        assert list(extra.traits.items()) == list(traits.items())
        assert (extra.memberships, extra.memory, extra.due_ms) == ({"loyal": 5}, {"v": "1"}, 7)
        assert (extra.taken, extra.asked) == (((1, 2),), [3])
    assert again.dump(np.arange(len(drawn))) == stored


def test_a_stored_state_byte_by_byte() -> None:
    seen = 0x1A2_0000_0003
    row = row_of(cluster=5, version=2, id_slot=1, events=1)
    for name in ("first_seen_ms", "last_seen_ms", "cluster_since_ms"):
        row[name] = seen
    row["ids"][0, 0] = 0x0605_0403_0201
    (stored,) = stored_forms(row, [Extra({"age": (34, seen + 1)})])
    # The first two bytes in order are the cluster and the version; then come three of the first
    # event's moment, which is the last one's, and five of the last one's, of which two are filled.
    # Slot and events are as many as the ids; the sixth byte of a moment is as it always is.
    assert stored == (
        bytes([3 << 5 | 2, 0x80 | 1, 0b11000100, 0b01000000])
        + bytes([5, 2, 0x03, 0xA2, 1, 2, 3, 4, 5, 6])
        + bytes([0x91, 0x92, 1, 0x81, 0, 34])
    )


def test_who_is_new_takes_few_bytes() -> None:
    table = Table(1)
    table.load(["a"], [None])
    table.rows["first_seen_ms"] = table.rows["last_seen_ms"] = 0x1A2_0304_0506
    table.rows["ids"][0, 0] = ID_MASK
    table.rows["events"] = table.rows["id_slot"] = table.rows["version"] = 1
    (stored,) = table.dump(np.arange(1))
    # The bitmap up to the cluster, the version, a moment, the cluster that is none, and an id.
    assert len(stored) == 2 + 4 + 1 + 5 + 4 + 6


def test_ids_that_went_round_come_back() -> None:
    # 50 events: the ring is full, and begins again with the newest two.
    ids = [49, 50, *range(3, 49)]
    row = row_of(ids=ids, id_slot=2, events=50)
    table = Table(1)
    table.load(["a"], stored_forms(row, [None]))
    assert table.rows[:1].tobytes() == row.tobytes()


def test_a_full_row_is_stored_and_read() -> None:
    row = np.frombuffer(b"\xff" * row_of().itemsize, row_of().dtype).copy()
    row["layout"], row["ids"] = LAYOUT, np.arange(1, IDS + 1)
    table = Table(1)
    table.load(["a"], stored_forms(row, [None]))
    assert table.rows[:1].tobytes() == row.tobytes()


@pytest.mark.parametrize("layout", [4, 7])
def test_a_later_layout_is_refused(layout: int) -> None:
    (state,) = stored_forms(row_of(events=3), [None])
    table = Table(3)
    with pytest.raises(StoreError, match=f"'b' has layout {layout}, expected {LAYOUT}"):
        table.load(["a", "b"], [state, bytes([layout << 5 | state[0] & 31]) + state[1:]])
    # Nothing of it is in the table.
    table.load(["c"], [state])
    assert (table.names, len(table.extra)) == (["c"], 0)


@given(st.binary(max_size=60), st.integers(0, 31), st.integers(0, 127))
def test_broken_states_are_errors_that_are_known(rest: bytes, size: int, count: int) -> None:
    table = Table(1)
    try:
        table.load(["a"], [bytes([LAYOUT << 5 | size, 0x80 | count]) + rest])
        _ = table.extra_of("a").traits
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError):
        return


BASES = st.integers(0, 2**42)


@given(TRAITS, BASES, BASES)
def test_traits_come_back_in_their_order(
    traits: dict[str, tuple[Any, int]], base_ms: int, other_ms: int
) -> None:
    extra = Extra(traits, {"loyal": 5}, {"v": "1"}, 7, ((1, 2),), [3])
    stored = extra.to_bytes(base_ms)
    again = Extra.from_bytes(stored, base_ms)
    assert list(again.traits.items()) == list(traits.items())
    assert (again.memberships, again.memory, again.due_ms) == ({"loyal": 5}, {"v": "1"}, 7)
    assert (again.taken, again.asked) == (((1, 2),), [3])
    # Not looked at or looked at, from where it was or from elsewhere: it says the same.
    assert again.to_bytes(base_ms) == stored
    assert again.to_bytes(other_ms) == extra.to_bytes(other_ms)
    assert list(again.traits.items()) == list(traits.items())
    assert again.to_bytes(base_ms) == stored
    again.changing_traits()["age"] = (1, 2)
    changed = Extra.from_bytes(again.to_bytes(other_ms), other_ms)
    assert dict(changed.traits) == {**traits, "age": (1, 2)}


def test_facts_of_one_moment_share_it_and_known_names_take_a_byte() -> None:
    extra = Extra({"age": (34, NOON), "country": ("PH", NOON), "hue": ("red", NOON)})
    # Two lists, the moment, a dictionary; 1 + 1, 1 + 3 and 4 + 4 of the facts.
    for base_ms, moment in (
        (0, 9),
        (NOON, 1),
        (NOON - 100, 1),
        (NOON - 60_000, 3),
        (NOON - 10**9, 5),
        # Set before: the number is negative.
        (NOON + 20, 1),
        (NOON + 10**9, 5),
    ):
        stored = extra.to_bytes(base_ms)
        assert len(stored) == 2 + moment + 1 + 2 + 4 + 8
        assert Extra.from_bytes(stored, base_ms).traits == extra.traits


def test_traits_are_stored_again_without_being_read() -> None:
    # There is no name with this number: to read it is an error.
    stored = msgspec.msgpack.encode([[5, {999: 1}]])
    extra = Extra.from_bytes(stored, NOON)
    assert extra.to_bytes(NOON) == stored
    with pytest.raises(LookupError):
        _ = extra.traits
    with pytest.raises(LookupError):
        extra.to_bytes(NOON - 1)


@pytest.mark.parametrize(("base_ms", "after_ms"), [(5, -6), (0, 2**63), (2**63 - 1, 1)])
def test_a_moment_that_cannot_be_stored_is_refused(base_ms: int, after_ms: int) -> None:
    extra = Extra.from_bytes(msgspec.msgpack.encode([[after_ms, {0: 1}]]), base_ms)
    with pytest.raises(ValueError, match=str(base_ms + after_ms)):
        _ = extra.traits


def test_a_customer_seen_earlier_than_known_keeps_the_moments_of_its_traits() -> None:
    traits = {"age": (34, NOON), "hue": ("red", NOON + 5)}
    table = Table(1)
    table.load(["a"], stored_forms(row_of(first_seen_ms=NOON), [Extra(dict(traits))]))
    # A late event; the traits are as they were read.
    table.rows["first_seen_ms"][0] = NOON - 10**10
    again = Table(1)
    again.load(["a"], table.dump(np.arange(1)))
    assert again.rows["first_seen_ms"][0] == NOON - 10**10
    assert list(again.extra[0].traits.items()) == list(traits.items())


def test_nothing_remembered_takes_two_bytes() -> None:
    assert Extra().to_bytes(NOON) == bytes([0x91, 0x90])
    assert Extra.from_bytes(bytes([0x91, 0x90]), NOON).traits == {}


@given(st.binary(max_size=40))
def test_what_is_no_extra_is_an_error_that_is_known(stored: bytes) -> None:
    try:
        _ = Extra.from_bytes(stored, NOON).traits
    except (msgspec.MsgspecError, LookupError, ValueError, TypeError):
        return


def test_a_link_is_stored_as_ever() -> None:
    link = Link("b", 3, (4, 5), ((6, 7),))
    stored = b"\x01\x00\xff" + msgspec.msgpack.encode(["b", 3, [4, 5], [[6, 7]]])
    assert stored_link(link) == stored
    assert is_link(stored)
    table = Table(1)
    table.load(["a"], [stored])
    assert table.links == {"a": link}
