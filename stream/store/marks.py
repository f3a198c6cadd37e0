"""Marks of forgotten customers: a digest of the id, and up to when its events are not wanted."""

import hashlib

_DIGEST_BYTES = 16


def digest_of(customer_id: str) -> str:
    """What is kept of a forgotten customer's id."""
    return hashlib.blake2b(customer_id.encode(), digest_size=_DIGEST_BYTES).hexdigest()
