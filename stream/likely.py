"""What a customer's row is likely to be: stored, that becomes zeros, and most of them come last.

Rows are arrays of the dtype `customer.ROW`; any of them comes back as it was, likely or not.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Set in every epoch ms from November 2004 to September 2039.
_EPOCH_BIT = 1 << 40
#: Bytes that customers have, those of most of them first: field, and which of its bytes. Low
#: bytes of a number are filled before high ones, the first numbers of an array before the others.
_FILLED = (
    ("cluster", 0, 1),
    ("version", 0, 1),
    ("first_seen_ms", 0, 3),
    ("last_seen_ms", 0, 5),
    ("counters", 0, 8),
    ("weights", 0, 4),
    ("categories", 0, 4),
    ("cluster_since_ms", 0, 3),
    # Whoever is in no cluster has all of them.
    ("cluster", 1, 4),
    # Carts, other actions and intent; searches.
    ("counters", 12, 24),
    ("counters", 8, 12),
    ("orders", 0, 1),
    ("spend_minor", 0, 2),
    ("first_order_ms", 0, 1),
    ("last_order_ms", 0, 1),
    # Of one order that has not faded, the lower half is zero.
    ("counters", 26, 32),
    ("first_seen_ms", 3, 5),
    ("cluster_since_ms", 3, 5),
    ("weights", 4, 8),
    ("categories", 4, 8),
    ("spend_minor", 2, 3),
    ("counters", 24, 26),
    ("first_order_ms", 1, 5),
    ("last_order_ms", 1, 5),
    ("events", 0, 1),
    ("id_slot", 0, 1),
    ("version", 1, 2),
    ("weights", 8, 24),
    ("categories", 8, 24),
)


def stored_order(row: np.dtype[Any]) -> NDArray[np.intp]:
    """Where the bytes of a row are that are stored, all but the layout and the ids, in order."""
    fields: Mapping[str, Any] = row.fields or {}
    places = {name: range(at, at + field.itemsize) for name, (field, at) in fields.items()}
    del places["layout"], places["ids"]
    filled = [places[name][begin:end] for name, begin, end in _FILLED]
    return np.array(list(dict.fromkeys(chain(*filled, *places.values()))), np.intp)


def turn(rows: NDArray[Any], kept: NDArray[np.uint8]) -> None:
    """What is likely becomes zeros; once more, and all is back.

    Parameters
    ----------
    kept
        How many ids of each row are stored: until the ring is full, one of each event.
    """
    rows["id_slot"] ^= kept
    rows["events"] ^= kept
    # With the bit that the last line turns, it is the same before and afterwards.
    last_ms = rows["last_seen_ms"] | _EPOCH_BIT
    turn_times(rows, last_ms)
    since_ms = rows["cluster_since_ms"]
    # Whoever was in no cluster yet has a 0 here.
    np.bitwise_xor(since_ms, last_ms, out=since_ms, where=rows["cluster"] >= 0)
    rows["last_seen_ms"] ^= _EPOCH_BIT


def turn_times(rows: NDArray[Any], last_ms: NDArray[np.int64]) -> None:
    """Times of events become differences in bits from the last one's, and back.

    The upper bytes are zeros then.
    """
    rows["first_seen_ms"] ^= last_ms
    after_ms = last_ms + 1
    # None stays 0. No order is later than the last event, so that no other becomes 0.
    for name in ("first_order_ms", "last_order_ms"):
        at_ms = rows[name]
        np.bitwise_xor(at_ms, after_ms, out=at_ms, where=at_ms != 0)
