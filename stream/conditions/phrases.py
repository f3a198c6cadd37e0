"""How each form of condition is read."""

import re
from collections.abc import Callable

from stream.conditions import hints, standing, words
from stream.conditions.amounts import Amount, Rank
from stream.conditions.conditions import All, AnyOf, Condition, Member, Not
from stream.conditions.contradictions import contradictions
from stream.conditions.details import TESTS, Details
from stream.conditions.document import Listing, Node, Scalar, Table, shown
from stream.conditions.fields import BOUNDS, Fields
from stream.conditions.occurrences import CountEver, CountWithin, EventAge, Sequence
from stream.conditions.problems import Mark, Problems, listed
from stream.conditions.selection import (
    ANY_EVENT,
    ORDER_COMPLETED,
    PURCHASE_EVENTS,
    TOTAL,
    Selection,
)
from stream.conditions.values import (
    Bounds,
)

MAX_STEPS = 8
_CLUSTER = re.compile("cluster-[0-9]{1,9}")

PERCENTILES = ("percentile_at_least", "percentile_at_most")

#: Form → the fields it may have.
FORMS: dict[str, tuple[str, ...]] = {
    "all": ("all",),
    "any": ("any",),
    "not": ("not",),
    "did": ("did", "where", "within", *BOUNDS),
    "did_not": ("did_not", "where", "within"),
    "first": ("first", "where", "older_than", "younger_than"),
    "last": ("last", "where", "older_than", "younger_than"),
    "trait": ("trait", *TESTS),
    "measure": ("measure", "within", *BOUNDS, *PERCENTILES, "older_than", "younger_than"),
    "sum": ("sum", "of", "where", "within", *BOUNDS),
    "average": ("average", "of", "where", "within", *BOUNDS),
    "sequence": ("sequence", "within"),
    "affinity": ("affinity", *BOUNDS),
    "cluster": ("cluster",),
    "in": ("in",),
}


