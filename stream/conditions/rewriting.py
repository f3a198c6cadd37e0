"""What to write in place of a condition that is none: the author's own words in our forms."""

import re
from dataclasses import replace

from stream.conditions import hints, words
from stream.conditions.document import Listing, Scalar, Table
from stream.conditions.fields import Fields, source_of
from stream.conditions.forms import BOUNDS, FORMS, TESTS
from stream.conditions.hints import Hint, whole
from stream.conditions.meant import spelled as spelled_text
from stream.conditions.problems import Edit, nearest
from stream.conditions.spellings import number_of
from stream.conditions.vocabulary import EVENTS, event_like, is_property

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
        return dict.fromkeys(BOUNDS, Hint(f"write {_seldom(fields)}"))
    if form == "trait" and "within" in fields:
        said = "no condition knows that day: within: goes with events, as in did:"
        return {"within": Hint(said)}
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
        inner = Fields(node, "", fields.problems)
        tests = ", ".join(f"{name}: {_amount(name, inner.spelled(name))}" for name in node.fields)
        measure = nearest(key, _MEASURES, _ALIKE) if set(node.fields) <= {*BOUNDS} else ""
        subject = f"measure: {measure}" if measure else f"trait: {key}"
        return whole(f"{{{subject}, {tests}}}") if len(fields.table.keys) == 1 else Hint()
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
#: How close a word is to a measure that it stands for: "spent", "order".
_ALIKE = 0.75


def _amount(test: str, said: str) -> str:
    """`1000` for `1,000`, where a number is compared."""
    return (number_of(said) if test in BOUNDS else "") or said


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
    word = f"{{any: [{', '.join(_mapping({form: item} | shared) for item in items)}]}}"
    both = "; for customers who are in each of them all: in place of any:" if form == "in" else ""
    return Hint(f"write {word}{both}", word)


def beside_where(fields: Fields, inner: Fields, astray: list[str]) -> tuple[str, Edit | None]:
    """What to write for fields inside `where` that stand beside it."""
    where = fields.table.fields["where"]
    kept = {name: inner.spelled(name) for name in inner.table.fields if name not in astray}
    out = {name: inner.spelled(name) for name in astray}
    spelled = ", ".join(f"{name}: {value}" for name, value in out.items())
    said = f"put {spelled} beside where:, not inside it"
    if not all((*kept.values(), *out.values())) or not inner.table.flow:
        return said, None
    if not fields.table.flow:
        indent = "\n" + " " * (fields.mark("where").column - 1)
        lines = [f"{name}: {value}" for name, value in out.items()]
        lines = [_mapping(kept), *lines] if kept else lines
        begin = where.mark.index if kept else fields.mark("where").index
        return said, Edit(begin, where.end, indent.join(lines))
    others = {name: fields.spelled(name) for name in fields.table.fields}
    if kept:
        others["where"] = _mapping(kept)
    else:
        del others["where"]
    if not all(others.values()):
        return said, None
    word = _mapping(others | out)
    return f"write {word}", Edit(fields.table.mark.index, fields.table.end, word)


_LOOKAHEAD = re.compile(r"\^?\(\?!(?:\.\*)?([\w@ -]+|[\w@ -]+\\\.\w+)(?:\.\*)?\)(?:\.[*+])?\$?")


def without(fields: Fields, pattern: str) -> Hint:
    """`{not: {… contains: gmail}}` for the pattern `^(?!.*gmail)`."""
    found, trait = _LOOKAHEAD.fullmatch(pattern), fields.spelled("trait")
    if not found or not trait or len(fields.table.fields) != 2:
        return Hint()
    part = spelled_text(found[1].replace("\\", ""))
    known = f"{{trait: {trait}, exists: true}}"
    return whole(f"{{all: [{known}, {{not: {{trait: {trait}, contains: {part}}}}}]}}")


