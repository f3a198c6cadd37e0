"""Rows as they are stored: zeros are left out, event ids have 48 bits.

A row is stored as a bitmap of its bytes that are not zero, those bytes, and its event ids. Half
of a typical row is zero: numbers are small, and most customers have few categories.
"""

from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

#: Bytes of an event id. Among the ids remembered of one customer two events have the same one
#: with a probability of less than 2e-13.
ID_BYTES = 6
ID_MASK = (1 << 8 * ID_BYTES) - 1
_hash64 = xxhash.xxh3_64_intdigest


def id_number(event_id: str) -> int:
    """Number of an event id as it is remembered, 1 to `ID_MASK`."""
    return _hash64(event_id.encode()) & ID_MASK or 1


def pack_rows(head: NDArray[np.uint8], ids: NDArray[np.uint64]) -> list[bytes]:
    """Stored bytes of rows.

    Parameters
    ----------
    head
        Bytes of all fields but the ids, shape (n, bytes).
    ids
        Event ids, shape (n, slots), each at most `ID_MASK`.
    """
    filled = head != 0
    values, maps = head[filled].tobytes(), np.packbits(filled, axis=1)
    width, bitmaps = maps.shape[1], maps.tobytes()
    ends = np.cumsum(np.count_nonzero(filled, axis=1)).tolist()
    # Up to the last one: a gap in between is kept as it is.
    kept = ids.shape[1] - np.argmax(ids[:, ::-1] != 0, axis=1)
    kept[~ids.any(axis=1)] = 0
    counts = kept.tolist()
    longest = max(counts, default=0)
    # Bytes of a number, the lowest first.
    parts = np.ascontiguousarray(ids[:, :longest].astype("<u8")).view(np.uint8)
    rest = parts.reshape(len(ids), longest, 8)[:, :, :ID_BYTES].tobytes()
    stride, begin, packed = longest * ID_BYTES, 0, []
    for i, (end, count) in enumerate(zip(ends, counts, strict=True)):
        packed.append(
            b"%c%b%b%b"
            % (
                count,
                bitmaps[i * width : (i + 1) * width],
                values[begin:end],
                rest[i * stride : i * stride + count * ID_BYTES],
            )
        )
        begin = end
    return packed


def unpack_rows(
    packed: Sequence[bytes], width: int, slots: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """Bytes of all fields but the ids, shape (n, width), and the ids, shape (n, slots).

    Raises
    ------
    ValueError
        If something else was stored.
    """
    map_bytes = -(-width // 8)
    maps = b"".join([row[1 : 1 + map_bytes] for row in packed])
    counts = np.array([row[0] for row in packed], np.int64)
    split = [len(row) - row[0] * ID_BYTES for row in packed]
    filled = np.frombuffer(maps, np.uint8).reshape(len(packed), map_bytes)
    head = np.unpackbits(filled, axis=1, count=width)
    values = [row[1 + map_bytes : at] for row, at in zip(packed, split, strict=True)]
    head[head != 0] = np.frombuffer(b"".join(values), np.uint8)
    numbers = np.zeros((len(packed), slots, 8), np.uint8)
    rest = np.frombuffer(
        b"".join([row[at:] for row, at in zip(packed, split, strict=True)]), np.uint8
    )
    numbers[np.arange(slots) < counts[:, None], :ID_BYTES] = rest.reshape(-1, ID_BYTES)
    return head, numbers.view("<u8")[:, :, 0].astype(np.uint64)
