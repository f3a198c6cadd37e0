"""How tests of values are read: of an event's properties and of traits."""

import re

import re2  # type: ignore[import-untyped]

from stream.conditions import hints, meant, rewriting
from stream.conditions.contradictions import tests_contradict
from stream.conditions.document import Listing, Node, Scalar, Table, Value, shown
from stream.conditions.fields import Fields, source_of
from stream.conditions.fixes import plain_signs
from stream.conditions.forms import BOUNDS, TESTS
from stream.conditions.hints import Hint
from stream.conditions.problems import Edit, Problems, listed
from stream.conditions.values import (
    MAX_PATTERN,
    Among,
    Both,
    Contains,
    Exists,
    Matches,
    Test,
    compiled,
)

MAX_VALUES = 1_000

#: Words that YAML 1.1 took for true and false; in capitals they are countries.
_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

#: Words that mean no value of their own elsewhere.
_DAYS = ("today", "yesterday", "tomorrow", "now")
_NO_VALUES = (*_DAYS, "undefined", "nil", "none", "n/a", "na", "nan", "empty")  # fmt: skip


class ValueTests:
    """Reads tests of values; every reader returns None when nothing is usable."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def property_test(self, node: Node, path: str) -> Test | None:
        """`shoes`, or a mapping of tests: `{at_least: 50}`."""
        expected = "a value, or a mapping of tests"
        if isinstance(node, Table):
            fields = Fields(node, path, self.problems)
            fields.allow(TESTS, "a test of a property")
            return self.value_test(fields)
        whole = source_of(node, self.problems)
        if isinstance(node, Listing):
            word = f"{{in: {whole}}}" if whole and node.flow else ""
            hint = f"write {word or '{in: […]}'}"
            edit = Edit(node.mark.index, node.end, word) if word else None
            self.problems.add(
                node.mark, path, "a list", "one value, or a mapping of tests", hint, edit, node.end
            )
            return None
        if node.value is None:
            self.problems.add(node.mark, path, "nothing", expected, end=node.end)
            return None
        if hint_of := hints.for_comparison(node.raw).word:
            edit = Edit(node.mark.index, node.end, hint_of)
            self.problems.add(
                node.mark, path, shown(node), expected, f"write {hint_of}", edit, node.end
            )
            return None
        if not self._plain_value(node, path):
            return None
        found = _meant(node, path.rpartition(".")[2])
        if found is not None:
            edit = Edit(node.mark.index, node.end, found.in_braces())
            if not self._told(node, path, found, edit):
                return None
        return Among((node.value,))

    def _told(self, node: Scalar, path: str, found: meant.Meant, edit: Edit) -> bool:
        """Tell what a value may mean; whether it can be used as it stands."""
        if found.sure:
            hint, expected = f"write {edit.text}", "a value, or a test"
            self.problems.add(node.mark, path, shown(node), expected, hint, edit, node.end)
            return False
        hint = f"if that is not meant write {edit.text}"
        self.problems.note(node.mark, path, found.why, hint, edit, node.end)
        return True

    def _plain_value(self, node: Scalar, path: str) -> bool:
        """Whether a value is typed as it can be meant; notes what is read otherwise."""
        sign = Fields.sign(node.raw[:1] + node.raw[-1:]) if node.plain else ""
        if sign and isinstance(node.value, str):
            word = plain_signs(node.raw).strip(" \"'")
            edit = Edit(node.mark.index, node.end, f'"{word}"')
            found = f"{shown(node)} with {sign}"
            hint = f'write "{word}"'
            self.problems.add(
                node.mark, path, found, "a value that is typed alike", hint, edit, node.end
            )
            return False
        truth = _TRUTHS.get(node.raw.lower(), "")
        if node.plain and truth and not node.raw.isupper():
            edit = Edit(node.mark.index, node.end, truth)
            hint = f"if it is {truth} or not, write {truth}"
            self.problems.note(node.mark, path, f"{node.raw} is a text here", hint, edit, node.end)
        if node.raw.lower() in _NO_VALUES and isinstance(node.value, str):
            found = f'"{node.raw}" is compared as a text'
            hint = "for a trait that is not known write exists: false"
            if node.raw.lower() in _DAYS:
                hint = "no condition knows that day; how long ago an event was is told by within:"
            self.problems.note(node.mark, path, found, hint, end=node.end)
        digits = node.raw.lstrip("+-")
        if node.plain and type(node.value) in (int, float) and re.match("0[0-9]", digits):
            spelled = f'"{node.raw}"'
            edit = Edit(node.mark.index, node.end, spelled)
            found = f"{node.raw} is read as a number, without the 0 before it"
            hint = f"for text, as in postal codes, write {spelled}"
            self.problems.note(node.mark, path, found, hint, edit, node.end)
        return True

    def value_test(self, fields: Fields) -> Test | None:
        """All tests that the fields hold."""
        if not any(name in fields for name in TESTS):
            if not fields.strange:
                expected = f"one of {listed(TESTS)}"
                hint = Hint("for example exists: true, or is: and a value")
                fields.misplaced("no test", expected, hint)
            return None
        tests: list[Test | None] = []
        for name, negated in (("is", False), ("is_not", True)):
            if isinstance(fields.table.fields.get(name), Listing):
                fields.wrong_list(name, "in" if name == "is" else "not_in")
                tests.append(None)
            elif name in fields:
                tests.append(self._same(fields, name, negated))
        for name, negated in (("in", False), ("not_in", True)):
            if name in fields:
                values = self.values(fields, name)
                tests.append(Among(values, negated) if values else None)
        if "contains" in fields:
            node = fields.scalar("contains", "one value")
            self._wildcards(fields, "contains")
            tests.append(Contains(node.value) if node else None)
        if "matches" in fields:
            tests.append(self._pattern(fields))
        if "exists" in fields:
            wanted = fields.flag("exists")
            tests.append(None if wanted is None else Exists(wanted))
        if any(name in fields for name in BOUNDS):
            tests.append(fields.bounds())
        usable = [test for test in tests if test is not None]
        if len(usable) < len(tests):
            return None
        if tests_contradict(usable):
            names = [name for name in TESTS if name in fields]
            found = f"{' and '.join(names)}: no value is both"
            fields.contradiction(names, found, "one of them")
        return usable[0] if len(usable) == 1 else Both(tuple(usable))

    def _same(self, fields: Fields, name: str, negated: bool) -> Test | None:
        node = fields.table.fields[name]
        if isinstance(node, Scalar) and node.value is None and node.raw:
            wanted = "true" if negated else "false"
            fields.wrong_field(name, f"exists: {wanted}", f"nothing ({node.raw})", "one value")
            return None
        scalar = fields.scalar(name, "one value")
        if scalar is None or not self._plain_value(scalar, fields.below(name)):
            return None
        if hint := hints.for_comparison(scalar.raw).word:
            fields.wrong_field(name, hint[1:-1], shown(scalar), "one value")
            return None
        found = _meant(scalar, _subject(fields))
        if negated and found is not None:
            found = found.negated()
        if found is not None:
            edit = Edit(fields.mark(name).index, scalar.end, f"{found.test}: {found.value}")
            if not self._told(scalar, fields.below(name), found, edit):
                return None
        return Among((scalar.value,), negated)

    def values(self, fields: Fields, name: str) -> tuple[Value, ...] | None:
        node = fields.table.fields[name]
        expected = f"a list of 1 to {MAX_VALUES} values: [a, b]"
        if not isinstance(node, Listing) or not 0 < len(node.items) <= MAX_VALUES:
            found = "an empty list" if isinstance(node, Listing) and not node.items else shown(node)
            spelled = fields.spelled(name).strip("()")
            hint = Hint()
            if isinstance(node, Scalar) and (several := meant.several(node.raw.strip("()"))):
                hint = Hint(f"write {name}: {several}", several)
            elif isinstance(node, Scalar) and node.raw and spelled:
                hint = Hint(f"write {name}: [{spelled}]", f"[{spelled}]")
            fields.wrong(name, found, expected, hint)
            return None
        values: list[Value] = []
        for item in node.items:
            if not isinstance(item, Scalar) or item.value is None:
                self.problems.add(
                    item.mark, fields.below(name), shown(item), "one value", end=item.end
                )
                return None
            if not self._plain_value(item, fields.below(name)):
                return None
            values.append(item.value)
        self._glued(node, fields.below(name))
        return tuple(values)

    def _glued(self, node: Listing, path: str) -> None:
        """Note a list of one value that is several."""
        (item, *others) = node.items
        if others or not isinstance(item, Scalar) or not isinstance(item.value, str):
            return
        if ";" in item.raw and (several := meant.several(item.raw)) and node.flow:
            edit = Edit(node.mark.index, node.end, several)
            found, hint = f'"{item.raw}" is one value', f"write {several}"
            self.problems.note(item.mark, path, found, hint, edit, item.end)

    def _wildcards(self, fields: Fields, name: str) -> None:
        """Note signs that stand for any text elsewhere."""
        node = fields.table.fields[name]
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            return
        part = meant.without_wildcards(node.raw)
        if name == "matches" and not re.fullmatch(r"%.*|.*%|[\w@ -]+\*", node.raw):
            return
        if part:
            edit = Edit(fields.mark(name).index, node.end, f"contains: {part}")
            found = f'"{node.raw}": here % and * do not stand for any text'
            hint = f"write {edit.text}"
            self.problems.note(node.mark, fields.below(name), found, hint, edit, node.end)

    def _pattern(self, fields: Fields) -> Matches | None:
        node = fields.scalar("matches", "a regular expression in quotes")
        if node is None:
            return None
        if (without := rewriting.without(fields, node.raw)).text:
            expected = "a regular expression in RE2 syntax (no look-around)"
            fields.wrong_whole("matches", without, "a pattern with look-around", expected)
            return None
        if len(node.raw) > MAX_PATTERN:
            expected = f"at most {MAX_PATTERN}"
            fields.wrong("matches", f"a pattern of {len(node.raw)} characters", expected)
            return None
        try:
            compiled(node.raw)
        except re2.error as error:
            said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
            fields.wrong(
                "matches",
                f"a pattern that cannot be used: {said}",
                "a regular expression in RE2 syntax (no look-around, no back-references)",
                _pattern_hint(node.raw),
            )
            return None
        self._wildcards(fields, "matches")
        return Matches(node.raw)


def _subject(fields: Fields) -> str:
    node = fields.table.fields.get("trait")
    return node.raw if isinstance(node, Scalar) else fields.path.rpartition(".")[2]


def _meant(node: Scalar, name: str) -> meant.Meant | None:
    return meant.meant(node.raw, name) if isinstance(node.value, str) else None


def _pattern_hint(raw: str) -> Hint:
    """`gmail` for `*gmail*`, as a pattern is found anywhere."""
    plain = raw.strip("*%")
    if plain != raw and re.fullmatch(r"[\w@.-]+", plain):
        return Hint(f'write "{plain}": it is found anywhere in the text', f'"{plain}"')
    return Hint("for a part of a text write contains: in place of matches:")
