"""Topic names, keys, and which partition a customer belongs to."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

INTERACTIONS = "interactions"
PURCHASES = "purchases"
PROFILES = "profiles"
DEAD_LETTERS = "dead-letters"
SEGMENT_CHANGES = "segment-changes"
MODEL_SAMPLES = "model-samples"

#: Keyed by customer, with one partition count: one worker owns all events of a customer.
EVENT_TOPICS = (INTERACTIONS, PURCHASES, PROFILES)

#: Topic and partition.
Place = tuple[str, int]

_SEED = np.uint32(0x9747B28C)
_M = np.uint32(0x5BD1E995)
#: Up to so many keys, hashing them one by one is faster.
_FEW = 16


def partition_of(customer_id: str, partitions: int) -> int:
    """Partition that owns a customer: Kafka's default for the key `customer_id` in UTF-8."""
    return int(partitions_of([customer_id.encode()], partitions)[0])


def partitions_of(keys: Sequence[bytes], partitions: int) -> NDArray[np.int64]:
    """Partition of every key, as Kafka's DefaultPartitioner computes it.

    `(murmur2(key) & 0x7fffffff) % partitions`; murmur2 as in
    `org.apache.kafka.common.utils.Utils.murmur2`. Shape `(len(keys),)`.
    """
    if len(keys) <= _FEW:
        hashes = [_murmur2_of(key) & 0x7FFFFFFF for key in keys]
        return np.array(hashes, np.int64) % partitions
    return (_murmur2(keys) & np.uint32(0x7FFFFFFF)).astype(np.int64) % partitions


@lru_cache(maxsize=65_536)
def _murmur2_of(key: bytes) -> int:
    length = len(key)
    h = 0x9747B28C ^ length
    for i in range(0, length & ~3, 4):
        k = int.from_bytes(key[i : i + 4], "little") * 0x5BD1E995 & 0xFFFFFFFF
        k = (k ^ k >> 24) * 0x5BD1E995
        h = (h * 0x5BD1E995 ^ k) & 0xFFFFFFFF
    if length & 3:
        tail = int.from_bytes(key[length & ~3 :], "little")
        h = (h ^ tail) * 0x5BD1E995 & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0x5BD1E995 & 0xFFFFFFFF
    return h ^ h >> 15


def _murmur2(keys: Sequence[bytes]) -> NDArray[np.uint32]:
    lengths = np.fromiter(map(len, keys), np.uint32, len(keys))
    words = int(lengths.max(initial=0)) // 4 + 1
    padded = b"".join(key.ljust(words * 4, b"\0") for key in keys)
    blocks = np.frombuffer(padded, "<u4").reshape(len(keys), words)
    h = _SEED ^ lengths
    full = lengths // np.uint32(4)
    for i in range(words):
        k = blocks[:, i] * _M
        k = (k ^ (k >> np.uint32(24))) * _M
        h = np.where(i < full, (h * _M) ^ k, h)
    # The last one to three bytes; a padded block holds zeros beyond them.
    tail = blocks[np.arange(len(keys)), full]
    h = np.where(lengths % np.uint32(4) > 0, (h ^ tail) * _M, h)
    h = (h ^ (h >> np.uint32(13))) * _M
    return h ^ (h >> np.uint32(15))
