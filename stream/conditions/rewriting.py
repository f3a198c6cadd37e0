"""What to write in place of a condition that is none: the author's own words in our forms."""

import re
from dataclasses import replace

from stream.conditions import hints, words
from stream.conditions.document import Listing, Scalar, Table
from stream.conditions.fields import Fields, source_of
from stream.conditions.forms import BOUNDS, FORMS, TESTS
from stream.conditions.hints import Hint, whole
from stream.conditions.vocabulary import event_like

EXAMPLE = "{did: Order Completed, at_least: 3, within: 90d}"


def renamed(table: Table, key: str, form: str) -> Table:
    """The mapping with a key called otherwise, to find what else is wrong with it."""
    others = {(form if name == key else name): name for name in table.keys}
    fields = {ours: table.fields[name] for ours, name in others.items()}
    keys = {ours: table.keys[name] for ours, name in others.items()}
    ends = {ours: table.ends[name] for ours, name in others.items() if name in table.ends}
    return replace(table, fields=fields, keys=keys, ends=ends, bare=table.bare - {key})


def special_fields(form: str, fields: Fields) -> dict[str, Hint]:
    """What to write for fields of other conditions that people put here."""
    if form == "did_not":
        return dict.fromkeys(BOUNDS, Hint("use did: with at_most:"))
    if form in ("all", "any"):
        items = fields.table.fields[form]
        first = items.items[0] if isinstance(items, Listing) and items.items else None
        subject = next(iter(first.fields), "did") if isinstance(first, Table) else "did"
        value = fields.spelled("within") or "…"
        hint = Hint(f"put it into each part that it is about: {{{subject}: …, within: {value}}}")
        inside = dict.fromkeys(("where", *BOUNDS), Hint("put it into the part that it is about"))
        return inside | {"within": hint}
    if form == "not":
        return dict.fromkeys(
            ("within", "where", *BOUNDS), Hint("put it into the condition after not:")
        )
    return {}


def for_sentence(raw: str) -> Hint:
    """What to write for a text: `{did: …}` if it is the name of an event."""
    text = raw.strip()
    if (spoken := hints.for_sentence(text)).text:
        return spoken
    if event := event_like(text):
        return whole(f"{{did: {event}}}")
    if ":" not in text and re.fullmatch(r"[A-Z]\w*( [A-Z]\w*){0,4}", text):
        return whole(f"{{did: {text}}}")
    return Hint(f"for example {EXAMPLE}")


def for_subject(fields: Fields, key: str) -> Hint:
    """What to write in place of a key where the form of a condition must stand."""
    if any(key in allowed for allowed in FORMS.values()):
        # Right, and what it is to go with is missing.
        return Hint()
    node = fields.table.fields[key]
    if key in fields.table.bare:
        return hints.for_bare(key, FORMS)
    if isinstance(node, Table) and node.fields and set(node.fields) <= {*TESTS}:
        tests = ", ".join(
            f"{name}: {Fields(node, '', fields.problems).spelled(name)}" for name in node.fields
        )
        subject = "measure" if key in _MEASURES else "trait"
        return whole(f"{{{subject}: {key}, {tests}}}") if len(fields.table.keys) == 1 else Hint()
    if (
        key.lower() in ("count", "times")
        and isinstance(node, Scalar)
        and isinstance(node.value, str)
    ):
        return Hint('did you mean "did"?', "did")
    hint = hints.for_field(key, FORMS)
    if isinstance(node, Listing | Table) and hint.word in _OF_ONE:
        return Hint()
    return hint


#: Forms whose value is a name.
_OF_ONE = ("did", "did_not", "first", "last", "trait", "measure", "sum", "average", "affinity")


_MEASURES = ("spend", "orders", "events")


def as_trait(fields: Fields) -> Hint:
    """`{trait: city, is: Manila}` for `{city: Manila}`."""
    table = fields.table
    unknown = [key for key in table.keys if not any(key in allowed for allowed in FORMS.values())]
    if len(unknown) != 1 or len(table.keys) != 1:
        return Hint()
    (key,) = unknown
    node, spelled = table.fields[key], fields.spelled(key)
    if not spelled or isinstance(node, Table):
        return Hint()
    if key in _MEASURES and isinstance(node, Scalar) and type(node.value) in (int, float):
        return whole(f"{{measure: {key}, at_least: {spelled}}}")
    if isinstance(node, Scalar) and (found := hints.for_comparison(node.raw).word):
        return whole(f"{{trait: {key}, {found[1:-1]}}}")
    return whole(f"{{trait: {key}, {'in' if isinstance(node, Listing) else 'is'}: {spelled}}}")


def apart(fields: Fields, found: list[str]) -> Hint:
    """How to take two forms in one condition apart."""
    second = fields.table.fields[found[1]]
    spelled = {name: fields.spelled(name) for name in fields.table.fields}
    # `last: 30d` beside did is a window.
    if found[1] in ("first", "last") and isinstance(second, Scalar):
        if words.parse_duration(second.raw):
            rest = {("within" if k == found[1] else k): v for k, v in spelled.items()}
            return (
                Hint(f"write within: {second.raw}", _mapping(rest))
                if "within" not in spelled
                else Hint(f"write within: {second.raw}")
            )
    if not all(spelled.values()):
        return Hint(f"put them under all: [{{{found[0]}: …}}, {{{found[1]}: …}}]")
    shared = {k: v for k, v in spelled.items() if k not in found}
    parts = []
    for form in found:
        inner = {form: spelled[form]}
        if form == "not" and not spelled[form].startswith("{"):
            inner = {"did_not": spelled[form]}
        (own,) = inner
        inner |= {k: v for k, v in shared.items() if k in FORMS[own]}
        parts.append(_mapping(inner))
    word = f"{{all: [{', '.join(parts)}]}}"
    return Hint(f"put them under all: write {word}", word)


def _mapping(fields: dict[str, str]) -> str:
    return f"{{{', '.join(f'{name}: {value}' for name, value in fields.items())}}}"


def each_of(fields: Fields, form: str) -> Hint:
    """`{any: [{in: a}, {in: b}]}` for `{in: [a, b]}`."""
    node = fields.table.fields[form]
    items = [source_of(item, fields.problems) for item in getattr(node, "items", ())]
    shared = {name: fields.spelled(name) for name in fields.table.fields if name != form}
    if not items or not all(items) or not all(shared.values()):
        return Hint(f"write any: [{{{form}: …}}, {{{form}: …}}]")
    return whole(f"{{any: [{', '.join(_mapping({form: item} | shared) for item in items)}]}}")
