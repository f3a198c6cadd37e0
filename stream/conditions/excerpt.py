"""The text of a file: its lines as YAML counts them, and what a message shows of one."""

import re
from unicodedata import category, east_asian_width

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LEAST_SHOWN = 20
_CUT = "…"
#: What would look like a blank.
_SEEN = {
    "\t": "\u21e5",
    **dict.fromkeys("\u00a0\u2007\u202f", "\u2423"),
    "\u200b": "\u2423",
    "\ufeff": "\u2423",
}


def lines_of(text: str) -> list[tuple[int, str]]:
    """Index and text of each line."""
    found, begin = [], 0
    for at in _BREAK.finditer(text):
        found.append((begin, text[begin : at.start()]))
        begin = at.end()
    return [*found, (begin, text[begin:])]


def place(text: str, index: int) -> tuple[int, int]:
    """Line and column, from 1, of what stands at `index`."""
    breaks = [at.end() for at in _BREAK.finditer(text, 0, index) if at.end() <= index]
    return len(breaks) + 1, index - (breaks[-1] if breaks else 0) + 1


def clipped(text: str, most: int) -> str:
    """On one line, and no longer than `most`."""
    plain = "".join(_plain(char) for char in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 1] + _CUT


def _plain(char: str) -> str:
    """No character that would move the terminal's cursor elsewhere."""
    if char in _SEEN:
        return _SEEN[char]
    return "\N{REPLACEMENT CHARACTER}" if category(char) in ("Cc", "Cs", "Zl", "Zp") else char


def _cells(text: str) -> int:
    """Columns that a terminal takes for it."""
    wide = sum(1 + (east_asian_width(char) in "WF") for char in text)
    return wide - sum(category(char) in ("Mn", "Me", "Cf") for char in text)


def excerpt(text: str, line: int, column: int, length: int, width: int) -> list[str]:
    """The line with marks under `length` characters from `column` on; no lines without a text."""
    lines = lines_of(text)
    if not text or not 0 < line <= len(lines):
        return []
    whole = lines[line - 1][1]
    gutter = f"  {line} | "
    room = max(width - len(gutter), _LEAST_SHOWN)
    begin = min(column - 1, len(whole))
    end = max(begin + 1, min(begin + length, len(whole)))
    first = 0
    if len(whole) > room:
        first = max(0, min(begin - room // 3, len(whole) - room))
    shown = "".join(_plain(char) for char in whole[first : first + room])
    marked = shown[begin - first : end - first]
    if first:
        shown = _CUT + shown[1:]
    if first + room < len(whole):
        shown = shown[:-1] + _CUT
    before = " " * (len(gutter) + _cells(shown[: begin - first]))
    return [gutter + shown, before + "^" * max(1, _cells(marked))]
