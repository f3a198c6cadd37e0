"""How each form of condition is read."""

from collections.abc import Callable

import re2  # type: ignore[import-untyped]

from stream.conditions import standing
from stream.conditions.conditions import All, AnyOf, Condition, Member, Not
from stream.conditions.document import Listing, Node, Scalar, Table, Value, shown
from stream.conditions.fields import BOUNDS, Fields
from stream.conditions.keepers import MAX_DEPTH
from stream.conditions.occurrences import CountEver, CountWithin, EventAge, Sequence
from stream.conditions.problems import Mark, Problems, did_you_mean, listed
from stream.conditions.selection import ANY_EVENT, ORDER_COMPLETED, Selection
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
MAX_STEPS = 8

COUNTS = ("at_least", "at_most", "more_than", "less_than", "between", "exactly")
TESTS = ("is", "is_not", "in", "not_in", "contains", "matches", "exists", *BOUNDS)

#: Form → the fields it may have.
FORMS: dict[str, tuple[str, ...]] = {
    "all": ("all",),
    "any": ("any",),
    "not": ("not",),
    "did": ("did", "where", "within", *COUNTS),
    "did_not": ("did_not", "where", "within"),
    "first": ("first", "where", "older_than", "younger_than"),
    "last": ("last", "where", "older_than", "younger_than"),
    "trait": ("trait", *TESTS),
    "sequence": ("sequence", "within"),
    "affinity": ("affinity", *BOUNDS),
    "cluster": ("cluster",),
    "in": ("in",),
}


