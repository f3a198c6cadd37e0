"""Reading the fields of one mapping, noting whatever is wrong with them."""

import re
from collections.abc import Collection, Mapping
from fractions import Fraction

from stream.conditions import dates, hints, meant, spellings, words
from stream.conditions.document import Node, Scalar, Table, shown
from stream.conditions.excerpt import lines_of
from stream.conditions.fixes import plain_signs, sign_name
from stream.conditions.forms import BOUNDS
from stream.conditions.hints import Hint
from stream.conditions.problems import Edit, Mark, Problems, listed
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

    def wrong(self, name: str, found: str, expected: str, hint: Hint | str = "") -> None:
        """Note a problem at a field's value; `hint.word` would mend it in the value's place."""
        said = hint if isinstance(hint, Hint) else Hint(hint)
        node = self.table.fields.get(name)
        if node is None:
            self.problems.add(self.table.mark, self.below(name), found, expected, said.text)
            return
        edit = Edit(node.mark.index, node.end, said.word) if said.word and node.end else None
        self.problems.add(
            node.mark, self.below(name), found, expected, said.text, edit, _end(node, self.problems)
        )

    def allow(
        self, allowed: Collection[str], of: str, special: Mapping[str, Hint] | None = None
    ) -> None:
        """Note every field that is not one of `allowed`; `special`: what to write instead."""
        for name, mark in self.table.keys.items():
            if name in allowed:
                if name in self.table.bare:
                    self.strange = True
                    found, said = f'"{name}" without a value', f"write {name}: and its value"
                    end = self.table.ends.get(name, 0)
                    self.problems.add(mark, self.below(name), found, "a value", said, end=end)
                continue
            self.strange = True
            found, expected = f'unknown field "{name[:60]}"', f"in {of}: {listed(allowed)}"
            hint = (special or {}).get(name) or self._hint(name, allowed)
            edit = self._renamed(name, hint.word) if hint.word else None
            if name.strip() and (sign := self.sign(name)):
                found = f'unknown field "{name[:60]}" with {sign}'
            end = self.table.ends.get(name, 0)
            self.problems.add(mark, self.below(name), found, expected, hint.text, edit, end)

    def _hint(self, name: str, allowed: Collection[str]) -> Hint:
        if name in self.table.bare:
            return hints.for_bare(name, allowed)
        node = self.table.fields.get(name)
        if "within" in allowed and isinstance(node, Scalar) and (unit := hints.unit_of(name)):
            spelled = f"within: {node.raw}{unit}"
            if words.parse_duration(f"{node.raw}{unit}"):
                return Hint(f"write {spelled}", spelled)
        if name.lower() == "top" and "percentile_at_least" in allowed and isinstance(node, Scalar):
            top = spellings.number_of(node.raw)
            if top and 0 < Fraction(top) < 100:
                spelled = f"percentile_at_least: {words.number(100 - Fraction(top))}"
                return Hint(f"write {spelled}", spelled)
        if name.lower() == "like" and "contains" in allowed and isinstance(node, Scalar):
            part = meant.without_wildcards(node.raw) or self.spelled(name)
            spelled = f"contains: {part}"
            return Hint(f"write {spelled}", spelled)
        dated = dates.of_date(self.spelled(name), self._event(), name, self.problems.today)
        if dated.text:
            return dated
        hint = hints.for_field(name, allowed)
        if hint.word == "within" and isinstance(node, Scalar):
            ms = words.parse_duration(node.raw)
            duration = node.raw if ms else hints.for_duration(node.raw).word
            if duration and "did" in allowed and not ms:
                return Hint(f"write within: {duration}", f"within: {duration}")
            if not duration:
                return Hint('did you mean "within"? It takes how long ago: within: 30d')
        if not hint.text and "trait" in allowed:
            return Hint()
        return hint

    def _event(self) -> tuple[str, str]:
        """The form that asks about an event, and the event."""
        forms = ("did", "did_not", "first", "last")
        form = next((form for form in forms if form in self), "")
        return form, self.spelled(form)

    def _renamed(self, name: str, word: str) -> Edit | None:
        """The change of a field's name, or of the whole field if `word` has a value too."""
        if word in self.table.fields:
            return None
        mark, end = self.table.keys[name], self.table.ends.get(name, 0)
        node = self.table.fields[name]
        if ": " in word and name not in self.table.bare:
            end = node.end
        return Edit(mark.index, end, word) if end else None

    def wrong_field(self, name: str, word: str, found: str, expected: str) -> None:
        """Note a problem at a value for which the whole field is to be written as `word`."""
        mark, node = self.mark(name), self.table.fields[name]
        edit = Edit(mark.index, node.end, word)
        end = _end(node, self.problems)
        hint = f"write {word}"
        self.problems.add(node.mark, self.below(name), found, expected, hint, edit, end)

    def wrong_whole(self, name: str, hint: Hint, found: str, expected: str) -> None:
        """Note a problem at a value for which the whole mapping is to be written otherwise."""
        node, table = self.table.fields[name], self.table
        edit = Edit(table.mark.index, table.end, hint.word) if hint.word and table.flow else None
        end = _end(node, self.problems)
        self.problems.add(node.mark, self.below(name), found, expected, hint.text, edit, end)

    def misplaced(self, found: str, expected: str, hint: Hint) -> None:
        """Note a problem of the mapping as a whole."""
        table = self.table
        edit = Edit(table.mark.index, table.end, hint.word) if hint.word and table.flow else None
        end = _end(table, self.problems) if table.flow else 0
        self.problems.add(table.mark, self.path, found, expected, hint.text, edit, end)

    def wrong_list(self, name: str, several: str) -> None:
        """Note a list where one value stands, for which the field is called `several`."""
        if spelled := self.spelled(name):
            self.wrong_field(name, f"{several}: {spelled}", "a list", "one value")
        else:
            self.wrong(name, "a list", "one value", f"write {several}: […]")

    @staticmethod
    def sign(text: str) -> str:
        """The first sign that no English keyboard has, named; empty if there is none."""
        odd = next((char for char in text if plain_signs(char) != char), "")
        return sign_name(odd) if odd else ""

    def spelled(self, name: str) -> str:
        """What stands as a field's value, if that is on one line and not long."""
        node = self.table.fields.get(name)
        return source_of(node, self.problems) if node is not None else ""

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
        word = _TRUTHS.get(node.raw.lower(), "")
        self.wrong(name, shown(node), "true or false", Hint(f"write {word}", word) if word else "")
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
            hint = Hint(*spellings.too_long()) if ms else Hint()
            expected = "a duration longer than 0 and of at most 3653d (10 years)"
            self.wrong(name, node.raw[:40], expected, hint)
            return None
        elif meant := spellings.months(node.raw):
            edit = Edit(node.mark.index, node.end, meant)
            found = f"{node.raw} is {words.duration(ms)}"
            said = f"for {node.raw[:-1]} months write {meant}"
            self.problems.note(node.mark, self.below(name), found, said, edit, node.end)
        return ms

    def number(self, name: str, expected: str = "a number") -> Fraction | None:
        """The exact number that is written."""
        node = self.scalar(name, expected)
        if node is None:
            return None
        number, duration = hints.for_times(node.raw) if isinstance(node.value, str) else ("", "")
        if number and "within" not in self and self.table.flow:
            word = f"{name}: {number}, within: {duration}"
            self.wrong_field(name, word, shown(node), expected)
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
            self.wrong(name, shown(node), expected, _pair_hint(node))
            return None
        ends = [exact(n, self.problems, self.below(name), "a number") for n in items]
        if ends[0] is None or ends[1] is None:
            return None
        if ends[0] > ends[1]:
            low, high = (words.number(end) for end in ends if end is not None)
            hint = Hint(f"write [{high}, {low}]", f"[{high}, {low}]")
            self.wrong(name, f"[{low}, {high}]", expected, hint)
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
        others = [name for name in names if name != last]
        at = self.mark(others[0]) if others else None
        hint = f"the other one is at line {at.line}, column {at.column}" if at else ""
        end = _end(self.table.fields[last], self.problems) if last in self else 0
        self.problems.add(self.mark(last), self.below(last), found, expected, hint, end=end)


