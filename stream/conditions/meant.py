"""What a text means that stands as a value: several values, a negation, a pattern, an amount."""

import re
from fractions import Fraction
from typing import NamedTuple

from stream.conditions.fixes import OPERATORS
from stream.conditions.spellings import number_of

_SEVERAL = re.compile(r"\s*[,;|]\s*(?:or\s+)?|\s+or\s+", re.IGNORECASE)
_PART = re.compile(r"(?=.*[^\W\d])[\w'&.+-]+(?: [\w'&.+-]+){0,2}")
_MAX_PARTS = 10
#: Longer texts are texts.
_MAX_TEXT = 200
_COMPARED = re.compile(r"(>=|<=|>|<)\s*(\S.*)")
_UNEQUAL = re.compile(r"(?:!==?|<>)\s*(\S.*)")
_NEGATED = re.compile(r"(?:is )?(?:not|isn't)\s+(\S.*)", re.IGNORECASE)
_EQUAL = re.compile(r"(?:={1,3}|is|equals)\s+(\S.*)", re.IGNORECASE)
_WILD = re.compile(r"[*%]*([^*%]*[^*%\d\s][^*%]*?)[*%]*")
_MONEY = re.compile(r"[€£$₱¥₹]\s?[0-9][0-9.,]*|[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_RANGE = re.compile(r"(\S*[0-9])\s*(?:-|\u2013|\bto\b|\band\b)\s*(\S*[0-9])")
#: Properties and traits that are numbers.
_NUMBERS = (
    "price", "quantity", "total", "value", "revenue", "discount", "tax", "shipping", "position",
    "cart_size", "step", "age", "employees",
)  # fmt: skip
#: Texts in which a comma or "or" is nothing odd.
_PROSE = ("name", "title", "description", "address", "url", "query", "company")
_QUOTED_WORDS = re.compile(r"true|false|null|yes|no|on|off|~", re.IGNORECASE)


class Meant(NamedTuple):
    """A test and its value as they are written, and why; `sure` if the text is no value at all."""

    test: str
    value: str
    why: str
    sure: bool = False

    def in_braces(self) -> str:
        """What stands in place of the value of a property."""
        return self.value if self.test == "is" else f"{{{self.test}: {self.value}}}"

    def negated(self) -> "Meant | None":
        """The same for `is_not`, if that has a test."""
        opposite = {"is": "is_not", "is_not": "is", "in": "not_in"}.get(self.test)
        return self._replace(test=opposite) if opposite else None


def spelled(text: str) -> str:
    """A text as it stands in braces."""
    plain = re.fullmatch(r"[^\W\d][\w -]*\w|[^\W\d]", text) and not _QUOTED_WORDS.fullmatch(text)
    return text if plain else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def several(raw: str) -> str:
    """`[Cebu, Manila]` for `Cebu, Manila`; empty for what is one value."""
    if len(raw) > _MAX_TEXT:
        return ""
    parts = [part.strip("\"' ") for part in _SEVERAL.split(raw.strip())]
    if not 1 < len(parts) <= _MAX_PARTS or not all(map(_PART.fullmatch, parts)):
        return ""
    return f"[{', '.join(map(spelled, parts))}]"


def without_wildcards(raw: str) -> str:
    """`"@gmail.com"` for `%@gmail.com`; empty if there are none, or some inside."""
    found = _WILD.fullmatch(raw.strip()) if len(raw) <= _MAX_TEXT else None
    return spelled(found[1]) if found and found[1] != raw.strip() else ""


def meant(raw: str, name: str) -> Meant | None:
    """What the text `raw` may mean as the value of the trait or property `name`."""
    raw = raw.strip()
    if len(raw) > _MAX_TEXT:
        return None
    if found := _UNEQUAL.fullmatch(raw):
        return Meant("is_not", spelled(found[1]), "a comparison in a text", sure=True)
    if (found := _COMPARED.fullmatch(raw)) and (number := number_of(found[2])):
        return Meant(OPERATORS[found[1]], number, "a comparison in a text", sure=True)
    if amount := _amount(raw, name):
        return amount
    if name in _PROSE:
        return None
    if found := _NEGATED.fullmatch(raw):
        return Meant("is_not", spelled(found[1]), f'"{raw}" as a whole is the value')
    if found := _EQUAL.fullmatch(raw):
        return Meant("is", spelled(found[1]), f'"{raw}" as a whole is the value')
    if part := without_wildcards(raw):
        return Meant("contains", part, f'"{raw}" is compared with its sign: no sign stands for any')
    if values := several(raw):
        return Meant("in", values, f'"{raw}" is one value')
    return None


def _amount(raw: str, name: str) -> Meant | None:
    numeric = name.lower() in _NUMBERS
    if numeric and (found := _RANGE.fullmatch(raw)):
        ends = [number_of(end) for end in found.groups()]
        if all(ends):
            low, high = sorted(ends, key=Fraction)
            return Meant("between", f"[{low}, {high}]", f'"{raw}" is a text, no range')
    if (numeric or _MONEY.fullmatch(raw)) and (number := number_of(raw)):
        return Meant("is", number, f'"{raw}" is a text, and no number equals it')
    return None
