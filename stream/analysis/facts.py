"""One fact about customers: who has it, how it is spread, and the groups that it makes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stream.analysis.effects import binned, gini

Kind = Literal["trait", "measure", "affinity"]

#: Groups of a number, and of a text (the most frequent ones; the others are one more).
NUMBER_GROUPS = 5
TEXT_GROUPS = 12
OTHERS = "(others)"
#: So much of a trait must be numbers for it to be one.
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class Spread:
    """How a fact's known values are spread.

    `quantiles`: least, quarters and greatest, of numbers; `top`: the most frequent values.
    """

    distinct: int
    top: tuple[tuple[str, int], ...]
    quantiles: tuple[float, ...] = ()
    gini: float | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """`who`: positions of the customers of whom it is known; `groups`: the group of each.

    `circular`: it is made of orders, which are what facts are judged by, or of their time.
    """

    name: str
    kind: Kind
    who: NDArray[np.int64]
    groups: NDArray[np.int64]
    labels: tuple[str, ...]
    spread: Spread
    circular: bool = False
    meaning: str = ""


def number_fact(
    name: str,
    kind: Kind,
    who: NDArray[np.int64],
    values: NDArray[np.float64],
    circular: bool = False,
    meaning: str = "",
) -> Fact:
    """Fact of numbers, in groups of about the same size."""
    groups = binned(values, NUMBER_GROUPS)
    labels = tuple(
        _range(values[groups == code]) for code in range(int(groups.max(initial=-1)) + 1)
    )
    counted = _counted(values.tolist())[:5]
    quantiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist() if len(values) else []
    spread = Spread(
        len(np.unique(values)),
        tuple((_short(value), count) for value, count in counted),
        tuple(quantiles),
        gini(values),
    )
    return Fact(name, kind, who, groups, labels, spread, circular, meaning)


def text_fact(name: str, kind: Kind, who: NDArray[np.int64], values: Sequence[str]) -> Fact:
    """Fact of texts: a group for each frequent one, and one for all others."""
    counted = _counted(values)
    labels = [value for value, _ in counted[:TEXT_GROUPS]]
    if len(counted) > TEXT_GROUPS:
        labels.append(OTHERS)
    place = {value: code for code, value in enumerate(labels) if value != OTHERS}
    groups = np.array([place.get(value, TEXT_GROUPS) for value in values], np.int64)
    spread = Spread(len(counted), tuple(counted[:5]))
    return Fact(name, kind, who, groups, tuple(labels), spread)


def trait_facts(name: str, who: Sequence[int], values: Sequence[Any]) -> list[Fact]:
    """Facts of a trait: one of its numbers or texts; of lists, one for each frequent value."""
    rows = np.array(who, np.int64)
    if sum(isinstance(value, list) for value in values) > len(values) / 2:
        return _list_facts(name, rows, values)
    numbers = [type(value) is int or type(value) is float for value in values]
    if sum(numbers) >= _MOSTLY * len(values):
        chosen = np.array(numbers)
        found = np.array([float(v) for v, ok in zip(values, numbers, strict=True) if ok])
        return [number_fact(name, "trait", rows[chosen], found)]
    return [text_fact(name, "trait", rows, [_text(value) for value in values])]


def _list_facts(name: str, rows: NDArray[np.int64], values: Sequence[Any]) -> list[Fact]:
    sets = [set(map(_text, v)) if isinstance(v, list) else {_text(v)} for v in values]
    frequent = _counted([item for items in sets for item in items])[:5]
    return [
        text_fact(f"{name}: {item}", "trait", rows, ["yes" if item in s else "no" for s in sets])
        for item, _ in frequent
    ]


def flattened(traits: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{a: {b: 1}}` as `{"a.b": 1}`, as conditions name it; what is null is not known."""
    flat: dict[str, Any] = {}
    for name, value in traits.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        elif value is not None:
            flat[prefix + name] = value
    return flat


def _counted(values: Sequence[Any]) -> list[tuple[Any, int]]:
    """Values and how many, the most frequent first; equally frequent ones in their own order."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:80]


def _range(values: NDArray[np.float64]) -> str:
    low, high = float(values.min()), float(values.max())
    return _short(low) if low == high else f"{_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e9 else f"{value:.3g}"
