"""How the parts of conditions are read: events with `where`, tests of values, counts, ages."""

import re
from typing import NamedTuple

import re2  # type: ignore[import-untyped]

from stream.conditions import hints, meant, rewriting
from stream.conditions.contradictions import tests_contradict
from stream.conditions.document import Listing, Node, Scalar, Table, Value, shown
from stream.conditions.fields import Fields, source_of
from stream.conditions.fixes import plain_signs
from stream.conditions.forms import BOUNDS, FORMS, TESTS
from stream.conditions.hints import Hint
from stream.conditions.keepers import MAX_DEPTH
from stream.conditions.problems import Edit, Mark, Problems, listed
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

#: Words that YAML 1.1 took for true and false; in capitals they are countries.
_TRUTHS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

#: Words that mean no value of their own elsewhere.
_DAYS = ("today", "yesterday", "tomorrow", "now")
_NO_VALUES = (*_DAYS, "undefined", "nil", "none", "n/a", "na", "nan", "empty")  # fmt: skip


class Mention(NamedTuple):
    """An event, a property of it or a trait that the file names, and where."""

    what: str
    name: str
    mark: Mark
    end: int
    path: str
    #: Of a property: the event's name.
    event: str = ""


class Details:
    """Reads what conditions are made of; every reader returns None when nothing is usable."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self.mentions: list[Mention] = []

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
                expected = f"a whole number from 0 to {MAX_COUNT}"
                word = str(MAX_COUNT) if end > MAX_COUNT and name != "between" else ""
                hint = Hint(f"{MAX_COUNT} is the most that is counted: write {word}", word)
                fields.wrong(name, f"{float(end):g} times", expected, hint if word else "")
                return None
        low = 0 if bounds.low is None else int(bounds.low) + bounds.low_open
        high = None if bounds.high is None else int(bounds.high) - bounds.high_open
        if (low == 0 and high is None) or (high is not None and low > high):
            name = next(name for name in BOUNDS if name in fields)
            always = "always true" if high is None else "never true"
            word = "1" if high is None and name == "at_least" else ""
            said = "write 1; for customers who never did it use did_not:" if word else ""
            fields.wrong(name, f"a count that is {always}", "at_least: 1 or more", Hint(said, word))
            return None
        return low, high

    def selection(self, fields: Fields, form: str) -> Selection | None:
        """Event name and `where`."""
        expected = f'the name of an event, such as {ORDER_COMPLETED} ("{ANY_EVENT}": any event)'
        listed_names = fields.table.fields.get(form)
        if isinstance(listed_names, Listing):
            if form != "of":
                fields.wrong_whole(form, _one_each(fields, form), "a list", expected)
            else:
                fields.wrong(form, "a list", expected, "write one condition for each event")
            return None
        name = fields.text(form, expected)
        if name is not None and not self._named(fields, form, name):
            return None
        where: list[tuple[str, Test]] = []
        usable = name is not None
        node = fields.table.fields.get("where")
        if isinstance(node, Table) and _astray(fields, node, form):
            self._beside_where(fields, node, _astray(fields, node, form))
            return None
        if isinstance(node, Table) and node.fields:
            inner = Fields(node, fields.below("where"), self.problems)
            for prop, value in node.fields.items():
                test = self.property_test(value, inner.below(prop))
                self.mention("property", inner, prop, prop, name or "")
                if prop in node.bare:
                    hint = hints.for_bare(prop, ()).text
                    found, expected = f'"{prop[:60]}" without a value', "a property and its value"
                    end = node.ends.get(prop, 0)
                    self.problems.add(inner.mark(prop), inner.path, found, expected, hint, end=end)
                    usable = False
                    continue
                if test is None:
                    usable = False
                else:
                    where.append((prop, test))
        elif node is not None:
            found = "an empty mapping" if isinstance(node, Table) else shown(node)
            expected = "properties and their values: {category: shoes}"
            fields.wrong("where", found, expected, _where_hint(node))
            usable = False
        return Selection((name,), tuple(where)) if usable and name is not None else None

    def _beside_where(self, fields: Fields, node: Table, astray: list[str]) -> None:
        """Tell of fields inside `where` that stand beside it."""
        inner = Fields(node, fields.below("where"), self.problems)
        first = node.fields[astray[0]]
        fields.strange = True
        hint, edit = rewriting.beside_where(fields, inner, astray)
        found = f"{listed(astray).replace(' or ', ' and ')} inside where:"
        expected = "properties of the event there, and this beside where:"
        path = inner.below(astray[0])
        self.problems.add(inner.mark(astray[0]), path, found, expected, hint, edit, first.end)

    def mention(self, what: str, fields: Fields, field: str, name: str, event: str = "") -> None:
        """Remember what the file names, to be looked at when all is read."""
        if what == "property":
            mark, end = fields.mark(field), fields.table.ends.get(field, 0)
        else:
            node = fields.table.fields[field]
            mark, end = node.mark, node.end
        self.mentions.append(Mention(what, name, mark, end, fields.below(field), event))

    def _named(self, fields: Fields, form: str, name: str) -> bool:
        """Whether a name of an event can be used as it stands."""
        for known in PURCHASE_EVENTS:
            if name != known and _folded(name) == _folded(known):
                hint = Hint(f"write {known}", known)
                expected = f'"{known}", as purchases count; capitals and blanks matter'
                fields.wrong(form, f'event "{name[:60]}"', expected, hint)
                return False
        if not self.usual_signs(fields, form, name) or self.compared(fields, form, name):
            return False
        self.mention("event", fields, form, name)
        return True

    def compared(self, fields: Fields, field: str, name: str) -> bool:
        """Whether a name goes on with a comparison, which is a field of its own."""
        word = hints.for_compared_name(field, name) or hints.for_counted_name(field, name)
        if word:
            found, expected = f'"{name[:60]}" with a comparison in it', "the name alone"
            fields.wrong_field(field, word, found, expected)
        return bool(word)

    def usual_signs(self, fields: Fields, field: str, name: str) -> bool:
        """Whether a name is without signs that only look like those of a keyboard."""
        typed = name.replace("\u2019", "")
        sign = fields.sign(typed)
        # Where people write with such signs they are no slip.
        if sign and (plain_signs(typed).isascii() or fields.sign(re.sub(r"\S|\u3000", "", name))):
            word = plain_signs(name).strip(" \"'")
            found = f'"{name[:60]}" with {sign}'
            expected = "a name that is typed like those of the events"
            fields.wrong(field, found, expected, Hint(f"write {word}", word) if word else "")
            return False
        return True

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

    def ages(self, fields: Fields) -> tuple[int, int | None] | None:
        """`older_than` and `younger_than` in ms."""
        older_ms, younger_ms = fields.duration("older_than"), fields.duration("younger_than")
        given = [name for name in ("older_than", "younger_than") if name in fields]
        if not given:
            if not fields.strange:
                hint = Hint("for example younger_than: 30d")
                fields.misplaced("no age", "older_than or younger_than", hint)
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
            example = "at_least: 0.4" if "affinity" in fields else "at_least: 100"
            fields.misplaced("no bound", expected, Hint(f"for example {example}"))
        return fields.bounds()


def _astray(fields: Fields, where: Table, form: str) -> list[str]:
    """Fields inside `where` that are to stand beside it; a property of such a name is tested
    by a mapping."""
    allowed = FORMS["sum" if form == "of" else form]
    return [
        name
        for name, value in where.fields.items()
        if name in allowed
        and name not in (form, "where", *fields.table.fields)
        and not isinstance(value, Table)
    ]


def _subject(fields: Fields) -> str:
    node = fields.table.fields.get("trait")
    return node.raw if isinstance(node, Scalar) else fields.path.rpartition(".")[2]


def _meant(node: Scalar, name: str) -> meant.Meant | None:
    return meant.meant(node.raw, name) if isinstance(node.value, str) else None


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")


def _pattern_hint(raw: str) -> Hint:
    """`gmail` for `*gmail*`, as a pattern is found anywhere."""
    plain = raw.strip("*%")
    if plain != raw and re.fullmatch(r"[\w@.-]+", plain):
        return Hint(f'write "{plain}": it is found anywhere in the text', f'"{plain}"')
    return Hint("for a part of a text write contains: in place of matches:")


def _one_each(fields: Fields, form: str) -> Hint:
    """`{any: [{did: A, within: 3d}, {did: B, within: 3d}]}` for `{did: [A, B], within: 3d}`."""
    node = fields.table.fields[form]
    items = node.items if isinstance(node, Listing) else ()
    names = [source_of(item, fields.problems) for item in items]
    joint = "all" if form == "did_not" else "any"
    others = {name: fields.spelled(name) for name in fields.table.fields if name != form}
    if not names or not all(names) or not all(others.values()) or not fields.table.flow:
        return Hint(f"write {joint}: [{{{form}: …}}, {{{form}: …}}]")
    rest = "".join(f", {name}: {value}" for name, value in others.items())
    each = ", ".join(f"{{{form}: {name}{rest}}}" for name in names)
    word = f"{{{joint}: [{each}]}}"
    counted = joint == "any" and any(name in others for name in BOUNDS)
    apart = "; each event is counted for itself" if counted else ""
    return Hint(f"write {word}{apart}", word)


_TEST = re.compile(r"([\w.]{1,64})\s*(>=|<=|>|<|={1,3}|!={1,2})\s*(.{1,80}?)\s*")


def _where_hint(node: Node) -> Hint:
    """`{total: {more_than: 100}}` for `total > 100`."""
    found = _TEST.fullmatch(node.raw) if isinstance(node, Scalar) else None
    if found is None:
        return Hint()
    test = hints.for_comparison(f"{found[2]}{found[3]}").word
    if not test and found[2].startswith("="):
        test = found[3]
    word = f"{{{found[1]}: {test}}}" if test else ""
    return Hint(f"write {word}", word) if word else Hint()
