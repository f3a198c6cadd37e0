"""What people write who know other languages, and what this one calls it."""

import re
from collections.abc import Collection
from typing import NamedTuple

from stream.conditions.fixes import COMPARED, comparison, plain_signs
from stream.conditions.problems import nearest
from stream.conditions.spellings import duration_of, number_of
from stream.conditions.words import parse_duration

_LOW = ("at_least", "more_than")
#: Word from elsewhere → ours; the first that is allowed in its place is proposed.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("and", "&&", "all_of", "every", "both", "must"), ("all",)),
    **dict.fromkeys(("or", "||", "any_of", "some", "either", "one_of", "should"), ("any",)),
    **dict.fromkeys(("not_in_segment", "exclude", "except", "none", "none_of", "unless"), ("not",)),
    **dict.fromkeys(("must_not", "is_not_in"), ("not",)),
    **dict.fromkeys(("event", "events", "performed", "has_done", "has_performed"), ("did",)),
    **dict.fromkeys(("done", "event_name", "action", "does", "has_event"), ("did",)),
    **dict.fromkeys(("never", "didnt", "not_did", "has_not_done", "not_performed"), ("did_not",)),
    **dict.fromkeys(("did_not_do", "hasnt", "without", "no", "didn't"), ("did_not",)),
    **dict.fromkeys(("segment", "segments", "member_of", "in_segment", "audience"), ("in",)),
    **dict.fromkeys(("attribute", "property", "profile", "user"), ("trait",)),
    **dict.fromkeys(("custom_attribute", "user_property", "field", "traits"), ("trait",)),
    **dict.fromkeys(("equals", "equal", "eq", "=", "==", "===", "value", "$eq"), ("is", "exactly")),
    **dict.fromkeys(("!=", "!==", "not_equals", "ne", "isnt", "$ne", "not"), ("is_not",)),
    **dict.fromkeys((">", "gt", "greater_than", "greater", "above", "over", "$gt"), ("more_than",)),
    **dict.fromkeys((">=", "gte", "min", "minimum", "$gte", "or_more"), ("at_least",)),
    **dict.fromkeys(("from",), ("of", "at_least")),
    **dict.fromkeys(("<", "lt", "below", "under", "fewer_than", "$lt"), ("less_than",)),
    **dict.fromkeys(("<=", "lte", "max", "maximum", "to", "$lte"), ("at_most",)),
    **dict.fromkeys(("times", "count", "number"), ("at_least",)),
    **dict.fromkeys(("one_of", "any_of", "$in", "contains_any"), ("in",)),
    **dict.fromkeys(("none_of", "$nin"), ("not_in",)),
    **dict.fromkeys(("top", "percentile"), ("percentile_at_least", "measure")),
    **dict.fromkeys(("revenue", "monetary", "amount", "total", "ltv"), ("spend",)),
    **dict.fromkeys(("frequency", "purchases"), ("orders",)),
    **dict.fromkeys(("recency", "last_active"), ("last_seen",)),
    **dict.fromkeys(("visits", "actions"), ("events",)),
    **dict.fromkeys(("since", "period", "window", "during", "last", "in", "past"), ("within",)),
    **dict.fromkeys(("in_last", "in_the_last", "in_past", "in_the_past"), ("within",)),
    **dict.fromkeys(("within_last", "within_the_last", "for_the_last", "over_last"), ("within",)),
    **dict.fromkeys(("time", "timeframe", "time_frame", "time_window", "range"), ("within",)),
    **dict.fromkeys(("duration", "interval", "timespan", "lookback", "date_range"), ("within",)),
    **dict.fromkeys(("within", "at_most", "less_than", "after"), ("younger_than",)),
    **dict.fromkeys(("before", *_LOW), ("older_than",)),
    **dict.fromkeys(("regex", "pattern", "like"), ("matches",)),
    **dict.fromkeys(("includes", "has"), ("contains",)),
    **dict.fromkeys(("known", "is_set", "present", "defined"), ("exists",)),
    **dict.fromkeys(("filter", "filters", "with", "properties"), ("where",)),
    **dict.fromkeys(("condition", "conditions", "rule", "rules", "if", "who"), ("when",)),
    **dict.fromkeys(("query", "definition", "criteria", "filter", "where"), ("when",)),
    **dict.fromkeys(("title", "label"), ("name",)),
    **dict.fromkeys(("audiences", "segment", "cohorts", "groups"), ("segments",)),
    **dict.fromkeys(("then", "followed_by", "steps", "funnel"), ("sequence",)),
    "type": ("kind",),
    "stay": ("stay_at_least",),
    "avg": ("average",),
    "mean": ("average",),
}
#: Added to `within`: what they count.
_UNIT_FIELDS = {
    "days": "d", "day": "d", "hours": "h", "hour": "h", "minutes": "m", "weeks": "w", "week": "w",
    "seconds": "s", "in_days": "d", "last_days": "d", "within_days": "d",
}  # fmt: skip
_EVER = ("over_all_time", "all_time", "ever", "lifetime", "always", "all_history")
_ELSEWHERE = {
    **dict.fromkeys(
        ("operator", "comparator", "comparison", "op"),
        "the comparison is the field's name, as in at_least: 3",
    ),
    **dict.fromkeys(
        ("group_by", "groupby", "having", "by", "per"),
        "leave it out: every condition is about one customer",
    ),
    **dict.fromkeys(
        ("exclude", "except", "unless", "not", "and_not", "but_not"),
        "write all: [{…}, {not: {…}}] with this condition and that one",
    ),
    **dict.fromkeys(
        ("and", "or", "&&", "||"), "write all: [{…}, {…}], or any:, around both conditions"
    ),
}
_ELSEWHERE |= dict.fromkeys(
    ("then", "followed_by", "and_then", "before", "after"),
    "for one after the other write {sequence: [{did: …}, {did: …}], within: …}",
)
#: Of a segment, and misplaced in a condition.
_BESIDE_WHEN = ("stay_at_least", "shadow", "kind", "name", "description")
_AGES = ("older_than", "younger_than")


