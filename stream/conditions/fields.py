"""Reading the fields of one mapping, noting whatever is wrong with them."""

from collections.abc import Collection, Mapping
from fractions import Fraction

from stream.conditions import hints, words
from stream.conditions.document import Node, Scalar, Table, shown
from stream.conditions.problems import Mark, Problems, listed
from stream.conditions.values import Bounds

DURATION = "a duration: a whole number and ms, s, m, h, d or w, such as 90d"
_MAX_TEXT = 256


class Fields:
    """One mapping of the file; every reader returns None when there is nothing usable."""

    def __init__(self, table: Table, path: str, problems: Problems) -> None:
        self.table = table
        self.path = path
        self.problems = problems
        #: Whether there are fields that are not known: what is missing is probably among them.
        self.strange = False

    def __contains__(self, name: str) -> bool:
        return name in self.table.fields

    def mark(self, name: str) -> Mark:
        """Where the field stands."""
        return self.table.keys.get(name, self.table.mark)

    def below(self, name: str) -> str:
        """Path of the field."""
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, found: str, expected: str, suggestion: str = "") -> None:
        """Note a problem at a field's value."""
        node = self.table.fields.get(name)
        mark = node.mark if node is not None else self.table.mark
        self.problems.add(mark, self.below(name), found, expected, suggestion)

    def allow(
        self, allowed: Collection[str], of: str, special: Mapping[str, str] | None = None
    ) -> None:
        """Note every field that is not one of `allowed`; `special`: what to write instead."""
        for name, mark in self.table.keys.items():
            if name not in allowed:
                self.strange = True
                self.problems.add(
                    mark,
                    self.below(name),
                    f'unknown field "{name}"',
                    f"in {of}: {listed(allowed)}",
                    (special or {}).get(name) or hints.for_field(name, allowed),
                )

    def scalar(self, name: str, expected: str) -> Scalar | None:
        """A single value that is not empty."""
        node = self.table.fields.get(name)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.value is not None:
            return node
        self.wrong(name, shown(node), expected)
        return None

    def text(self, name: str, expected: str) -> str | None:
        """A text that is not empty; numbers are taken as they are written."""
        node = self.scalar(name, expected)
        if node is None:
            return None
        if not node.raw.strip() or len(node.raw) > _MAX_TEXT or isinstance(node.value, bool):
            self.wrong(name, shown(node), f"{expected}, of 1 to {_MAX_TEXT} characters")
            return None
        return node.raw

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        node = self.scalar(name, "true or false")
        if node is None or isinstance(node.value, bool):
            return node.value if node is not None and isinstance(node.value, bool) else None
        hint = {"yes": "write true", "no": "write false"}.get(node.raw.lower(), "")
        self.wrong(name, shown(node), "true or false", hint)
        return None

    def duration(self, name: str) -> int | None:
        """Milliseconds, more than zero and at most ten years."""
        node = self.scalar(name, DURATION)
        if node is None:
            return None
        ms = words.parse_duration(node.raw)
        if ms is None:
            self.wrong(name, shown(node), DURATION, hints.for_duration(node.raw))
        elif not 0 < ms <= words.MAX_DURATION_MS:
            self.wrong(name, node.raw, "a duration longer than 0 and of at most 3653d (10 years)")
            return None
        return ms

    def number(self, name: str, expected: str = "a number") -> Fraction | None:
        """The exact number that is written."""
        node = self.scalar(name, expected)
        if node is None:
            return None
        return exact(node, self.problems, self.below(name), expected)

    def integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number between `low` and `high`."""
        expected = f"a whole number from {low} to {high}"
        node = self.scalar(name, expected)
        if node is None:
            return None
        if type(node.value) is int and low <= node.value <= high:
            return node.value
        self.wrong(name, shown(node), expected)
        return None

    def pair(self, name: str) -> tuple[Fraction, Fraction] | None:
        """`[low, high]`, in this order."""
        node = self.table.fields.get(name)
        if node is None:
            return None
        expected = "two numbers, the smaller one first: [18, 34]"
        items: tuple[Node, ...] = getattr(node, "items", ())
        if len(items) != 2 or not all(isinstance(item, Scalar) for item in items):
            self.wrong(name, shown(node), expected)
            return None
        ends = [exact(n, self.problems, self.below(name), "a number") for n in items]
        if ends[0] is None or ends[1] is None:
            return None
        if ends[0] > ends[1]:
            low, high = (words.number(end) for end in ends if end is not None)
            self.wrong(name, f"[{low}, {high}]", expected, f"write [{high}, {low}]")
            return None
        return ends[0], ends[1]

    def bounds(self) -> Bounds | None:
        """The range that the fields of `BOUNDS` give, None if there is none or it is unusable."""
        found = [name for name in BOUNDS if name in self]
        low = high = None
        for name in ("at_least", "more_than"):
            low = self.number(name) if name in self else low
        for name in ("at_most", "less_than"):
            high = self.number(name) if name in self else high
        if "between" in self and (ends := self.pair("between")):
            low, high = ends
        if "exactly" in self:
            low = high = self.number("exactly")
        if not found or (low is None and high is None) or not self._compatible(found):
            return None
        bounds = Bounds(low, high, "more_than" in self, "less_than" in self)
        if bounds.empty():
            self.contradiction(found, f"no number is {bounds.range_text()}")
            return None
        return bounds

    def _compatible(self, found: list[str]) -> bool:
        alone = [name for name in ("between", "exactly") if name in found]
        if alone and len(found) > 1:
            self.contradiction(found, f"{' and '.join(found)} together", f"{alone[0]} alone")
            return False
        for pair in (["at_least", "more_than"], ["at_most", "less_than"]):
            if all(name in found for name in pair):
                self.contradiction(pair, f"{' and '.join(pair)} together", "one of them")
                return False
        return True

    def contradiction(self, names: list[str], found: str, expected: str = "a range") -> None:
        """Note a problem at the last of the named fields."""
        last = max(names, key=lambda name: (self.mark(name).line, self.mark(name).column))
        self.problems.add(self.mark(last), self.below(last), found, expected)


BOUNDS = ("at_least", "at_most", "more_than", "less_than", "between", "exactly")


def exact(node: Node, problems: Problems, path: str, expected: str) -> Fraction | None:
    """The number that a node holds, exactly as it is written in decimal."""
    number = isinstance(node, Scalar) and type(node.value) in (int, float)
    if isinstance(node, Scalar) and number:
        return Fraction(node.raw)
    hint = ""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        hint = hints.for_number(node.raw)
    problems.add(node.mark, path, shown(node), expected, hint)
    return None
