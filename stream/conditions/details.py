"""How the parts of conditions are read: events with `where`, counts, ages."""

import re
from typing import NamedTuple

from stream.conditions import hints, rewriting
from stream.conditions.document import Listing, Node, Scalar, Table, shown
from stream.conditions.fields import Fields, source_of
from stream.conditions.fixes import plain_signs
from stream.conditions.forms import BOUNDS, FORMS
from stream.conditions.hints import Hint
from stream.conditions.keepers import MAX_DEPTH
from stream.conditions.problems import Mark, Problems, listed
from stream.conditions.selection import ANY_EVENT, ORDER_COMPLETED, PURCHASE_EVENTS, Selection
from stream.conditions.value_tests import ValueTests
from stream.conditions.values import (
    Bounds,
    Test,
)

MAX_COUNT = MAX_DEPTH - 1


class Mention(NamedTuple):
    """An event, a property of it or a trait that the file names, and where."""

    what: str
    name: str
    mark: Mark
    end: int
    path: str
    #: Of a property: the event's name.
    event: str = ""


class Details(ValueTests):
    """Reads what conditions are made of; every reader returns None when nothing is usable."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
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


def _folded(name: str) -> str:
    return name.casefold().replace(" ", "").replace("_", "")


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
