"""What one customer's conditions remember: a plain dict, ready for msgpack.

| key | what |
|---|---|
| `v` | tag of the definitions under which it was last used |
| `s` | keeper's key → state |
| `d` | index of a segment → moment at which it must be looked at (absent: none) |
| `t` | keys of the states that changed since the last evaluation |
| `n` | not evaluated yet: 1 new customer, 2 new definitions |
| `l` | key of a state that lacks what happened before it was defined → point where it begins |
| `x` | keys of states of whose past nobody knows everything any more |
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

Memory = dict[str, Any]
#: A place in the stream of events that customers are made of, as the caller numbers it.
Point = tuple[int, ...]

TAG, STATES, DUE, TOUCHED, NEW, LACKING, LOST = "v", "s", "d", "t", "n", "l", "x"
NEW_CUSTOMER, NEW_DEFINITIONS = 1, 2


def begin(memory: Memory, tag: str) -> None:
    """Make an empty memory that of a customer of whom nothing has happened yet."""
    memory[TAG], memory[STATES], memory[NEW] = tag, {}, NEW_CUSTOMER


def unknown_past() -> Memory:
    """Memory of a customer to whom things happened before there were any definitions."""
    return {TAG: "", STATES: {}}


def adopt(
    memory: Memory,
    tag: str,
    keys: Collection[str],
    known: Collection[str] | None,
    point: Point | None,
) -> None:
    """Take a memory over from other definitions, whose keys were `known` (None: unknown).

    States that are new begin at `point`; None: nobody knows where.
    """
    states, since = memory[STATES], lacking_of(memory)
    before = states.keys() if known is None else known
    fresh = [key for key in keys if key not in before]
    lacking = {key: begin for key, begin in since.items() if key in keys}
    lost = [key for key in lost_of(memory) if key in keys]
    if point is None:
        lost += [key for key in fresh if key not in lacking and key not in lost]
    else:
        lacking |= {key: point for key in fresh if key not in lacking and key not in lost}
    memory[STATES] = {key: state for key, state in states.items() if key in keys}
    memory[TAG], memory[NEW] = tag, NEW_DEFINITIONS
    for field in (DUE, TOUCHED):
        memory.pop(field, None)
    note(memory, lacking, lost)


def fill_in(
    memory: Memory,
    earlier: Mapping[str, Any],
    merges: Mapping[str, Callable[[Any, Any], Any]],
    lost: Collection[str],
) -> bool:
    """Merge earlier states into those of these keys that lack their past; whether any does."""
    lacking, states = lacking_of(memory), memory[STATES]
    filled = [key for key in merges if key in lacking]
    if not filled:
        return False
    for key in filled:
        del lacking[key]
        if key in earlier:
            mine = states.get(key)
            states[key] = earlier[key] if mine is None else merges[key](mine, earlier[key])
    note(memory, lacking, [*lost_of(memory), *(key for key in filled if key in lost)])
    memory[NEW] = NEW_DEFINITIONS
    return True


def note(memory: Memory, lacking: dict[str, Point], lost: Collection[str]) -> None:
    """Keep what is lacking and what is lost."""
    for field, value in ((LACKING, lacking), (LOST, sorted(lost))):
        if value:
            memory[field] = value
        else:
            memory.pop(field, None)


def lacking_of(memory: Memory) -> dict[str, Point]:
    """Key of each state that lacks its past → point where it begins."""
    lacking = memory.get(LACKING, {})
    pairs = lacking.items() if isinstance(lacking, dict) else ()
    return {key: tuple(begin) for key, begin in pairs if not isinstance(begin, str)}


def lost_of(memory: Memory) -> list[str]:
    """Keys of the states of whose past nobody knows everything any more."""
    lost = [*memory.get(LOST, ())]
    # Memories of earlier versions have a name in place of the point, or no point at all.
    lacking = memory.get(LACKING, ())
    if isinstance(lacking, dict):
        return lost + [key for key, begin in lacking.items() if isinstance(begin, str)]
    return [*lost, *lacking]


def copied(memory: Memory) -> Memory:
    """A memory of its own: evaluating it leaves the original as it is."""
    return {key: dict(value) if isinstance(value, dict) else value for key, value in memory.items()}