class Hint(NamedTuple):
    """What to write: in words, and what stands in place of the word or value pointed at."""

    text: str = ""
    word: str = ""


def whole(word: str) -> Hint:
    """What is to stand in place of a whole condition."""
    return Hint(f"write {word}", word)


def for_field(name: str, allowed: Collection[str]) -> Hint:
    """What to write in place of a field that is not known here; empty if nobody can guess."""
    folded = _folded(name)
    if "when" not in allowed and folded in _BESIDE_WHEN:
        return Hint(f'write {folded}: beside "when:", not inside it')
    if ours := synonym(name, allowed):
        return Hint(f'did you mean "{ours}"?', ours)
    if folded in _ELSEWHERE and "within" in allowed:
        return Hint(_ELSEWHERE[folded])
    if "within" in allowed:
        if folded in _AGES:
            return Hint(f"write {{last: …, {folded}: …}} for how long ago the last one was")
        if folded in _EVER:
            return Hint("leave it out: without within: a whole life counts")
    if close := nearest(plain_signs(name), allowed):
        return Hint(f'did you mean "{close}"?', close)
    return (
        Hint(f"a property of the event goes under where: {{{name}: …}}")
        if "where" in allowed
        else Hint()
    )


def synonym(name: str, allowed: Collection[str]) -> str:
    """The field that is meant by a word from elsewhere."""
    folded = _folded(name)
    if folded in allowed:
        return folded
    return next((ours for ours in _SYNONYMS.get(folded, ()) if ours in allowed), "")


def unit_of(name: str) -> str:
    """`d` for the field `days`, which is to be `within`; empty for any other."""
    return _UNIT_FIELDS.get(_folded(name), "")


def for_bare(name: str, allowed: Collection[str]) -> Hint:
    """The same for a field in braces that has no colon: `within 90d`."""
    word, blank, rest = name.strip().partition(" ")
    assigned = re.fullmatch(r"(\w+)\s*=+\s*(\S.*)", name.strip())
    if assigned and (ours := synonym(assigned[1], allowed)):
        return Hint(f"write {ours}: {assigned[2]}", f"{ours}: {assigned[2]}")
    if _folded(name) in _EVER or _folded(name) in allowed:
        return for_field(name, allowed)
    if blank and (ours := synonym(word, allowed)):
        return Hint(f"write {ours}: {rest.strip()}", f"{ours}: {rest.strip()}")
    if ":" in name:
        word, _, rest = name.partition(":")
        return Hint(f"put a blank after the colon: {word}: {rest}", f"{word}: {rest}")
    return Hint("a field is a name, a colon, a blank and a value")


