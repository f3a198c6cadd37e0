"""Numbers and durations as people spell them, and as this language does."""

import re
from fractions import Fraction
from unicodedata import normalize

from stream.conditions import words

_LEADING = re.compile(
    r"[^\d.,+-]{0,4}?([+-]?[\d][\d.,_' ]*|[+-]?[.,][\d]+)\s*(k|m|mio|million|thousand)?"
    r"\s*(?:%|[^\W\d]{1,12}|[€£$]|\+)?",
    re.IGNORECASE,
)
_FACTORS = {"k": 1_000, "thousand": 1_000, "m": 1_000_000, "mio": 1_000_000, "million": 1_000_000}
_WORDS = {
    name: number
    for number, name in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve".split()
    )
} | {"once": 1, "twice": 2, "a": 1, "an": 1, "dozen": 12, "hundred": 100, "thousand": 1000}
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)([a-z]*)")
_MONTH_MS = 30 * words.DAY_MS
_UNITS_MS = {
    **words.UNITS_MS,
    "": words.DAY_MS,
    **dict.fromkeys(("sec", "second"), words.SECOND_MS),
    **dict.fromkeys(("min", "minute"), words.MINUTE_MS),
    **dict.fromkeys(("hr", "hour", "std", "stunden"), words.HOUR_MS),
    **dict.fromkeys(("day", "tag", "tage"), words.DAY_MS),
    **dict.fromkeys(("week", "wk"), words.WEEK_MS),
    **dict.fromkeys(("mo", "month", "mth"), _MONTH_MS),
    **dict.fromkeys(("quarter",), 3 * _MONTH_MS),
    **dict.fromkeys(("y", "yr", "year"), 365 * words.DAY_MS),
}
#: `6m` is six minutes; these numbers of months are what people ask for.
_MONTHS = (1, 2, 3, 4, 6, 9, 12, 18, 24)
_FILLER = re.compile(r"[ _,\u00a0]|and|the|last|past|previous|within|less than|ago", re.IGNORECASE)


def _ascii(raw: str) -> str:
    """Full-width digits and dashes of typesetters as they are on a keyboard."""
    return normalize("NFKC", raw).translate(
        dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2212"), "-")
    )


def number_of(raw: str) -> str:
    """The number that a text begins with: of `2 orders`, `$1,000`, `0,4`, `90%` or `three`."""
    text = _ascii(raw).strip()
    if (spelled := _WORDS.get(text.lower().removesuffix(" times"))) is not None:
        return str(spelled)
    found = _LEADING.fullmatch(text)
    if found is None:
        return ""
    digits = re.sub(r"[_' ]", "", found[1])
    plain = _decimal(digits)
    if not plain:
        return ""
    factor = _FACTORS.get((found[2] or "").lower(), 1)
    return plain if factor == 1 else words.number(Fraction(plain) * factor)


def _decimal(digits: str) -> str:
    """`1.234,50` and `1,234.50` are 1234.50; a lone comma is decimal unless it parts thousands."""
    digits = digits.rstrip(".,")
    if "," in digits and "." in digits:
        last = max(digits.rfind(","), digits.rfind("."))
        whole, part = digits[:last], digits[last + 1 :]
        digits = f"{re.sub('[.,]', '', whole)}.{part}"
    elif re.fullmatch(r"[+-]?[1-9]\d{0,2}(,\d{3})+", digits):
        digits = digits.replace(",", "")
    elif re.fullmatch(r"[+-]?\d+(\.\d{3}){2,}", digits):
        digits = digits.replace(".", "")
    elif digits.count(",") == 1:
        digits = digits.replace(",", ".")
    if not re.fullmatch(r"[+-]?\d*\.?\d+", digits):
        return ""
    sign = "-" if digits.startswith("-") else ""
    digits = digits.lstrip("+-").lstrip("0") or "0"
    return sign + (f"0{digits}" if digits.startswith(".") else digits)


def thousands(raw: str) -> str:
    """`1000` for `1.000`, which is read as one; empty for what is no such number."""
    return raw.replace(".", "") if re.fullmatch(r"-?[1-9]\d{0,2}\.\d{3}", raw) else ""


def duration_of(raw: str) -> tuple[str, str]:
    """What to say of a duration that is spelled otherwise, and what to write for it."""
    text = _ascii(raw)
    if re.fullmatch(r"\d+M", text.strip()):
        text += "o"
    text = _FILLER.sub("", text.lower())
    if unit := re.fullmatch("(minute|hour|day|week|month|quarter|year)", text):
        text = f"1{unit[1]}"
    elif word := re.match(r"(an?|one|two|three|four|five|six|seven|ten|twelve)(?=[a-z]{3})", text):
        text = f"{_WORDS[word[1]]}{text[word.end() :]}"
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return "", ""
    if len(parts) > 1 and not all(unit for _, unit in parts):
        return "", ""
    found_ms = Fraction(0)
    for number, unit in parts:
        unit_ms = _UNITS_MS.get(unit) or _UNITS_MS.get(unit.rstrip("s"))
        if unit_ms is None or len(number) > 15:
            return "", ""
        if not unit and int(float(number)) > words.MAX_DURATION_MS // words.DAY_MS:
            # So large a bare number is one of milliseconds, as other systems take it.
            unit_ms = 1
        found_ms += Fraction(number) * unit_ms
    if found_ms > words.MAX_DURATION_MS:
        return too_long()
    shortest = _shortest(round(found_ms)) if round(found_ms) else ""
    return (f"did you mean {shortest}?", shortest) if shortest else ("", "")


def too_long() -> tuple[str, str]:
    """What to say of a duration of more than ten years."""
    longest = f"{words.MAX_DURATION_MS // words.DAY_MS}d"
    return f"write {longest}, the longest; for a whole life leave the field out", longest


def months(raw: str) -> str:
    """`180d` for `6m`, which is six minutes."""
    found = re.fullmatch(r"(\d{1,2})m", raw)
    return f"{30 * int(found[1])}d" if found and int(found[1]) in _MONTHS else ""


def _shortest(ms: int) -> str:
    units = ("d", "h", "m", "s", "ms")
    unit = next(unit for unit in units if ms % words.UNITS_MS[unit] == 0)
    return f"{ms // words.UNITS_MS[unit]}{unit}"
