"""States as they are stored: zeros are left out, event ids have 48 bits.

A state is stored as two bytes, a bitmap of its row's bytes that are not zero, those bytes, its
event ids, and its parts of variable size. Of the bitmap, too, the bytes at its end that are zero
are left out. The first byte has the layout and the bitmap's size, the second the number of ids.
"""

from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

#: Bytes of an event id. Among the ids remembered of one customer two events have the same one
#: with a probability of less than 2e-13.
ID_BYTES = 6
ID_MASK = (1 << 8 * ID_BYTES) - 1
#: Bits of the first byte that have the bitmap's size; the layout is above them.
_SIZE_BITS = 5
_SIZE_MASK = (1 << _SIZE_BITS) - 1
#: Set in the second byte. The first layouts and links have the upper byte of a size there, 0 to 2,
#: and the layout behind it.
_MARK = 0x80
_LAST_UNMARKED = 2
_hash64 = xxhash.xxh3_64_intdigest


def id_number(event_id: str) -> int:
    """Number of an event id as it is remembered, 1 to `ID_MASK`."""
    return _hash64(event_id.encode()) & ID_MASK or 1


def layout_of(stored: bytes) -> int:
    """Layout of a stored state; 0: it has none that there ever was."""
    if stored[1] & _MARK:
        layout = stored[0] >> _SIZE_BITS
        return layout if layout > _LAST_UNMARKED else 0
    return stored[2] if stored[2] <= _LAST_UNMARKED else 0


def ids_kept(ids: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """How many slots of each row are stored, ids of shape (n, slots).

    That is up to the last one filled: a gap in between is kept as it is.
    """
    count, slots = ids.shape
    # One more in front is always filled.
    filled = np.ones((count, 1 + slots), bool)
    np.not_equal(ids, 0, out=filled[:, 1:])
    kept: NDArray[np.uint8] = (slots - filled[:, ::-1].argmax(axis=1)).astype(np.uint8)
    return kept


def pack_rows(
    layout: int,
    head: NDArray[np.uint8],
    ids: NDArray[np.uint64],
    kept: NDArray[np.uint8],
    extras: Sequence[bytes],
) -> list[bytes]:
    """Stored states.

    Parameters
    ----------
    layout
        At most 7.
    head
        Bytes of all fields but the ids, shape (n, bytes), the likely ones first.
    ids
        Event ids, shape (n, slots), each at most `ID_MASK`.
    kept
        What `ids_kept` says of them.
    extras
        Parts of variable size, n of them; b"" is none.
    """
    maps = np.packbits(head, axis=1)
    map_bytes = maps.shape[1]
    begins = np.empty((len(head), 2 + map_bytes), np.uint8)
    begins[:, 1], begins[:, 2:] = kept | _MARK, maps
    # The search ends at the second byte, which is never zero.
    left_out = (begins[:, :0:-1] != 0).argmax(axis=1)
    begins[:, 0] = (layout << _SIZE_BITS | map_bytes) - left_out
    opening, values = begins.tobytes(), head.tobytes().translate(None, b"\0")
    numbers = pack_ids(ids[_slots(kept, ids.shape[1])])
    filled = np.bitwise_count(maps).sum(axis=1)
    counts = zip(left_out.tolist(), filled.tolist(), kept.tolist(), extras, strict=True)
    start = at = id_at = 0
    packed = []
    for zeros, count, ids_of_row, extra in counts:
        next_start, end, id_end = start + 2 + map_bytes, at + count, id_at + ids_of_row * ID_BYTES
        begin = opening[start : next_start - zeros]
        packed.append(b"".join((begin, values[at:end], numbers[id_at:id_end], extra)))
        start, at, id_at = next_start, end, id_end
    return packed


def unpack_rows(
    stored: Sequence[bytes], width: int, ids: NDArray[np.uint64]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[bytes]]:
    """What `pack_rows` was given: head of shape (n, width), kept and extras.

    Parameters
    ----------
    ids
        Zeros, shape (n, slots); becomes the event ids.

    Raises
    ------
    ValueError
        If something else was stored.
    """
    slots = ids.shape[1]
    map_bytes = -(-width // 8)
    maps, counts, values, numbers, extras = [], [], [], [], []
    for state in stored:
        begin, count = 2 + (state[0] & _SIZE_MASK), state[1] & ~_MARK
        bitmap = state[2:begin]
        split = begin + int.from_bytes(bitmap, "big").bit_count()
        end = split + count * ID_BYTES
        if len(state) < end or count > slots:
            raise ValueError(f"a state has {len(state)} bytes and {count} ids, expected {end}")
        maps.append(bitmap.ljust(map_bytes, b"\0"))
        counts.append(count)
        values.append(state[begin:split])
        numbers.append(state[split:end])
        extras.append(state[end:])
    filled = np.frombuffer(b"".join(maps), np.uint8).reshape(len(stored), map_bytes)
    head = np.unpackbits(filled, axis=1, count=width)
    head[head.view(bool)] = np.frombuffer(b"".join(values), np.uint8)
    kept = np.array(counts, np.uint8)
    ids[_slots(kept, slots)] = unpack_ids(b"".join(numbers))
    return head, kept, extras


def _slots(kept: NDArray[np.uint8], slots: int) -> NDArray[np.bool_]:
    return np.arange(slots, dtype=np.uint8) < kept[:, None]


def pack_ids(ids: NDArray[np.uint64]) -> bytes:
    """Event ids, shape (n,), as bytes, the lowest first."""
    wide = ids.astype("<u8", copy=False).view("<u2").reshape(-1, 4)
    short = np.empty((len(ids), 3), "<u2")
    # By columns: three numbers at a time are copied much more slowly.
    for i in range(3):
        short[:, i] = wide[:, i]
    return short.tobytes()


def unpack_ids(stored: bytes) -> NDArray[np.uint64]:
    """Event ids of what `pack_ids` made."""
    short = np.frombuffer(stored, "<u2").reshape(-1, 3)
    wide = np.zeros((len(short), 4), "<u2")
    for i in range(3):
        wide[:, i] = short[:, i]
    return wide.view("<u8")[:, 0].astype(np.uint64, copy=False)
