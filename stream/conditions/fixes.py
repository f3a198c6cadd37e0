"""Slips that one line shows by itself, and the line as it was meant."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

COMPARED = re.compile(r"(>=|<=|>|<|===?|!==?|=)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_QUOTED = r"(?:'[^']*'|\"[^\"]*\"|[\w.-]+)"
#: Signs that phones and other keyboards write → those of the language.
SIGNS = {
    "\uff1a": ":", "\uff0c": ",", "\u3001": ",", "\uff5b": "{", "\uff5d": "}", "\uff3b": "[",
    "\uff3d": "]", "\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"',
    "\uff02": '"', "\u2018": "'", "\u2019": "'", "\u201a": "'", "\u3000": " ", "\u00a0": " ",
    "\u202f": " ", "\u2007": " ", "\u200b": "", "\ufeff": "", "\u2060": "", "\uff1b": ",",
}  # fmt: skip
_SIGNS = re.compile("[" + "".join(SIGNS) + "]")


OPERATORS = {
    ">=": "at_least", "<=": "at_most", ">": "more_than", "<": "less_than", "=": "is", "==": "is",
    "===": "is", "!=": "is_not", "!==": "is_not",
}  # fmt: skip


def comparison(operator: str, number: str) -> str:
    """`{more_than: 50}` for `>` and `50`."""
    return f"{{{OPERATORS[operator]}: {number}}}"


def blanks(number: int) -> str:
    """`no blank`, `1 blank`, `2 blanks`."""
    return f"{number or 'no'} blank{'' if number < 2 else 's'}"


class Mended(NamedTuple):
    """`text` in place of the columns from `begin` to `end`; what is wrong begins at `wrong`."""

    begin: int
    end: int
    text: str
    wrong: int
    length: int
    found: str
    expected: str
    hint: str


def mended_line(line: str) -> Iterator[Mended]:
    """Every change that may be meant, the likeliest first."""
    for slip in _SLIPS:
        yield from slip(line)


def plain_signs(text: str) -> str:
    """The text with the signs of an English keyboard."""
    return _SIGNS.sub(lambda sign: SIGNS[sign[0]], text)


def sign_name(char: str) -> str:
    """How a message names it."""
    names = {"\u00a0": "a no-break space", "\u3000": "a full-width blank"}
    names |= dict.fromkeys("\u200b\ufeff\u2060", "an invisible character")
    names |= dict.fromkeys("\u202f\u2007", "a no-break space")
    return names.get(char, f'"{char}"') + f" (U+{ord(char):04X})"


def _signs(line: str) -> Iterator[Mended]:
    first = _SIGNS.search(line)
    if first is None:
        return
    found, plain = sign_name(first[0]), SIGNS[first[0]]
    hint = f"type {plain} in its place" if plain.strip() else "type it anew"
    expected = "signs of an English keyboard"
    # Inside words an apostrophe is one.
    text = plain_signs(line)
    yield Mended(0, len(line), text, first.start(), 1, found, expected, hint)


_JOINED = re.compile(r"(\{[^{}]*\})((?:\s*(?:and|or|AND|OR|And|Or|&&|\|\||&|,)\s*\{[^{}]*\})+)\s*$")
_JOINT = re.compile(r"\}\s*(and|or|AND|OR|And|Or|&&|\|\||&|,)\s*\{")


def _joined(line: str) -> Iterator[Mended]:
    found = _JOINED.search(line)
    if not found:
        return
    joints = [joint[1] for joint in _JOINT.finditer(line, found.start())]
    form = "any" if {j.lower() for j in joints} & {"or", "||"} else "all"
    parts = re.findall(r"\{[^{}]*\}", found[0])
    first = _JOINT.search(line, found.start())
    if first is None or line[: found.start()].rstrip().endswith(("[", ",")):
        return
    text = f"{{{form}: [{', '.join(parts)}]}}"
    what = f'"{first[1]}" between two conditions'
    yield Mended(
        found.start(), found.start() + len(found[0].rstrip()), text, first.start(1), len(first[1]),
        what, f"{form}: before a list of both", f"write {text}",
    )  # fmt: skip


def _semicolons(line: str) -> Iterator[Mended]:
    if "{" in line and ";" in line:
        at = line.index(";")
        text = re.sub(r"\s*;\s*", ", ", line[at:])
        found, hint = '";" between two fields', 'put "," in place of ";"'
        yield Mended(at, len(line), text, at, 1, found, "a comma", hint)


def _apostrophe(line: str) -> Iterator[Mended]:
    found = re.search(r"'([^'\"]*\w)'(\w[^'\"]*)'", line)
    if found:
        text = f'"{found[1]}\'{found[2]}"'
        where = found.end(1)
        what = "an apostrophe inside single quotes"
        expected = "such text in double quotes"
        yield Mended(found.start(), found.end(), text, where, 1, what, expected, f"write {text}")


def _sql_list(line: str) -> Iterator[Mended]:
    for found in re.finditer(rf"\(\s*({_QUOTED}(?:\s*,\s*{_QUOTED})*)\s*\)", line):
        text = f"[{found[1]}]"
        yield Mended(
            found.start(), found.end(), text, found.start(), found.end() - found.start(),
            "a list in ( )", "lists in [ ]", f"write {text}",
        )  # fmt: skip


def _sql_or(line: str) -> Iterator[Mended]:
    for found in re.finditer(rf"\bis:\s*({_QUOTED}(?:\s+(?:OR|or|\|\|)\s+{_QUOTED})+)", line):
        values = re.split(r"\s+(?:OR|or|\|\|)\s+", found[1])
        text = f"in: [{', '.join(values)}]"
        yield Mended(
            found.start(), found.end(), text, found.start(1), found.end(1) - found.start(1),
            "two values with OR", "a list of values", f"write {text}",
        )  # fmt: skip


def _script_and(line: str) -> Iterator[Mended]:
    found = re.search(r"\s*(&&|\|\||\bAND\b|\bOR\b)\s*", line)
    if found:
        form = "any" if found[1] in ("||", "OR") else "all"
        begin = line.find("{")
        inner = line[begin + 1 : found.start()], line[found.end() :].rstrip()
        if 0 <= begin < found.start() and inner[1].endswith("}") and "{" not in "".join(inner):
            text = f"{{{form}: [{{{inner[0].strip()}}}, {{{inner[1][:-1].strip()}}}]}}"
            where, expected = found.start(1), f"{form}: before a list of both"
            what = f'"{found[1]}" between two conditions'
            end = len(line.rstrip())
            yield Mended(begin, end, text, where, len(found[1]), what, expected, f"write {text}")


def _slashes(line: str) -> Iterator[Mended]:
    found = re.match(r"\s*(//+|--+(?=\s)|/\*+)", line)
    if found:
        what = f'a remark that begins with "{found[1]}"'
        yield Mended(
            found.start(1), found.end(1), "#", found.start(1), len(found[1]), what,
            'remarks that begin with "#"', 'write "#" in its place',
        )  # fmt: skip


_SLIPS: tuple[Callable[[str], Iterator[Mended]], ...] = (
    _slashes,
    _joined,
    _semicolons,
    _sql_or,
    _sql_list,
    _script_and,
    _apostrophe,
    _signs,
)