class Phrases(Details):
    """Reads conditions; `uses` collects where each segment is asked about by `in`."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
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
            "measure": self._measure,
            "sum": lambda fields: self._amount(fields, "sum"),
            "average": lambda fields: self._amount(fields, "average"),
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
            if isinstance(node, Scalar) and isinstance(node.value, str):
                hint = f"write {{did: {node.raw}}}"
            self.problems.add(node.mark, path, shown(node), expected, hint)
            return None
        fields = Fields(node, path, self.problems)
        form = self._form(fields, expected)
        if form is None:
            return None
        if form != "measure":
            hint = "use did: with at_most:" if form == "did_not" else ""
            fields.allow(FORMS[form], f'a condition on "{form}"', dict.fromkeys(BOUNDS, hint))
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
                _apart(fields, found),
            )
        else:
            proposed = [hint for key in keys if (hint := _for_subject(fields, key))]
            what = f"no subject (only {', '.join(keys)})" if keys else "an empty mapping"
            hint = next(iter(proposed), "")
            self.problems.add(fields.table.mark, fields.path, what, expected, hint)
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
        whole = All(parts) if form == "all" else AnyOf(parts)
        for i, found in contradictions(whole):
            expected = "parts that can all hold" if form == "all" else "parts that can all fail"
            self.problems.add(node.items[i].mark, f"{path}[{i}]", found, expected)
        return whole

    def _negation(self, fields: Fields) -> Condition | None:
        part = self.condition(fields.table.fields["not"], fields.below("not"))
        return None if part is None else Not(part)

    def _did(self, fields: Fields) -> Condition | None:
        selection = self.selection(fields, "did")
        within_ms = fields.duration("within")
        counts = self.counts(fields)
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

    def _age(self, fields: Fields, form: str) -> Condition | None:
        selection = self.selection(fields, form)
        ages = self.ages(fields)
        return EventAge(form, selection, *ages) if selection and ages else None

    def _trait(self, fields: Fields) -> Condition | None:
        name = fields.text("trait", "the name of a trait")
        test = self.value_test(fields)
        return standing.Trait(name, test) if name and test else None

    def _amount(self, fields: Fields, form: str) -> Condition | None:
        name = fields.text(form, "the name of a property, such as total")
        if "of" not in fields:
            expected = f"of: and an event, such as {ORDER_COMPLETED}"
            self.problems.add(fields.table.mark, fields.path, f"{form} without of", expected)
            return None
        selection = self.selection(fields, "of")
        within_ms = fields.duration("within")
        bounds = self.required_bounds(fields)
        if not (name and selection and bounds) or ("within" in fields and within_ms is None):
            return None
        return Amount(form == "average", selection, name, within_ms, bounds)

    def _measure(self, fields: Fields) -> Condition | None:
        known = (*standing.TOTALS, *standing.AGES)
        measure = fields.text("measure", f"one of {listed(known)}")
        if measure is None:
            return None
        if measure not in known:
            hint = hints.for_field(measure, known)
            fields.wrong("measure", f'measure "{measure}"', f"one of {listed(known)}", hint)
            return None
        if measure in standing.AGES:
            fields.allow(("measure", "older_than", "younger_than"), f"a condition on {measure}")
            ages = self.ages(fields)
            return standing.Seen(measure, *ages) if ages else None
        fields.allow(("measure", "within", *BOUNDS, *PERCENTILES), f"a condition on {measure}")
        within_ms = fields.duration("within")
        if "within" in fields and within_ms is None:
            return None
        if any(name in fields for name in PERCENTILES):
            return self._rank(fields, measure, within_ms)
        return self._measured(fields, measure, within_ms)

    def _rank(self, fields: Fields, measure: str, within_ms: int | None) -> Condition | None:
        given = [name for name in (*BOUNDS, *PERCENTILES) if name in fields]
        if any(name in BOUNDS for name in given):
            found = f"{' and '.join(given)} together"
            fields.contradiction(given, found, "a bound of the value or of its percentile")
            return None
        ends = {name: fields.number(name, "a percentile from 0 to 100") for name in given}
        for name, end in ends.items():
            if end is not None and (not 0 <= end <= 100 or 0 < end < 1):
                hint = f"write {float(100 * end):g}" if 0 < end < 1 else ""
                fields.wrong(name, f"{float(end):g}", "a percentile from 0 to 100", hint)
                return None
        if None in ends.values():
            return None
        bounds = Bounds(ends.get(PERCENTILES[0]), ends.get(PERCENTILES[1]))
        if bounds.empty():
            fields.contradiction(given, f"no percentile is {bounds.range_text()}")
            return None
        return Rank(measure, within_ms, bounds)

    def _measured(self, fields: Fields, measure: str, within_ms: int | None) -> Condition | None:
        if within_ms is None:
            bounds = self.required_bounds(fields, PERCENTILES)
            return standing.Total(measure, bounds) if bounds else None
        if measure == standing.SPEND:
            bounds = self.required_bounds(fields, PERCENTILES)
            selection = Selection(PURCHASE_EVENTS)
            return Amount(False, selection, TOTAL, within_ms, bounds) if bounds else None
        if self.required_bounds(fields, PERCENTILES) is None:
            return None
        counts = self.counts(fields)
        name = ANY_EVENT if measure == standing.EVENTS else ORDER_COMPLETED
        return CountWithin(Selection((name,)), *counts, within_ms) if counts else None

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
            found = "a step without did" if isinstance(node, Table) else shown(node)
            text = isinstance(node, Scalar) and isinstance(node.value, str)
            hint = f"write {{did: {node.raw}}}" if isinstance(node, Scalar) and text else ""
            self.problems.add(node.mark, path, found, "a step: {did: Event}", hint)
            return None
        fields = Fields(node, path, self.problems)
        special = dict.fromkeys(BOUNDS, "a step is one event: name it as often as it is wanted")
        special["within"] = "write within: once, beside sequence:"
        fields.allow(("did", "where"), "a step of a sequence", special)
        return self.selection(fields, "did")

    def _affinity(self, fields: Fields) -> Condition | None:
        if isinstance(fields.table.fields["affinity"], Listing):
            hint = "write any: [{affinity: …}, {affinity: …}]"
            fields.wrong("affinity", "a list", "a category", hint)
            return None
        category = fields.text("affinity", "a category")
        bounds = self.required_bounds(fields)
        if bounds is not None and not _within_range(bounds, 0, 1):
            fields.wrong("affinity", bounds.range_text(), "a weight from 0 to 1")
            return None
        return standing.Affinity(category, bounds) if category and bounds else None

    def _cluster(self, fields: Fields) -> Condition | None:
        expected = "the id of a discovered segment, such as cluster-3, or a list of ids"
        if isinstance(fields.table.fields["cluster"], Listing):
            given: tuple[object, ...] = self.values(fields, "cluster") or ()
        else:
            name = fields.text("cluster", expected)
            given = (name,) if name else ()
        names = tuple(_cluster_id(value) for value in given)
        for value, name in zip(given, names, strict=True):
            if not _CLUSTER.fullmatch(name):
                hint = "agos segments lists them; names of clusters change"
                fields.wrong("cluster", f'"{value}"', expected, hint)
                return None
        return standing.Cluster(names) if names else None

    def _member(self, fields: Fields) -> Condition | None:
        if isinstance(fields.table.fields["in"], Listing):
            hint = "write any: [{in: …}, {in: …}]"
            fields.wrong("in", "a list", "the id of a segment", hint)
            return None
        name = fields.text("in", "the id of a segment")
        if name is None:
            return None
        self.uses.append((name, fields.table.fields["in"].mark, fields.below("in")))
        return Member(name)


def _for_subject(fields: Fields, key: str) -> str:
    """What to write in place of a key where the form of a condition must stand."""
    if any(key in allowed for allowed in FORMS.values()):
        # Right, and what it is to go with is missing.
        return ""
    node = fields.table.fields[key]
    if isinstance(node, Table) and node.fields and set(node.fields) <= {*TESTS}:
        return f"write {{trait: {key}, {next(iter(node.fields))}: …}}"
    return hints.for_form(key) or hints.for_field(key, FORMS)


def _apart(fields: Fields, found: list[str]) -> str:
    """How to take two forms in one condition apart."""
    age = fields.table.fields[found[1]]
    if found[1] in ("first", "last") and isinstance(age, Scalar) and words.parse_duration(age.raw):
        return f"write within: {age.raw}"
    return f"put them under all: [{{{found[0]}: …}}, {{{found[1]}: …}}]"


def _cluster_id(value: object) -> str:
    """`3` is short for `cluster-3`, as the discovered segments are called."""
    name = str(value)
    return f"cluster-{name}" if name.isdecimal() else name


def _within_range(bounds: Bounds, low: int, high: int) -> bool:
    ends = [end for end in (bounds.low, bounds.high) if end is not None]
    return all(low <= end <= high for end in ends)