class Phrases:
    """Reads conditions; `uses` collects where each segment is asked about by `in`."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.uses: list[tuple[str, Mark, str]] = []
        self._readers: dict[str, Callable[[Fields], Condition | None]] = {
            "all": lambda fields: self._several(fields, "all"),
            "any": lambda fields: self._several(fields, "any"),
            "not": self._negation,
            "did": self._did,
            "did_not": self._did_not,
            "first": lambda fields: self._age(fields, "first"),
            "last": lambda fields: self._age(fields, "last"),
            "trait": self._trait,
            "sequence": self._sequence,
            "affinity": self._affinity,
            "cluster": self._cluster,
            "in": self._member,
        }

    def condition(self, node: Node, path: str) -> Condition | None:
        """The condition that `node` spells, None if it is none."""
        expected = f"a condition: a mapping with one of {listed(FORMS)}"
        if not isinstance(node, Table):
            hint = 'put "all:" or "any:" before the list' if isinstance(node, Listing) else ""
            self.problems.add(node.mark, path, shown(node), expected, hint)
            return None
        fields = Fields(node, path, self.problems)
        form = self._form(fields, expected)
        if form is None:
            return None
        fields.allow(FORMS[form], f'a condition on "{form}"')
        return self._readers[form](fields)

    def _form(self, fields: Fields, expected: str) -> str | None:
        # `in` is also a test of a trait.
        found = [form for form in FORMS if form in fields and form != "in"]
        found = found or [form for form in ("in",) if form in fields]
        if len(found) == 1:
            return found[0]
        keys = list(fields.table.keys)
        if len(found) > 1:
            self.problems.add(
                fields.mark(found[1]),
                fields.path,
                f"{listed(found).replace(' or ', ' and ')} in one condition",
                "one of them",
                f"put them under all: [{{{found[0]}: …}}, {{{found[1]}: …}}]",
            )
        else:
            hints = [hint for key in keys if (hint := did_you_mean(key, FORMS))]
            what = f"fields {', '.join(keys)}" if keys else "an empty mapping"
            self.problems.add(
                fields.table.mark, fields.path, what, expected, hints[0] if hints else ""
            )
        return None

    def _several(self, fields: Fields, form: str) -> Condition | None:
        node = fields.table.fields[form]
        if not isinstance(node, Listing) or not node.items:
            found = "an empty list" if isinstance(node, Listing) else shown(node)
            hint = f"write {form}: [{{…}}, {{…}}]" if isinstance(node, Table) else ""
            fields.wrong(form, found, "a list of conditions", hint)
            return None
        path = fields.below(form)
        read = [self.condition(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
        parts = tuple(part for part in read if part is not None)
        if len(parts) < len(read):
            return None
        return All(parts) if form == "all" else AnyOf(parts)

    def _negation(self, fields: Fields) -> Condition | None:
        part = self.condition(fields.table.fields["not"], fields.below("not"))
        return None if part is None else Not(part)

    def _did(self, fields: Fields) -> Condition | None:
        selection = self.selection(fields, "did")
        within_ms = fields.duration("within")
        counts = self._counts(fields)
        if selection is None or counts is None or ("within" in fields and within_ms is None):
            return None
        low, high = counts
        if within_ms is None:
            return CountEver(selection, low, high)
        return CountWithin(selection, low, high, within_ms)

    def _did_not(self, fields: Fields) -> Condition | None:
        selection = self.selection(fields, "did_not")
        within_ms = fields.duration("within")
        if selection is None or ("within" in fields and within_ms is None):
            return None
        if within_ms is None:
            return CountEver(selection, 0, 0)
        return CountWithin(selection, 0, 0, within_ms)

    def _counts(self, fields: Fields) -> tuple[int, int | None] | None:
        """Least and greatest number of times; once or more if nothing is said."""
        if not any(name in fields for name in COUNTS):
            return 1, None
        bounds = fields.bounds()
        if bounds is None:
            return None
        for end in (bounds.low, bounds.high):
            if end is not None and (end.denominator != 1 or not 0 <= end <= MAX_COUNT):
                name = next(name for name in COUNTS if name in fields)
                fields.wrong(name, f"{float(end):g} times", f"a whole number from 0 to {MAX_COUNT}")
                return None
        low = 0 if bounds.low is None else int(bounds.low) + bounds.low_open
        high = None if bounds.high is None else int(bounds.high) - bounds.high_open
        if (low == 0 and high is None) or (high is not None and low > high):
            name = next(name for name in COUNTS if name in fields)
            always = "always true" if high is None else "never true"
            fields.wrong(name, f"a count that is {always}", "at_least: 1 or more")
            return None
        return low, high

    def selection(self, fields: Fields, form: str) -> Selection | None:
        """Event name and `where`."""
        expected = f'the name of an event, such as {ORDER_COMPLETED} ("{ANY_EVENT}": any event)'
        name = fields.text(form, expected)
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
        return Among((node.value,))

    def value_test(self, fields: Fields) -> Test | None:
        """All tests that the fields hold."""
        if not any(name in fields for name in TESTS):
            fields.problems.add(
                fields.table.mark, fields.path, "no test", f"one of {listed(TESTS)}"
            )
            return None
        tests: list[Test | None] = []
        for name, negated in (("is", False), ("is_not", True)):
            if name in fields:
                node = fields.scalar(name, "one value")
                tests.append(Among((node.value,), negated) if node else None)
        for name, negated in (("in", False), ("not_in", True)):
            if name in fields:
                values = self._values(fields, name)
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
        return usable[0] if len(usable) == 1 else Both(tuple(usable))

    def _values(self, fields: Fields, name: str) -> tuple[Value, ...] | None:
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

    def _age(self, fields: Fields, form: str) -> Condition | None:
        selection = self.selection(fields, form)
        ages = self.ages(fields)
        return EventAge(form, selection, *ages) if selection and ages else None

    def ages(self, fields: Fields) -> tuple[int, int | None] | None:
        """`older_than` and `younger_than` in ms."""
        older_ms, younger_ms = fields.duration("older_than"), fields.duration("younger_than")
        given = [name for name in ("older_than", "younger_than") if name in fields]
        if not given:
            self.problems.add(
                fields.table.mark, fields.path, "no age", "older_than or younger_than"
            )
            return None
        if len(given) > sum(age is not None for age in (older_ms, younger_ms)):
            return None
        if older_ms is not None and younger_ms is not None and older_ms >= younger_ms:
            fields.contradiction(
                given, "an age that is never true", "older_than shorter than younger_than"
            )
            return None
        return older_ms or 0, younger_ms

    def _trait(self, fields: Fields) -> Condition | None:
        name = fields.text("trait", "the name of a trait")
        test = self.value_test(fields)
        return standing.Trait(name, test) if name and test else None

    def _sequence(self, fields: Fields) -> Condition | None:
        node = fields.table.fields["sequence"]
        within_ms = fields.duration("within")
        expected = f"a list of 2 to {MAX_STEPS} steps: [{{did: A}}, {{did: B}}]"
        if not isinstance(node, Listing) or not 2 <= len(node.items) <= MAX_STEPS:
            found = f"a list of {len(node.items)}" if isinstance(node, Listing) else shown(node)
            fields.wrong("sequence", found, expected)
            return None
        path = fields.below("sequence")
        steps = [self._step(item, f"{path}[{i}]") for i, item in enumerate(node.items)]
        usable = tuple(step for step in steps if step is not None)
        if len(usable) < len(steps) or ("within" in fields and within_ms is None):
            return None
        return Sequence(usable, within_ms)

    def _step(self, node: Node, path: str) -> Selection | None:
        if not isinstance(node, Table) or "did" not in node.fields:
            self.problems.add(node.mark, path, shown(node), "a step: {did: Event}")
            return None
        fields = Fields(node, path, self.problems)
        fields.allow(("did", "where"), "a step of a sequence")
        return self.selection(fields, "did")

    def _affinity(self, fields: Fields) -> Condition | None:
        category = fields.text("affinity", "a category")
        bounds = self.required_bounds(fields)
        if bounds is not None and not _within_range(bounds, 0, 1):
            fields.wrong("affinity", bounds.range_text(), "a weight from 0 to 1")
            return None
        return standing.Affinity(category, bounds) if category and bounds else None

    def required_bounds(self, fields: Fields) -> Bounds | None:
        """Bounds; their absence is a problem."""
        if not any(name in fields for name in BOUNDS):
            self.problems.add(
                fields.table.mark, fields.path, "no bound", f"one of {listed(BOUNDS)}"
            )
        return fields.bounds()

    def _cluster(self, fields: Fields) -> Condition | None:
        if isinstance(fields.table.fields["cluster"], Listing):
            values = self._values(fields, "cluster")
            return standing.Cluster(tuple(str(v) for v in values)) if values else None
        name = fields.text("cluster", "the id of a discovered segment, or a list of ids")
        return standing.Cluster((name,)) if name else None

    def _member(self, fields: Fields) -> Condition | None:
        name = fields.text("in", "the id of a segment")
        if name is None:
            return None
        self.uses.append((name, fields.table.fields["in"].mark, fields.below("in")))
        return Member(name)


def _within_range(bounds: Bounds, low: int, high: int) -> bool:
    ends = [end for end in (bounds.low, bounds.high) if end is not None]
    return all(low <= end <= high for end in ends)