def _folded(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_").replace("\u2019", "'")


_SPOKEN = re.compile(r"\b(within|at[_ ]least|at[_ ]most|more[_ ]than|less[_ ]than|exactly)\b", re.I)
_COUNTED = re.compile(r"count\s*\((.+?)\)\s*(>=|<=|>|<|={1,3})\s*(\d+)", re.I)


def for_sentence(text: str) -> Hint:
    """`{did: Order Completed, within: 30d}` for `did Order Completed within 30d`."""
    if counted := _COUNTED.fullmatch(text.strip()):
        test = comparison(counted[2], counted[3])[1:-1].replace("is:", "exactly:")
        spelled = f"{{did: {counted[1]}, {test}}}"
        return Hint(f"write {spelled}", spelled)
    subject, *rest = _SPOKEN.split(text.strip())
    spoken = re.fullmatch(r"(did(?:[_ ]not)?) ([^:{}\[\],]+)", subject.strip())
    if not spoken:
        return Hint()
    parts = [f"{spoken[1].replace(' ', '_')}: {spoken[2].strip()}"]
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        field = name.lower().replace(" ", "_")
        value = value.strip(" ,")
        if field == "within":
            value = value if parse_duration(value) else duration_of(value)[1]
        else:
            value = number_of(value)
        if not value or (spoken[1] != "did" and field != "within"):
            return Hint()
        parts.append(f"{field}: {value}")
    spelled = f"{{{', '.join(parts)}}}"
    return Hint(f"write {spelled}", spelled)


_TIMES = re.compile(
    r"(\S+?)(?:\s*(?:x|times?))?\s+(?:in|within|during|over|per|every)\s+(.+)", re.IGNORECASE
)


def for_times(raw: str) -> tuple[str, str]:
    """Number and duration of `3 times in 90 days`."""
    found = _TIMES.fullmatch(raw.strip())
    if not found:
        return "", ""
    number, duration = number_of(found[1]), duration_of(found[2])[1]
    return (number, duration) if number and duration else ("", "")


_COMPARED_NAME = re.compile(r"(.*?[^\s<>=!])\s*(>=|<=|>|<|={1,3})\s*(-?\d+(?:\.\d+)?)")


def for_compared_name(field: str, raw: str) -> str:
    """`measure: orders, more_than: 3` for `orders > 3` as the value of `measure`."""
    found = _COMPARED_NAME.fullmatch(raw.strip())
    if not found:
        return ""
    test = comparison(found[2], found[3])[1:-1]
    return f"{field}: {found[1]}, {test if field == 'trait' else test.replace('is:', 'exactly:')}"


def for_counted_name(field: str, name: str) -> str:
    """`did: A, at_least: 3` for `A at least 3 times` as the value of `did`."""
    return for_sentence(f"did {name}").word[1:-1] if field == "did" and _SPOKEN.search(name) else ""


def for_comparison(raw: str) -> Hint:
    """`{more_than: 50}` for the text `>50`."""
    found = COMPARED.fullmatch(raw.strip())
    if not found:
        return Hint()
    spelled = comparison(found[1], found[2])
    return Hint(f"write {spelled}", spelled)


def for_duration(raw: str) -> Hint:
    """`36h` for `1d 12h`, `1.5 days` or `36 hours`; for too long ones the longest."""
    if re.fullmatch(r"\d+\s*[a-z]*\s*(-|to|and)\s*\d+\s*[a-z]+", raw.strip()):
        return Hint("for an age between two write {last: …, older_than: …, younger_than: …}")
    return Hint(*duration_of(raw))


_PERCENTILE = re.compile(r"(?:the )?(\d{1,2})(?:st|nd|rd|th)? percentile", re.IGNORECASE)
_TOP = re.compile(r"(?:the )?(top|bottom) (\d{1,2}) ?(?:%|percent)", re.IGNORECASE)


def for_percentile(field: str, raw: str) -> str:
    """`percentile_at_least: 90` for `at_least: 90th percentile` and `top 10%`."""
    if top := _TOP.fullmatch(raw.strip()):
        high = top[1].lower() == "top"
        number = 100 - int(top[2]) if high else int(top[2])
        return f"percentile_at_{'least' if high else 'most'}: {number}"
    ours = {**dict.fromkeys(_LOW, "least"), **dict.fromkeys(("at_most", "less_than"), "most")}
    found = _PERCENTILE.fullmatch(raw.strip())
    return f"percentile_at_{ours[field]}: {found[1]}" if found and field in ours else ""