_TRUTHS = {
    **dict.fromkeys(("yes", "on", "1", "y", "ja", "si"), "true"),
    **dict.fromkeys(("no", "off", "0", "n", "nein"), "false"),
    **dict.fromkeys(("true", "wahr"), "true"),
    **dict.fromkeys(("false", "falsch"), "false"),
}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_LONGEST_SPELLED = 120


def source_of(node: Node, problems: Problems) -> str:
    """The text of a node, if it is on one line and not long."""
    spelled = problems.whole[node.mark.index : node.end].rstrip()
    alone = spelled and len(spelled) <= _LONGEST_SPELLED and len(lines_of(spelled)) == 1
    return spelled if alone else ""


def _end(node: Node, problems: Problems) -> int:
    """Where a node ends, without the blank lines that YAML counts to it."""
    return node.mark.index + len(problems.whole[node.mark.index : node.end].rstrip())


def _pair_hint(node: Node) -> Hint:
    """`[3, 5]` for `3 and 5`, `18-34` and `[1,000, 5,000]`."""
    raws = [item.raw for item in getattr(node, "items", ()) if isinstance(item, Scalar)]
    if isinstance(node, Scalar) and node.raw.startswith("("):
        parts = node.raw.strip("()").split(",")
    elif isinstance(node, Scalar) or len(raws) == 1:
        raw = raws[0] if raws else getattr(node, "raw", "")
        parts = re.split(r"\s*(?:\band\b|\bto\b|\.\.+|[-\u2013\u2014,;])\s*", raw)
    else:
        parts = [f"{raws[0]},{raws[1]}", f"{raws[2]},{raws[3]}"] if len(raws) == 4 else []
    numbers = [spellings.number_of(part) for part in parts]
    if len(numbers) != 2 or not all(numbers):
        return Hint()
    ordered = sorted(numbers, key=Fraction)
    spelled = f"[{', '.join(ordered)}]"
    return Hint(f"write {spelled}", spelled)


def exact(node: Node, problems: Problems, path: str, expected: str) -> Fraction | None:
    """The number that a node holds, exactly as it is written in decimal."""
    number = isinstance(node, Scalar) and type(node.value) in (int, float)
    if isinstance(node, Scalar) and number:
        if node.plain and (meant := spellings.thousands(node.raw)):
            edit = Edit(node.mark.index, node.end, meant)
            found = f"{node.raw} is {words.number(Fraction(node.raw))}: the dot is a decimal point"
            problems.note(node.mark, path, found, f"for thousands write {meant}", edit, node.end)
        return Fraction(node.raw)
    hint = ""
    mended: Edit | None = None
    if isinstance(node, Scalar) and isinstance(node.value, str):
        if _DATE.fullmatch(node.raw.strip()):
            hint = "no dates here: how long ago is told by within:, older_than:, younger_than:"
        elif spelled := spellings.number_of(node.raw):
            hint, mended = f"write {spelled}", Edit(node.mark.index, node.end, spelled)
    problems.add(node.mark, path, shown(node), expected, hint, mended, _end(node, problems))
    return None
