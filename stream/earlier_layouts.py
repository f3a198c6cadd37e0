"""States as earlier versions of Agos stored them: they are read, and never written. Pure."""

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.extra import Extra, Taken, Traits
from stream.likely import turn_times
from stream.packing import ID_BYTES, ID_MASK, unpack_ids

#: Rows, of the dtype given, and parts of variable size, of stored states.
Read = tuple[NDArray[Any], list[Extra | None]]

_size = struct.Struct("<H").unpack_from


class _FirstExtra(msgspec.Struct, array_like=True):
    traits: Traits = {}
    memberships: dict[str, int] = {}
    memory: dict[str, Any] = {}
    due_ms: int = 0
    taken: Taken = ()
    asked: list[int] = []


_decode_first = msgspec.msgpack.Decoder(_FirstExtra).decode


def _read_first(stored: Sequence[bytes], row: np.dtype[Any]) -> Read:
    """Size and bytes of the row, without the zeros at its end; ids have 64 bits.

    Each trait has its own moment.
    """
    parts = [_split(state) for state in stored]
    fixed = [part.ljust(row.itemsize, b"\0") for part, _ in parts]
    rows = np.frombuffer(b"".join(fixed), row).copy()
    rows["ids"] &= np.uint64(ID_MASK)
    return rows, [_first_extra(extra) if extra else None for _, extra in parts]


def _first_extra(stored: bytes) -> Extra:
    found = _decode_first(stored)
    return Extra(
        found.traits, found.memberships, found.memory, found.due_ms, found.taken, found.asked
    )


def _read_second(stored: Sequence[bytes], row: np.dtype[Any]) -> Read:
    """Size of what comes before the parts of variable size: the layout and the packed row.

    That is how many ids there are, a bitmap of the bytes that are not zero, these, and the ids.
    The traits' moments are as they are.
    """
    parts = [_split(state) for state in stored]
    slots, head = row["ids"].shape[0], row.itemsize - row["ids"].itemsize
    raw = np.zeros((len(stored), row.itemsize), np.uint8)
    raw[:, 1:head], ids = _unpack_second([part[1:] for part, _ in parts], head - 1, slots)
    raw[:, head:] = ids.view(np.uint8)
    rows: NDArray[Any] = raw.view(row)[:, 0]
    turn_times(rows, rows["last_seen_ms"])
    rows["cluster_since_ms"] ^= rows["last_seen_ms"]
    return rows, [Extra.from_bytes(extra, 0) if extra else None for _, extra in parts]


def _unpack_second(
    packed: Sequence[bytes], width: int, slots: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    map_bytes = -(-width // 8)
    maps = b"".join([row[1 : 1 + map_bytes] for row in packed])
    counts = np.array([row[0] for row in packed], np.int64)
    splits = [len(row) - row[0] * ID_BYTES for row in packed]
    filled = np.frombuffer(maps, np.uint8).reshape(len(packed), map_bytes)
    head = np.unpackbits(filled, axis=1, count=width)
    values = [row[1 + map_bytes : split] for row, split in zip(packed, splits, strict=True)]
    head[head != 0] = np.frombuffer(b"".join(values), np.uint8)
    ids = np.zeros((len(packed), slots), np.uint64)
    numbers = [row[split:] for row, split in zip(packed, splits, strict=True)]
    ids[np.arange(slots) < counts[:, None]] = unpack_ids(b"".join(numbers))
    return head, ids


def _split(stored: bytes) -> tuple[bytes, bytes]:
    end = 2 + _size(stored)[0]
    return stored[2:end], stored[end:]


#: How to read the states of a layout, all of them of that one, into rows of a dtype. A ValueError,
#: LookupError or MsgspecError says that something else was stored.
EARLIER: Mapping[int, Callable[[Sequence[bytes], np.dtype[Any]], Read]] = {
    1: _read_first,
    2: _read_second,
}