def _seldom(fields: Fields) -> str:
    """`{did: A, less_than: 3}` for `{did_not: A, at_least: 3}`."""
    opposite = {"at_least": "less_than", "more_than": "at_most"}
    spelled = {name: fields.spelled(name) for name in fields.table.fields}
    bounds = [name for name in spelled if name in BOUNDS]
    if not all(spelled.values()):
        return "{did: …, less_than: …}"
    inner = {("did" if name == "did_not" else name): value for name, value in spelled.items()}
    if len(bounds) == 1 and bounds[0] in opposite:
        return _mapping({opposite.get(name, name): value for name, value in inner.items()})
    return f"{{not: {_mapping(inner)}}}"


def seldom(fields: Fields) -> Hint:
    """What to write for a count beside did_not, if that is all that is wrong."""
    known = {*FORMS["did_not"], *BOUNDS}
    counted = any(name in fields for name in BOUNDS) and known >= set(fields.table.keys)
    spelled = all(fields.spelled(name) for name in fields.table.fields)
    return whole(_seldom(fields)) if counted and spelled else Hint()


def swapped(fields: Fields, form: str) -> Hint:
    """`{sum: total, of: Order Completed}` for `{sum: Order Completed, of: total}`."""
    event, name = fields.spelled(form), fields.spelled("of")
    spelled = {key: fields.spelled(key) for key in fields.table.fields}
    if event not in EVENTS or not is_property(name) or not all(spelled.values()):
        return Hint()
    return whole(_mapping(spelled | {form: name, "of": event}))


def without_step(fields: Fields) -> Hint:
    """`{all: [{did: A}, {did_not: B}]}` for a sequence with a step `{did_not: B}`."""
    items = getattr(fields.table.fields["sequence"], "items", ())
    steps = [source_of(item, fields.problems) for item in items]
    window = f", within: {fields.spelled('within')}" if fields.spelled("within") else ""
    known = set(fields.table.fields) <= {"sequence", "within"}
    if not known or not all(isinstance(item, Table) and item.flow for item in items):
        return Hint()
    lone = [set(item.fields) <= {"did", "did_not", "where"} for item in items]
    if not all(lone) or not all(steps):
        return Hint()
    missing = [f"{step[:-1]}{window}}}" for step in steps if step.startswith("{did_not:")]
    done = [step for step in steps if step.startswith("{did:")]
    if not missing or not done or len(missing) + len(done) < len(steps):
        return Hint()
    first = f"{done[0][:-1]}{window}}}"
    if len(done) > 1:
        first = f"{{sequence: [{', '.join(done)}]{window}}}"
    return whole(f"{{all: [{', '.join((first, *missing))}]}}")


def no_trait(fields: Fields, name: str) -> Hint:
    """`{measure: spend, …}` for `{trait: spend, …}`, `{in: loyal}` for `{trait: segment, …}`."""
    tests = {key: fields.spelled(key) for key in fields.table.fields if key != "trait"}
    if name in ("segment", "segments", "audience") and set(tests) == {"is"} and tests["is"]:
        return whole(f"{{in: {tests['is']}}}")
    if name in _MEASURES and set(tests) <= {*BOUNDS} and all(tests.values()):
        return whole(_mapping({"measure": name} | tests))
    return Hint()


def tell_seldom(fields: Fields, hint: Hint) -> None:
    """Tell of a count beside did_not."""
    table = fields.table
    first = next(name for name in BOUNDS if name in fields)
    expected = 'in a condition on "did_not": did_not, where or within'
    edit = Edit(table.mark.index, table.end, hint.word) if table.flow else None
    mark, path, end = fields.mark(first), fields.below(first), table.ends.get(first, 0)
    fields.problems.add(mark, path, f'unknown field "{first}"', expected, hint.text, edit, end)


def tell_step(fields: Fields, apart: Hint) -> None:
    """Tell of a step that did not happen: it goes beside the sequence."""
    table, steps = fields.table, getattr(fields.table.fields["sequence"], "items", ())
    number = next(i for i, step in enumerate(steps) if "did" not in step.fields)
    path, step = f"{fields.below('sequence')}[{number}]", steps[number]
    edit = Edit(table.mark.index, table.end, apart.word) if table.flow else None
    expected = "a step: {did: Event}; what did not happen goes beside the sequence"
    fields.problems.add(step.mark, path, "a step without did", expected, apart.text, edit, step.end)
