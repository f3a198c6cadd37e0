"""What one customer's conditions remember: a plain dict, ready for msgpack.

| key | what |
|---|---|
| `v` | tag of the definitions under which it was last used |
| `s` | keeper's key → state |
| `d` | index of a segment → moment at which it must be looked at (absent: none) |
| `t` | keys of the states that changed since the last evaluation |
| `n` | not evaluated yet: 1 new customer, 2 new definitions |
| `l` | key of a state that lacks what happened before it was defined → tag of those definitions |
"""

from collections.abc import Collection
from typing import Any

Memory = dict[str, Any]

TAG, STATES, DUE, TOUCHED, NEW, LACKING = "v", "s", "d", "t", "n", "l"
NEW_CUSTOMER, NEW_DEFINITIONS = 1, 2


def begin(memory: Memory, tag: str) -> None:
    """Make an empty memory that of a customer of whom nothing has happened yet."""
    memory[TAG], memory[STATES], memory[NEW] = tag, {}, NEW_CUSTOMER


def unknown_past() -> Memory:
    """Memory of a customer to whom things happened before there were any definitions."""
    return {TAG: "", STATES: {}}


def adopt(memory: Memory, tag: str, keys: Collection[str], known: Collection[str] | None) -> None:
    """Take a memory over from other definitions, whose keys were `known` (None: unknown)."""
    states = memory[STATES]
    before = states.keys() if known is None else known
    since = lacking_since(memory)
    lacking = {key: tag for key in sorted(keys) if key not in before}
    lacking |= {key: since[key] for key in sorted(since) if key in keys}
    memory[STATES] = {key: state for key, state in states.items() if key in keys}
    memory[TAG], memory[NEW] = tag, NEW_DEFINITIONS
    for field in (DUE, TOUCHED, LACKING):
        memory.pop(field, None)
    if lacking:
        memory[LACKING] = lacking


def lacking_since(memory: Memory) -> dict[str, str]:
    """Keys of the states that lack their past → tag of the definitions that asked first."""
    lacking = memory.get(LACKING, {})
    # Memories from before this was noted have a list: nobody knows since when.
    return dict(lacking) if isinstance(lacking, dict) else dict.fromkeys(lacking, "")


def copied(memory: Memory) -> Memory:
    """A memory of its own: evaluating it leaves the original as it is."""
    return {key: dict(value) if isinstance(value, dict) else value for key, value in memory.items()}
