"""Tests of one value: a trait, or a property of an event.

A list passes a test when one of its values does; a missing value passes only tests that
say "not". Text is never taken for a number.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any, Protocol

import re2  # type: ignore[import-untyped]

from stream.conditions import words

#: A pattern looks at no more of a text than this; RE2 needs time linear in it.
MATCHED_CHARACTERS = 1_024
MAX_PATTERN = 200
_PATTERN_MEMORY_BYTES = 1 << 20


class Test(Protocol):
    """A question about one value."""

    def passes(self, value: Any) -> bool:
        """Whether `value` (None: there is none) passes."""

    def canonical(self) -> tuple[Any, ...]:
        """The same for tests that mean the same."""

    def text(self) -> str:
        """The test in words that follow the value's name: `is at least 18`."""


def _any(value: Any, passes: Callable[[Any], bool]) -> bool:
    if type(value) is list or type(value) is tuple:
        return any(passes(item) for item in value)
    return passes(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else "text"


@dataclass(frozen=True, slots=True)
class Among:
    """`is` and `in`; with `negated` `is_not` and `not_in`."""

    values: tuple[Any, ...]
    negated: bool = False
    #: The values of each type apart: True equals 1 in Python; to a marketer it is no number.
    _texts: frozenset[Any] = field(init=False, repr=False, compare=False)
    _numbers: frozenset[Any] = field(init=False, repr=False, compare=False)
    _truths: frozenset[Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, kind in (("_texts", "text"), ("_numbers", "number"), ("_truths", "truth")):
            chosen = frozenset(value for value in self.values if _kind(value) == kind)
            object.__setattr__(self, name, chosen)

    def passes(self, value: Any) -> bool:
        if type(value) is str:
            return (value in self._texts) is not self.negated
        if value is None:
            return self.negated
        return _any(value, self._same) is not self.negated

    def _same(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value in self._truths
        if isinstance(value, int | float):
            return value in self._numbers
        return isinstance(value, str) and value in self._texts

    def canonical(self) -> tuple[Any, ...]:
        keyed = sorted([_kind(one), str(one)] for one in self.values)
        return ("among", self.negated, keyed)

    def text(self) -> str:
        negation = " not" if self.negated else ""
        if len(self.values) == 1:
            return f"is{negation} {words.value(self.values[0])}"
        return f"is{negation} one of {words.value(self.values)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """`exists: true` and `exists: false`."""

    wanted: bool

    def passes(self, value: Any) -> bool:
        return (value is not None) is self.wanted

    def canonical(self) -> tuple[Any, ...]:
        return ("exists", self.wanted)

    def text(self) -> str:
        return "is known" if self.wanted else "is not known"


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains`: a value of a list, or a part of a text."""

    part: Any

    def passes(self, value: Any) -> bool:
        if isinstance(value, str):
            return isinstance(self.part, str) and self.part in value
        return isinstance(value, list | tuple) and Among((self.part,)).passes(value)

    def canonical(self) -> tuple[Any, ...]:
        return ("contains", _kind(self.part), str(self.part))

    def text(self) -> str:
        return f"contains {words.value(self.part)}"


@cache
def compiled(pattern: str) -> Any:
    """RE2 program of `pattern`: no backtracking, so no input can make it slow.

    Raises
    ------
    re2.error
        If the pattern is not one that RE2 takes.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY_BYTES
    return re2.compile(pattern, options)


@dataclass(frozen=True, slots=True)
class Matches:
    """`matches`: a regular expression (RE2 syntax) found anywhere in the text."""

    pattern: str

    def passes(self, value: Any) -> bool:
        return _any(value, self._found)

    def _found(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        return compiled(self.pattern).search(value[:MATCHED_CHARACTERS]) is not None

    def canonical(self) -> tuple[Any, ...]:
        return ("matches", self.pattern)

    def text(self) -> str:
        return f"matches {words.value(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A range of numbers; each end may be missing, and may belong to the range or not."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_open: bool = False
    high_open: bool = False
    _float_low: float = field(init=False, repr=False, compare=False)
    _float_high: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        low = -math.inf if self.low is None else float(self.low)
        high = math.inf if self.high is None else float(self.high)
        object.__setattr__(self, "_float_low", low)
        object.__setattr__(self, "_float_high", high)

    def passes(self, value: Any) -> bool:
        if type(value) is list or type(value) is tuple:
            return any(self.inside(item) for item in value)
        return self.inside(value)

    def inside(self, value: Any) -> bool:
        """Whether one value is a number of the range."""
        if type(value) is not float and type(value) is not int:
            return False
        # Both sides were rounded from decimal text, so equal text stays equal.
        low, high = self._float_low, self._float_high
        if value < low or (self.low_open and value == low):
            return False
        return value < high or (not self.high_open and value == high)

    def holds(self, value: int | Fraction) -> bool:
        """Whether the exact number lies inside."""
        low, high = self.low, self.high
        if low is not None and (value < low or (self.low_open and value == low)):
            return False
        return high is None or (value < high or (not self.high_open and value == high))

    def empty(self) -> bool:
        """Whether no number at all lies inside."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def canonical(self) -> tuple[Any, ...]:
        return ("bounds", str(self.low), str(self.high), self.low_open, self.high_open)

    def text(self) -> str:
        return f"is {self.range_text()}"

    def range_text(self) -> str:
        """`at least 18 and below 30`."""
        parts = []
        if self.low is not None:
            parts.append(f"{'above' if self.low_open else 'at least'} {words.number(self.low)}")
        if self.high is not None:
            parts.append(f"{'below' if self.high_open else 'at most'} {words.number(self.high)}")
        if self.low is not None and self.low == self.high:
            return f"exactly {words.number(self.low)}"
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Both:
    """Several tests of the same value, all of which must pass."""

    tests: tuple[Test, ...]

    def passes(self, value: Any) -> bool:
        return all(test.passes(value) for test in self.tests)

    def canonical(self) -> tuple[Any, ...]:
        return ("both", sorted((test.canonical() for test in self.tests), key=repr))

    def text(self) -> str:
        return " and ".join(test.text() for test in self.tests)


def lookup(values: Mapping[str, Any], name: str) -> Any:
    """Value of `name`; `a.b` also finds `b` inside the mapping `a`."""
    found = values.get(name)
    if found is None and "." in name:
        outer, _, inner = name.partition(".")
        inside = values.get(outer)
        return lookup(inside, inner) if isinstance(inside, Mapping) else None
    return found
