"""What makes YAML unreadable, and the changes that may mend it, the likeliest first."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from stream.conditions.excerpt import lines_of
from stream.conditions.fixes import COMPARED, blanks, comparison, mended_line
from stream.conditions.forms import BOUNDS, FORMS
from stream.conditions.problems import Edit


class Place(NamedTuple):
    """Where YAML gave up, and in what."""

    text: str
    #: Index of the place, and of what began before it and did not end (-1: nothing).
    at: int
    begun: int
    said: str
    #: Index and text of the lines of both.
    line: tuple[int, str]
    first: tuple[int, str]
    #: Index and text of the line before with anything on it.
    before: tuple[int, str]


class Fix(NamedTuple):
    """What may be wrong: where, from `begin` to `end`, and the change that would mend it."""

    begin: int
    end: int
    found: str
    expected: str
    hint: str
    edit: Edit | None = None


def _dash(at: Place) -> Iterator[Fix]:
    for begin, line in dict.fromkeys((at.line, at.before)):
        if found := re.match(r"\s*(-)(?=[{\[A-Za-z])", line):
            where, end = begin + found.start(1), begin + found.end()
            what, expected = "a dash without a blank after it", '"- " before each part of a list'
            yield Fix(where, end, what, expected, 'put a blank after "-"', Edit(end, end, " "))


def _tabs(at: Place) -> Iterator[Fix]:
    begin, line = at.line
    tabs = re.match(r"[ ]*\t[ \t]*", line)
    if tabs is None:
        return
    before = _indent(at.before[1])
    deeper = before + 2 * at.before[1].rstrip().endswith(":")
    first = begin + line.index("\t")
    for width in dict.fromkeys((deeper, before, before + 2, max(before - 2, 0), 2, 4)):
        edit = Edit(begin, begin + tabs.end(), " " * width)
        hint = f"put {blanks(width)} in place of it"
        yield Fix(first, begin + tabs.end(), "a tab", "blanks only before a line", hint, edit)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _star(at: Place) -> Iterator[Fix]:
    for index in (at.begun, at.at):
        if 0 <= index < len(at.text) and at.text[index] == "*":
            word = re.compile(r"\*[^\s,\]}]*").match(at.text, index)
            end = word.end() if word else index + 1
            edit = Edit(index, end, f'"{at.text[index:end]}"')
            found, expected = 'a "*" without quotes', f"any event as {edit.text}"
            yield Fix(index, end, found, expected, f"write {edit.text}", edit)


_RESERVED = "@`%&!>|"
_PLAIN_END = re.compile(r"[,}\]\n\r]|$")


def _reserved(at: Place) -> Iterator[Fix]:
    """Text that begins with a character that means something in YAML."""
    for index in (at.begun, at.at, at.at - 1):
        if not 0 <= index < len(at.text) or at.text[index] not in _RESERVED:
            continue
        ending = _PLAIN_END.search(at.text, index)
        end = ending.start() if ending else len(at.text)
        spelled = at.text[index:end].rstrip()
        found, expected = f'text that begins with "{spelled[0]}"', "text in quotes, or a condition"
        if negated := re.compile(r"!\s*(\{[^{}\n]*\})").match(at.text, index):
            edit = Edit(index, negated.end(), f"{{not: {negated[1]}}}")
            yield Fix(index, negated.end(), '"!"', "not:", f"write {edit.text}", edit)
        if compared := COMPARED.fullmatch(spelled):
            yield from _compared_field(at.text, index, compared)
            edit = Edit(index, index + len(spelled), comparison(compared[1], compared[2]))
            yield Fix(
                index, edit.end, f'the comparison "{spelled}"', "a test", f"write {edit.text}", edit
            )
        if '"' not in spelled and "\\" not in spelled:
            edit = Edit(index, index + len(spelled), f'"{spelled}"')
            yield Fix(index, edit.end, found, expected, f"write {edit.text}", edit)


_TEST = re.compile(r"\b(is|exactly|equals|value|at_least|at_most|more_than|less_than):[ \t]*$")


def _compared_field(text: str, index: int, compared: re.Match[str]) -> Iterator[Fix]:
    """`more_than: 30` for `is: > 30`."""
    line = text.rfind("\n", 0, index) + 1
    if found := _TEST.search(text, line, index):
        end = index + len(compared[0])
        test = comparison(compared[1], compared[2])[1:-1]
        hint, edit = f"write {test}", Edit(found.start(), end, test)
        yield Fix(index, end, f'the comparison "{compared[0]}"', "a test", hint, edit)


def _mended(at: Place) -> Iterator[Fix]:
    """Slips that the line itself shows: `} and {`, `;`, an apostrophe, brackets of SQL."""
    lines = dict.fromkeys((at.line, at.first, at.before))
    for begin, line in lines:
        for mended in mended_line(line):
            edit = Edit(begin + mended.begin, begin + mended.end, mended.text)
            wrong = begin + mended.wrong
            yield Fix(
                wrong, wrong + mended.length, mended.found, mended.expected, mended.hint, edit
            )


_CLOSERS = {"{": "}", "[": "]"}
_OPEN_WHERE = re.compile(
    rf"\bwhere:\s*(\{{)[^{{}}]*?(?=,\s*(?:within|older_than|younger_than|{'|'.join(BOUNDS)}):)"
)


def _where_open(begin: int, line: str) -> Iterator[Fix]:
    """The braces of where: are not closed before what stands beside it."""
    for found in _OPEN_WHERE.finditer(line):
        end, where = begin + found.end(), begin + found.start(1)
        what, expected = '"{" that is not closed', '"}" where the properties end'
        hint = f"put }} behind {found[0]}"
        yield Fix(where, where + 1, what, expected, hint, Edit(end, end, "}"))


def _unclosed(at: Place) -> Iterator[Fix]:
    """A bracket that nobody closes: told where it opens, closed at the end of its line."""
    if not 0 <= at.begun < len(at.text) or "flow" not in at.said:
        return
    begin, line = at.first
    yield from _where_open(begin, line)
    opened = _open_brackets(line)
    if opened:
        end = begin + len(_code(line).rstrip())
        closers = "".join(_CLOSERS[line[i]] for i in reversed(opened))
        where = begin + opened[-1]
        found = f'"{line[opened[-1]]}" that is not closed'
        expected = f'"{_CLOSERS[line[opened[-1]]]}"'
        hint = f"put {closers} at the end of the line"
        comma = 1 if at.text[end - 1 : end] == "," else 0
        edit = Edit(end - comma, end, closers)
        yield Fix(where, where + 1, found, expected, hint, edit)
        if len(opened) == 1 and at.text[at.at : at.at + 1] in ("}", "]"):
            other = at.text[at.at]
            edit = Edit(at.at, at.at, closers)
            yield Fix(
                where,
                where + 1,
                found,
                f'{expected} before "{other}"',
                f"put {closers} there",
                edit,
            )
    if "stream end" in at.said:
        end = len(at.text.rstrip())
        opened_char = at.text[at.begun]
        if opened_char in _CLOSERS:
            edit = Edit(end, end, _CLOSERS[opened_char])
            found = f'"{opened_char}" that is not closed'
            hint = f"put {edit.text} where it ends"
            yield Fix(at.begun, at.begun + 1, found, f'"{edit.text}"', hint, edit)
    elif at.text[at.at : at.at + 1] in ("}", "]") and at.text[at.begun] in _CLOSERS:
        opened_char, closer = at.text[at.begun], at.text[at.at]
        edit = Edit(at.at, at.at, _CLOSERS[opened_char])
        found = f'"{opened_char}" that is not closed before "{closer}"'
        hint = f"put {edit.text} before {closer}"
        yield Fix(at.begun, at.begun + 1, found, f'"{edit.text}"', hint, edit)
        edit = Edit(at.at, at.at + 1, _CLOSERS[opened_char])
        yield Fix(at.at, at.at + 1, f'"{closer}"', f'"{edit.text}"', f"write {edit.text}", edit)


def _open_brackets(line: str) -> list[int]:
    """Columns of the brackets of a line that are not closed on it."""
    opened: list[int] = []
    quote = ""
    for i, char in enumerate(_code(line)):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (i == 0 or line[i - 1] in " ,:[{"):
            quote = char
        elif char in _CLOSERS:
            opened.append(i)
        elif char in "}]" and opened:
            opened.pop()
    return opened


def _code(line: str) -> str:
    """The line without its comment."""
    comment = re.search(r"(^|\s)#", line)
    return line[: comment.start()] if comment else line


def _surplus(at: Place) -> Iterator[Fix]:
    char = at.text[at.at : at.at + 1]
    if char in ("}", "]") and "flow" not in at.said:
        found = f'"{char}" that nothing opens'
        yield Fix(
            at.at,
            at.at + 1,
            found,
            "one for each that opens",
            "delete it",
            Edit(at.at, at.at + 1, ""),
        )
    if char == "," and "flow" in at.said:
        found, edit = 'a "," too many', Edit(at.at, at.at + 1, "")
        yield Fix(at.at, at.at + 1, found, "one between two fields", "delete it", edit)


_FIELDS = {"when", "name", "kind", "shadow", "description", "stay_at_least"}.union(*FORMS.values())
_LAST_WORD = re.compile(r"[\s]+([A-Za-z_]+)\s*$")


def _comma(at: Place) -> Iterator[Fix]:
    """Two fields in braces without a comma between them."""
    if "flow" not in at.said or at.text[at.at : at.at + 1] not in (":", "{", "[", '"', "'"):
        return
    begin, line = at.line
    if at.text[at.at] == ":":
        word = _LAST_WORD.search(line, 0, at.at - begin)
        if word is None or word[1] not in _FIELDS:
            return
        where, name = begin + word.start(), word[1]
    else:
        where, name = begin + len(line[: at.at - begin].rstrip()), at.text[at.at]
    edit = Edit(where, where, ",")
    found = f'no comma before "{name}"'
    yield Fix(where, at.at, found, "a comma between two fields", f'put "," before {name}', edit)


_IN_BRACES = re.compile(r"[:,]\s+([^\s,:{}\[\]][^,{}\[\]]*: [^,{}\[\]]*?)\s*[,}]")


def _colon_in_braces(at: Place) -> Iterator[Fix]:
    """Text with a colon as a value in braces."""
    begin, line = at.line
    for found in _IN_BRACES.finditer(line):
        if not found.start() <= at.at - begin < found.end():
            continue
        where, value = found.start(1), found[1]
        if found[0].startswith(","):
            # After a comma there is the field's name first.
            key, colon, value = value.partition(": ")
            where += len(key) + len(colon)
        if ": " in value and value[0] not in "\"'" and '"' not in value:
            edit = Edit(begin + where, begin + where + len(value), f'"{value}"')
            what, expected = 'text with ": " in it', "such text in quotes"
            yield Fix(at.at, at.at + 1, what, expected, f"write {edit.text}", edit)


_FIELD = re.compile(r"^(\s*(?:- )*[\w ]{1,40}?:\s+)(\S.*?)\s*$")


def _colon_in_text(at: Place) -> Iterator[Fix]:
    begin, line = at.line
    if found := _FIELD.match(_code(line)):
        value = found[2]
        if value[0] in "\"'" and value.count(value[0]) > 1:
            value = value.replace(value[0], "")
        if value[0] not in "{[" and "\\" not in value:
            spelled = '"' + value.replace('"', "'") + '"'
            edit = Edit(begin + found.start(2), begin + found.end(2), spelled)
            what = 'text with ": " in it' if ": " in value else "text that goes on after its quote"
            yield Fix(at.at, at.at + 1, what, "such text in quotes", f"write {spelled}", edit)


def _no_colon(at: Place) -> Iterator[Fix]:
    """The line before is a word alone: an id or a field whose colon is missing."""
    for begin, line in (at.before, at.line):
        code = _code(line).rstrip()
        word = re.fullmatch(r"\s*(?:- )?([A-Za-z][\w -]{0,63})", code)
        glued = re.fullmatch(r"\s*(?:- )?([a-z_]+):(\S.*)", code)
        assigned = re.fullmatch(r"\s*(\w+)(\s*=\s*)(\S.*)", code)
        end = begin + len(code)
        if assigned:
            edit = Edit(begin + assigned.start(2), begin + assigned.end(2), ": ")
            hint = f"write {assigned[1]}: {assigned[3]}"
            where = begin + assigned.start(2)
            what = f'"=" after "{assigned[1]}"'
            yield Fix(where, edit.end, what, "a colon and a blank", hint, edit)
        elif word:
            where, edit = begin + word.start(1), Edit(end, end, ":")
            found = f'"{word[1]}" without a colon'
            yield Fix(where, end, found, "a colon after it", f'write "{word[1]}:"', edit)
        elif glued:
            where = begin + glued.end(1)
            found = f'"{glued[1]}:" without a blank after the colon'
            hint = f"write {glued[1]}: {glued[2]}"
            yield Fix(where, where + 1, found, "a blank", hint, Edit(where + 1, where + 1, " "))


def _indented(at: Place) -> Iterator[Fix]:
    """A line that stands neither below nor beside one of the lines before it."""
    if (
        "block" not in at.said
        and "document start" not in at.said
        and "mapping values" not in at.said
    ):
        return
    begin, line = at.line
    indent = _indent(line)
    lines = lines_of(at.text[:begin])
    tried: set[int] = {indent}
    for number in range(len(lines), max(len(lines) - 20, 0), -1):
        other = lines[number - 1][1]
        if not _code(other).strip():
            continue
        for width in (_indent(other), _indent(other) + 2):
            if width in tried:
                continue
            tried.add(width)
            edit = Edit(begin, begin + indent, " " * width)
            found = f"a line that begins with {blanks(indent)}, as none that it could belong to"
            hint = f"begin it with {blanks(width)}"
            where = begin + indent
            yield Fix(
                where,
                begin + len(line.rstrip()),
                found,
                "lines that belong together to begin alike",
                hint,
                edit,
            )


def _trailing(at: Place) -> Iterator[Fix]:
    """Words after the end of a value."""
    begin, line = at.line
    column = at.at - begin
    if "block end" not in at.said or column <= 0 or column > len(line):
        return
    before = line[:column].rstrip()
    if before.endswith(("}", "]", '"', "'")) and line[column:].strip() in (";", ",", "."):
        sign = line[column]
        edit = Edit(at.at, at.at + 1, "")
        yield Fix(at.at, at.at + 1, f'"{sign}" at the end', "nothing there", "delete it", edit)
    elif before.endswith(("}", "]", '"', "'")):
        edit = Edit(at.at, at.at, "# ")
        rest = line[column:].rstrip()
        found = f'"{rest[:60]}" after the end of the value'
        hint = 'put "#" before it if it is a remark'
        yield Fix(at.at, at.at + len(rest), found, "nothing more on the line", hint, edit)


def _unquoted_end(at: Place) -> Iterator[Fix]:
    if "quoted scalar" not in at.said or not 0 <= at.begun < len(at.text):
        return
    quote = at.text[at.begun]
    begin, line = at.first
    column = at.begun - begin
    ends = [m.start() for m in re.finditer(r"\s*[,}\]]", line) if m.start() > column]
    for end in (*ends, len(line.rstrip())):
        edit = Edit(begin + end, begin + end, quote)
        found = f"a quote ({quote}) that is not closed"
        spelled = line[column:end] + quote
        yield Fix(
            at.begun,
            begin + end,
            found,
            "the same quote at the end of the text",
            f"write {spelled}",
            edit,
        )


def _block_text(at: Place) -> Iterator[Fix]:
    if "another document" in at.said:
        end = at.at + 3
        found, edit = 'a second document ("---")', Edit(at.at, end, "")
        yield Fix(at.at, end, found, "one in each file", "delete that line", edit)


DETECTORS: tuple[Callable[[Place], Iterator[Fix]], ...] = (
    _tabs,
    _dash,
    _star,
    _mended,
    _reserved,
    _unclosed,
    _unquoted_end,
    _surplus,
    _comma,
    _colon_in_braces,
    _trailing,
    _no_colon,
    _colon_in_text,
    _indented,
    _block_text,
)
