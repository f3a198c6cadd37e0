"""How the parts of conditions are read: events with `where`, tests of values, counts, ages."""

import re2  # type: ignore[import-untyped]

from stream.conditions import hints
from stream.conditions.contradictions import tests_contradict
from stream.conditions.document import Listing, Node, Scalar, Table, Value, shown
from stream.conditions.fields import BOUNDS, Fields
from stream.conditions.keepers import MAX_DEPTH
from stream.conditions.problems import Problems, listed
from stream.conditions.selection import ANY_EVENT, ORDER_COMPLETED, PURCHASE_EVENTS, Selection
from stream.conditions.values import (
    MAX_PATTERN,
    Among,
    Both,
    Bounds,
    Contains,
    Exists,
    Matches,
    Test,
    compiled,
)

MAX_COUNT = MAX_DEPTH - 1
MAX_VALUES = 1_000

TESTS = ("is", "is_not", "in", "not_in", "contains", "matches", "exists", *BOUNDS)


class Details:
    """Reads what conditions are made of; every reader returns None when nothing is usable."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def counts(self, fields: Fields) -> tuple[int, int | None] | None:
        """Least and greatest number of times; once or more if nothing is said."""
        if not any(name in fields for name in BOUNDS):
            return 1, None
        bounds = fields.bounds()
        if bounds is None:
            return None
        for end in (bounds.low, bounds.high):
            if end is not None and (end.denominator != 1 or not 0 <= end <= MAX_COUNT):
                name = next(name for name in BOUNDS if name in fields)
                fields.wrong(name, f"{float(end):g} times", f"a whole number from 0 to {MAX_COUNT}")
                return None
        low = 0 if bounds.low is None else int(bounds.low) + bounds.low_open
        high = None if bounds.high is None else int(bounds.high) - bounds.high_open
        if (low == 0 and high is None) or (high is not None and low > high):
            name = next(name for name in BOUNDS if name in fields)
            always = "always true" if high is None else "never true"
            fields.wrong(name, f"a count that is {always}", "at_least: 1 or more")
            return None
        return low, high

    def selection(self, fields: Fields, form: str) -> Selection | None:
        """Event name and `where`."""
        expected = f'the name of an event, such as {ORDER_COMPLETED} ("{ANY_EVENT}": any event)'
        listed_names = fields.table.fields.get(form)
        if isinstance(listed_names, Listing):
            hint = f"write any: [{{{form}: …}}, {{{form}: …}}]"
            fields.wrong(form, "a list", expected, hint if form != "of" else "")
            return None
        name = fields.text(form, expected)
        for known in PURCHASE_EVENTS:
            if name is not None and name != known and _folded(name) == _folded(known):
                expected = f'"{known}", as purchases count; capitals and blanks matter'
                fields.wrong(form, f'event "{name}"', expected)
                return None
        where: list[tuple[str, Test]] = []
        usable = name is not None
        node = fields.table.fields.get("where")
        if isinstance(node, Table) and node.fields:
            inner = Fields(node, fields.below("where"), self.problems)
            for prop, value in node.fields.items():
                test = self.property_test(value, inner.below(prop))
                if test is None:
                    usable = False
                else:
                    where.append((prop, test))
        elif node is not None:
            found = "an empty mapping" if isinstance(node, Table) else shown(node)
            fields.wrong("where", found, "properties and their values: {category: shoes}")
            usable = False
        return Selection((name,), tuple(where)) if usable and name is not None else None

    def property_test(self, node: Node, path: str) -> Test | None:
        """`shoes`, or a mapping of tests: `{at_least: 50}`."""
        if isinstance(node, Table):
            fields = Fields(node, path, self.problems)
            fields.allow(TESTS, "a test of a property")
            return self.value_test(fields)
        if isinstance(node, Listing):
            hint = "write {in: […]}"
            self.problems.add(node.mark, path, "a list", "one value, or a mapping of tests", hint)
            return None
        if node.value is None:
            self.problems.add(node.mark, path, "nothing", "a value, or a mapping of tests")
            return None
        if hint := hints.for_comparison(node.raw):
            self.problems.add(node.mark, path, shown(node), "a value, or a mapping of tests", hint)
            return None
        return Among((node.value,))

    def value_test(self, fields: Fields) -> Test | None:
        """All tests that the fields hold."""
        if not any(name in fields for name in TESTS):
            if not fields.strange:
                expected = f"one of {listed(TESTS)}"
                self.problems.add(fields.table.mark, fields.path, "no test", expected)
            return None
        tests: list[Test | None] = []
        for name, negated in (("is", False), ("is_not", True)):
            if isinstance(fields.table.fields.get(name), Listing):
                several = "in" if name == "is" else "not_in"
                fields.wrong(name, "a list", "one value", f"write {several}: […]")
                tests.append(None)
            elif name in fields:
                node = fields.scalar(name, "one value")
                tests.append(Among((node.value,), negated) if node else None)
        for name, negated in (("in", False), ("not_in", True)):
            if name in fields:
                values = self.values(fields, name)
                tests.append(Among(values, negated) if values else None)
        if "contains" in fields:
            node = fields.scalar("contains", "one value")
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
            fields.contradiction(names, f"{' and '.join(names)}: no value is both", "one of them")
        return usable[0] if len(usable) == 1 else Both(tuple(usable))

    def values(self, fields: Fields, name: str) -> tuple[Value, ...] | None:
        node = fields.table.fields[name]
        expected = f"a list of 1 to {MAX_VALUES} values: [a, b]"
        if not isinstance(node, Listing) or not 0 < len(node.items) <= MAX_VALUES:
            found = "an empty list" if isinstance(node, Listing) and not node.items else shown(node)
            hint = f"write {name}: [{node.raw}]" if isinstance(node, Scalar) and node.raw else ""
            fields.wrong(name, found, expected, hint)
            return None
        values: list[Value] = []
        for item in node.items:
            if not isinstance(item, Scalar) or item.value is None:
                self.problems.add(item.mark, fields.below(name), shown(item), "one value")
                return None
            values.append(item.value)
        return tuple(values)

    def _pattern(self, fields: Fields) -> Matches | None:
        node = fields.scalar("matches", "a regular expression in quotes")
        if node is None:
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
            )
            return None
        return Matches(node.raw)

    def ages(self, fields: Fields) -> tuple[int, int | None] | None:
        """`older_than` and `younger_than` in ms."""
        older_ms, younger_ms = fields.duration("older_than"), fields.duration("younger_than")
        given = [name for name in ("older_than", "younger_than") if name in fields]
        if not given:
            if not fields.strange:
                expected = "older_than or younger_than"
                self.problems.add(fields.table.mark, fields.path, "no age", expected)
            return None
        if len(given) > sum(age is not None for age in (older_ms, younger_ms)):
            return None
        if older_ms is not None and younger_ms is not None and older_ms >= younger_ms:
            fields.contradiction(
                given, "an age that is never true", "older_than shorter than younger_than"
            )
            return None
        return older_ms or 0, younger_ms

    def required_bounds(self, fields: Fields, others: tuple[str, ...] = ()) -> Bounds | None:
        """Bounds; their absence is a problem. `others` would have done as well."""
        if not fields.strange and not any(name in fields for name in BOUNDS):
            expected = f"one of {listed((*BOUNDS, *others))}"
            self.problems.add(fields.table.mark, fields.path, "no bound", expected)
        return fields.bounds()


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")
