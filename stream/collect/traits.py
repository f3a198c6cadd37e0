"""Traits as clients send them, flattened to what a profile event may hold."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from stream.events import MAX_TRAIT_CHARACTERS, MAX_TRAITS

_MAX_DEPTH = 5
#: Traits of a group that have a name of their own; the others are named `company_…`.
_GROUP_NAMES = {"industry": "industry", "employees": "company_size"}


def flat_traits(traits: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Traits with nested ones as `address.city`, and how many did not fit and were left out."""
    kept: dict[str, Any] = {}
    left_out = 0
    for name, value in _leaves("", traits, 0):
        if len(kept) >= MAX_TRAITS or _characters(name, value) > MAX_TRAIT_CHARACTERS:
            left_out += 1
        else:
            kept[name] = value
    return kept, left_out


def group_traits(group_id: str, traits: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Traits of a customer's company: `company_id`, `industry`, `company_size`, `company_…`."""
    named = {_GROUP_NAMES.get(name, f"company_{name}"): value for name, value in traits.items()}
    return flat_traits({"company_id": group_id, **named})


def _leaves(prefix: str, traits: Mapping[str, Any], depth: int) -> Iterator[tuple[str, Any]]:
    for name, value in traits.items():
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _leaves(f"{prefix}{name}.", value, depth + 1)
        else:
            yield prefix + name, _leaf(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, list):
        return [item if isinstance(item, str) else _text(item) for item in value]
    if isinstance(value, dict):
        return _text(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return _text(value)
    return value


def _text(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        return str(value)


def _characters(name: str, value: Any) -> int:
    if isinstance(value, str):
        return len(name) + len(value)
    if isinstance(value, list):
        return len(name) + sum(map(len, value))
    return len(name)
