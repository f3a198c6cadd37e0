"""Whole conditions as other tools have them, and the same in our forms."""

import re

from stream.conditions import hints
from stream.conditions.document import Listing, Scalar, Table
from stream.conditions.fields import Fields, source_of
from stream.conditions.fixes import OPERATORS
from stream.conditions.forms import BOUNDS, FORMS, TESTS
from stream.conditions.hints import Hint, whole
from stream.conditions.selection import ORDER_COMPLETED
from stream.conditions.spellings import number_of
from stream.conditions.words import parse_duration

_OPERATOR = ("operator", "comparator", "comparison", "op", "condition")
_VALUE = ("value", "values")
_JOINT = ("match", "logic", "combinator", "conjunction", "operator", "type", "join")
_LISTS = ("conditions", "rules", "filters", "criteria", "clauses")
_NOT_IN = ("not_in", "is_not_in", "not_in_segment", "not_member_of")
_ANY = ("any", "or", "some", "either")
_SPOKEN = {"is_greater_than": "more_than", "is_less_than": "less_than", "is_equal_to": "is"}
_SINCE_LAST = re.compile(
    r"(days|hours|weeks)_since_(last|first)_(order|purchase|bought|buy|seen|visit)"
)
_LAST_DAY = re.compile(
    r"(last|first)_(order|purchase)(?:_?(?:date|at|on|day))?|(?:date_of_)?(last|first)_purchase"
)
_OLDER = ("at_least", "more_than", "older_than")
_YOUNGER = ("at_most", "less_than", "younger_than", "within")


def operator_form(fields: Fields) -> Hint:
    """`{trait: age, more_than: 30}` for field, operator and value; empty for anything else."""
    table = fields.table
    operator = next((key for key in table.fields if key in _OPERATOR), "")
    value = next((key for key in table.fields if key in _VALUE), "")
    subject = [key for key in table.fields if key not in (operator, value)]
    if not (operator and value and len(subject) == 1):
        return Hint()
    form = hints.synonym(subject[0], FORMS)
    said = table.fields[operator]
    name, spelled = fields.spelled(subject[0]), fields.spelled(value)
    if not (form and name and spelled and isinstance(said, Scalar)) or form not in _COMPARED:
        return Hint()
    test = _test(said.raw, form)
    if not test:
        return Hint()
    if test in ("is", "is_not") and isinstance(table.fields[value], Listing):
        test = "in" if test == "is" else "not_in"
    return whole(f"{{{form}: {name}, {test}: {spelled}}}")


_COMPARED = ("trait", "measure", "did", "affinity")


def _test(said: str, form: str) -> str:
    allowed = TESTS if form == "trait" else BOUNDS
    folded = said.strip().lower().replace(" ", "_")
    folded = _SPOKEN.get(folded, folded).removesuffix("_to").removesuffix("_than_or_equal")
    test = OPERATORS.get(said.strip()) or hints.synonym(folded, allowed)
    if said.strip().lower().replace(" ", "_").endswith("than_or_equal_to"):
        test = "at_least" if "gr" in folded else "at_most"
    test = "exactly" if test == "is" and form != "trait" else test
    return test if test in allowed else ""


def joined(fields: Fields) -> Hint:
    """`{all: [{trait: age, more_than: 30}]}` for `match: all` and `conditions: […]`."""
    table = fields.table
    several = next((key for key in table.fields if key in _LISTS), "")
    others = [key for key in table.fields if key != several]
    node = table.fields.get(several)
    if not isinstance(node, Listing) or any(key not in _JOINT for key in others):
        return Hint()
    said = [fields.spelled(key).lower() for key in others]
    form = "any" if any(word in _ANY for word in said) else "all"
    parts = []
    for item in node.items:
        spelled = source_of(item, fields.problems)
        if isinstance(item, Table):
            written = operator_form(Fields(item, "", fields.problems)).word
            parts.append(written or (spelled if item.flow else ""))
    if not parts or not all(parts) or len(parts) < len(node.items):
        return Hint(f'write {form}: before a list of conditions, each after "- "')
    return whole(f"{{{form}: [{', '.join(parts)}]}}")


def not_in(fields: Fields) -> Hint:
    """`{not: {in: loyal}}` for `{not_in: loyal}`."""
    (key, *others) = fields.table.keys
    node, spelled = fields.table.fields[key], fields.spelled(key)
    if others or key not in _NOT_IN or not spelled:
        return Hint()
    if isinstance(node, Listing):
        each = ", ".join(f"{{in: {source_of(item, fields.problems)}}}" for item in node.items)
        return whole(f"{{not: {{any: [{each}]}}}}")
    return whole(f"{{not: {{in: {spelled}}}}}") if isinstance(node, Scalar) else Hint()


def since_last(fields: Fields) -> Hint:
    """`{last: Order Completed, older_than: 30d}` for `{days_since_last_order: {…: 30}}`."""
    (key, *others) = fields.table.keys
    node = fields.table.fields[key]
    found = _SINCE_LAST.fullmatch(key.lower())
    if others or not found or not isinstance(node, Table):
        return Hint()
    inner = Fields(node, "", fields.problems)
    tests = {name: f"{number_of(inner.spelled(name))}{found[1][0]}" for name in node.fields}
    return _ages(found[2], found[3], tests)


def date_trait(fields: Fields, name: str) -> Hint:
    """The same for traits that say when the last purchase was: `{trait: last_order_date, …}`."""
    tests = {key: fields.spelled(key) for key in fields.table.fields if key != "trait"}
    if since := _SINCE_LAST.fullmatch(name.lower()):
        tests = {key: f"{number_of(value)}{since[1][0]}" for key, value in tests.items()}
        return _ages(since[2], since[3], tests)
    found = _LAST_DAY.fullmatch(name.lower())
    return _ages(found[1] or found[3], "order", tests) if found else Hint()


def _ages(form: str, what: str, tests: dict[str, str]) -> Hint:
    ages = {}
    for test, duration in tests.items():
        if not parse_duration(duration):
            return Hint()
        if test in _OLDER:
            ages["older_than"] = duration
        elif test in _YOUNGER:
            ages["younger_than"] = duration
        else:
            return Hint()
    if len(ages) < len(tests) or not ages:
        return Hint()
    subject = f"{form}: {ORDER_COMPLETED}"
    if what in ("seen", "visit"):
        subject = f"measure: {form}_seen"
    return whole(f"{{{subject}, {', '.join(f'{k}: {v}' for k, v in ages.items())}}}")
