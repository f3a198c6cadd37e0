"""What people write who know other languages, and what this one calls it."""

import re
from collections.abc import Collection

from stream.conditions import words
from stream.conditions.problems import did_you_mean

_LOW = ("at_least", "more_than")
#: Word from elsewhere → ours; the first that is allowed in its place is proposed.
_SYNONYMS: dict[str, tuple[str, ...]] = {
    "and": ("all",),
    "or": ("any",),
    **dict.fromkeys(("event", "events", "performed"), ("did",)),
    **dict.fromkeys(("segment", "segments", "member_of", "in_segment"), ("in",)),
    **dict.fromkeys(("attribute", "property", "profile", "user"), ("trait",)),
    **dict.fromkeys(("equals", "equal", "eq", "=", "==", "value"), ("is", "exactly")),
    **dict.fromkeys(("!=", "not_equals", "ne"), ("is_not",)),
    **dict.fromkeys((">", "gt", "greater_than", "greater", "above", "over"), ("more_than",)),
    **dict.fromkeys((">=", "gte", "min", "minimum", "from"), ("at_least",)),
    **dict.fromkeys(("<", "lt", "below", "under", "fewer_than"), ("less_than",)),
    **dict.fromkeys(("<=", "lte", "max", "maximum", "to"), ("at_most",)),
    **dict.fromkeys(("times", "count"), ("at_least",)),
    **dict.fromkeys(("top", "percentile"), ("percentile_at_least", "measure")),
    **dict.fromkeys(("revenue", "monetary", "amount", "total", "ltv"), ("spend",)),
    **dict.fromkeys(("frequency", "purchases"), ("orders",)),
    **dict.fromkeys(("recency", "last_active"), ("last_seen",)),
    **dict.fromkeys(("visits", "actions"), ("events",)),
    **dict.fromkeys(("since", "period", "window", "during", "last", "in"), ("within",)),
    **dict.fromkeys(("within", "at_most", "less_than", "after"), ("younger_than",)),
    **dict.fromkeys(("before", *_LOW), ("older_than",)),
    **dict.fromkeys(("regex", "pattern", "like"), ("matches",)),
    **dict.fromkeys(("includes", "has"), ("contains",)),
    **dict.fromkeys(("filter", "filters", "with", "properties"), ("where",)),
    **dict.fromkeys(("condition", "conditions", "rule", "rules", "if"), ("when",)),
    **dict.fromkeys(("title", "label"), ("name",)),
    "type": ("kind",),
    "stay": ("stay_at_least",),
}
#: Of a segment, and misplaced in a condition.
_BESIDE_WHEN = ("stay_at_least", "shadow", "kind", "name", "description")
_AGES = ("older_than", "younger_than")
_LEADING = re.compile(r"[$€£]?\s*(-?[0-9][0-9,_]*(?:\.[0-9]+)?)\s*(?:[a-z%€£]+)?", re.IGNORECASE)
_COMPARED = re.compile(r"(>=|<=|>|<|==?|!=)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z]*)")
_UNITS_MS = {
    **words.UNITS_MS,
    "": words.DAY_MS,
    **dict.fromkeys(("sec", "second"), words.SECOND_MS),
    **dict.fromkeys(("min", "minute"), words.MINUTE_MS),
    **dict.fromkeys(("hr", "hour"), words.HOUR_MS),
    "day": words.DAY_MS,
    **dict.fromkeys(("week", "wk"), words.WEEK_MS),
    **dict.fromkeys(("mo", "month"), 30 * words.DAY_MS),
    **dict.fromkeys(("y", "yr", "year"), 365 * words.DAY_MS),
}


def for_field(name: str, allowed: Collection[str]) -> str:
    """What to write in place of a field that is not known here; empty if nobody can guess."""
    folded = name.strip().lower().replace(" ", "_").replace("-", "_")
    if "when" not in allowed and folded in _BESIDE_WHEN:
        return f'write {folded}: beside "when:", not inside it'
    for ours in _SYNONYMS.get(folded, ()):
        if ours in allowed:
            return f'did you mean "{ours}"?'
    if folded in _AGES and "within" in allowed:
        return f"write {{last: …, {folded}: …}} for how long ago the last one was"
    if close := did_you_mean(name, allowed):
        return close
    return f"a property of the event goes under where: {{{name}: …}}" if "where" in allowed else ""


def for_form(name: str) -> str:
    """The same for a key in whose place the form of a condition must stand, and no close one is
    known."""
    form, colon, rest = name.partition(":")
    return f"put a blank after the colon: {form}: {rest}" if colon and rest else ""


def for_number(raw: str) -> str:
    """The number that a text begins with: of `2 orders`, `$1,000` or `90%`."""
    found = _LEADING.fullmatch(raw.strip())
    return f"write {found[1].replace(',', '').replace('_', '')}" if found else ""


def for_comparison(raw: str) -> str:
    """`{more_than: 50}` for the text `>50`."""
    found = _COMPARED.fullmatch(raw.strip())
    if not found:
        return ""
    ours = _SYNONYMS[found[1]][0]
    return f"write {{{ours}: {found[2]}}}"


def for_duration(raw: str) -> str:
    """`36h` for `1d 12h`, `1.5 days` or `36 hours`."""
    text = re.sub("[ _,]|and", "", raw.lower())
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return ""
    if len(parts) > 1 and not all(unit for _, unit in parts):
        return ""
    found_ms = 0.0
    for number, unit in parts:
        unit_ms = _UNITS_MS.get(unit) or _UNITS_MS.get(unit.rstrip("s"))
        if unit_ms is None:
            return ""
        found_ms += float(number) * unit_ms
    return f"did you mean {_shortest(round(found_ms))}?" if 0 < found_ms else ""


def _shortest(ms: int) -> str:
    units = ("d", "h", "m", "s", "ms")
    unit = next(unit for unit in units if ms % words.UNITS_MS[unit] == 0)
    return f"{ms // words.UNITS_MS[unit]}{unit}"
