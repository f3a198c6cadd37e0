"""Damage of files that were pasted: told once for all lines that have it, before YAML is read."""

import html
import re
from collections.abc import Callable, Iterable
from itertools import islice

from stream.conditions.excerpt import place
from stream.conditions.fixes import OPERATORS
from stream.conditions.problems import Edit, Mark, Problem

_BLANKS = "\u00a0\u202f\u2007\u3000"
_INDENTED = re.compile(rf"^[ ]*[{_BLANKS}][ {_BLANKS}]*", re.MULTILINE)
_BULLET = re.compile(
    r"^([ ]*)([\u2010-\u2015\u2022\u2023\u25aa\u25cf\u00b7]\s*|\*[ ]+)"
    r"(?=[{\[]|[\w\"' ]{1,40}:\s)",
    re.MULTILINE,
)
_LONG_TEXT = re.compile(r":\s*[|>][-+0-9]*\s*$", re.MULTILINE)
_FENCE = re.compile(r"^[ ]*```[^\r\n]*", re.MULTILINE)
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: [^\r\n]*)?(?=\r?$)", re.MULTILINE)
_ENTITY = re.compile(r"&(?:gt|lt|amp|quot|apos|nbsp|#39|#34|#160);")
_TESTED = re.compile(
    r"\b(?:is|exactly|at_least|at_most|more_than|less_than)(:\s*)(>=|<=|>|<)\s*(?=-?[0-9])"
)
_TEMPLATE = re.compile(r"\{\{\s*[\w. ]{1,60}\s*\}\}|\$\{[\w. ]{1,60}\}")
_MAX_LISTED = 6
_MAX_LOOKED_AT = 100


def damage(text: str) -> Problem | None:
    """The first kind of damage that is found, and the change that mends all of it."""
    return next((problem for look in _KINDS if (problem := look(text))), None)


def _problem(
    text: str, found: list[re.Match[str]], what: str, expected: str, hint: str,
    change: Callable[[re.Match[str]], str] | None,
) -> Problem:  # fmt: skip
    first, begin, end = found[0], found[0].start(), found[-1].end()
    edit = None
    if change is not None:
        parts, at = [], begin
        for match in found:
            parts += [text[at : match.start()], change(match)]
            at = match.end()
        edit = Edit(begin, end, "".join(parts))
    what += _lines(text, found)
    return Problem(Mark(*place(text, begin), begin), "", what, expected, hint, edit, first.end())


def _lines(text: str, found: list[re.Match[str]]) -> str:
    """The lines of the first of them: only these, as each costs a look through the file."""
    shown = found[:_MAX_LISTED]
    numbers = list(dict.fromkeys(place(text, match.start())[0] for match in shown))
    more = f" and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
    if len(numbers) < 2:
        return ""
    return f" (lines {', '.join(map(str, numbers))}{more})"


def _conflict(text: str) -> Problem | None:
    found = list(_CONFLICT.finditer(text))
    if not any(match[0].startswith("<") for match in found):
        return None
    what, hint = "marks of a merge that is not finished", "keep one of both sides, delete the marks"
    return _problem(text, found, what, "one version of the lines between them", hint, None)


def _fences(text: str) -> Problem | None:
    found = list(_FENCE.finditer(text))
    what, hint = "``` of Markdown", "delete each such line"
    # The lines stay, empty: so the others keep their numbers.
    return _problem(text, found, what, "YAML alone", hint, lambda _: "") if found else None


def _blanks(text: str) -> Problem | None:
    found = list(_INDENTED.finditer(text))
    what = "a no-break space (U+00A0) before the line" if _BLANKS[0] in text else "an odd blank"
    expected, hint = "blanks only before a line", "type blanks in its place, as many"
    return (
        _problem(text, found, what, expected, hint, lambda match: " " * len(match[0]))
        if found
        else None
    )


def _bullets(text: str) -> Problem | None:
    found = list(_BULLET.finditer(text))
    if not found or _LONG_TEXT.search(text):
        return None
    sign = found[0][2].strip()
    what, hint = f'"{sign}" (U+{ord(sign):04X}) before a part of a list', 'write "- " in its place'
    return _problem(text, found, what, '"- "', hint, lambda match: f"{match[1]}- ")


def _entities(text: str) -> Problem | None:
    first = islice(_ENTITY.finditer(text), _MAX_LOOKED_AT)
    found = [match for match in first if not _quoted(text, match.start())]
    if not found:
        return None
    begin = text.rfind("\n", 0, found[0].start()) + 1
    end = text.find("\n", found[0].end())
    line = text[begin : end if end >= 0 else len(text)]
    plain = html.unescape(line).replace("\u00a0", " ")
    plain = _TESTED.sub(lambda test: f"{OPERATORS[test[2]]}{test[1]}", plain)
    at = found[0].start()
    what = f'"{found[0][0]}", as web pages spell it{_lines(text, found)}'
    edit = Edit(begin, begin + len(line), plain)
    hint = f"write {plain.strip()}"
    mark = Mark(*place(text, at), at)
    return Problem(mark, "", what, "the sign itself", hint, edit, found[0].end())


def _templates(text: str) -> Problem | None:
    found = [
        match
        for match in islice(_TEMPLATE.finditer(text), _MAX_LOOKED_AT)
        if not _quoted(text, match.start()) and not _remark(text, match.start())
    ]
    what = f"{found[0][0]}, a placeholder that nobody filled in" if found else ""
    hint = "write the value itself in its place"
    return _problem(text, found, what, "a value", hint, None) if found else None


def _quoted(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line.count('"') % 2 == 1 or line.count("'") % 2 == 1 or _remark(text, at)


def _remark(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(re.search(r"(^|\s)#", line))


_KINDS: Iterable[Callable[[str], Problem | None]] = (
    _conflict,
    _fences,
    _blanks,
    _bullets,
    _entities,
    _templates,
)
