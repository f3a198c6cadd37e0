"""What is wrong with a definitions file, said so that its author can act on it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from difflib import get_close_matches
from textwrap import wrap

from stream.conditions.excerpt import clipped, excerpt
from stream.errors import AgosError

#: More problems than this at once help nobody.
MAX_SHOWN = 20
MAX_FOUND = 1_000
_MAX_PATH = 120
_MAX_PART = 240
_MAX_EXPECTED = 400
#: Columns of an excerpt where nobody knows the terminal.
_EXCERPT = 100


@dataclass(frozen=True, slots=True)
class Mark:
    """Place in the file; line and column count from 1, `index` characters are before it."""

    line: int
    column: int
    index: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that mends a problem: `text` in place of what stands from `begin` to `end`."""

    begin: int
    end: int
    text: str

    def applied(self, whole: str) -> str:
        """The file's text after the change."""
        return whole[: self.begin] + self.text + whole[self.end :]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where, what was found, what was expected and perhaps a way out.

    `end` is the index behind what is wrong; `edit` does what the suggestion says.
    """

    mark: Mark
    path: str
    found: str
    expected: str
    suggestion: str = ""
    edit: Edit | None = field(default=None, compare=False)
    end: int = field(default=0, compare=False)

    def text(self, source: str) -> str:
        """One line, beginning with `source:line:column` as editors know it."""
        hint = f" ({clipped(self.suggestion, _MAX_PART)})" if self.suggestion else ""
        return self._what(source) + hint

    def shown(self, source: str, whole: str, width: int | None = None) -> str:
        """The same in lines: with the line of the file, marked, and the way out below it.

        Words are wrapped at `width` columns, names of files are not.
        """
        length = self.end - self.mark.index
        lines = excerpt(whole, self.mark.line, self.mark.column, length, width or _EXCERPT)
        if not lines:
            return "\n".join(_wrapped(self.text(source), width))
        hint = clipped(self.suggestion, _MAX_PART)
        said = _wrapped(f"  → {hint}", width) if hint else []
        return "\n".join([*_wrapped(self._what(source), width), *lines, *said])

    def _what(self, source: str) -> str:
        where = f"{source}:{self.mark.line}:{self.mark.column}"
        path = f"{clipped(self.path, _MAX_PATH)}: " if self.path else ""
        expected = f"; expected {clipped(self.expected, _MAX_EXPECTED)}" if self.expected else ""
        return f"{where}: {path}{clipped(self.found, _MAX_PART)}{expected}"


def _wrapped(text: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    indent, kept = " " * 4, len(text) - len(text.lstrip())
    lines = wrap(
        text.lstrip(), width - kept, subsequent_indent=indent[kept:], break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    return [" " * kept + line for line in lines]


class DefinitionError(AgosError):
    """A definitions file cannot be used; `problems` lists everything wrong with it."""

    def __init__(self, source: str, problems: Iterable[Problem], text: str = "") -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda p: (p.mark.line, p.mark.column)))
        self._text = text
        super().__init__(self.report())

    def report(self, width: int | None = None) -> str:
        """All problems, each with the line that it is on, for a terminal of `width` columns."""
        shown = [p.shown(self.source, self._text, width) for p in self.problems[:MAX_SHOWN]]
        if more := len(self.problems) - len(shown):
            shown.append(f"{self.source}: and {more} more")
        return "\n".join(shown)


class Problems:
    """Collects problems while a file is read, so that all are reported at once; beside them
    notes: what can be used and is perhaps not meant."""

    def __init__(self, text: str = "", today: date | None = None) -> None:
        self.whole, self.today = text, today
        self.found: list[Problem] = []
        #: How many of them are slips of syntax, mended in `whole`; they come first.
        self.slips = 0
        self.notes: list[Problem] = []

    def add(
        self,
        mark: Mark,
        path: str,
        found: str,
        expected: str,
        suggestion: str = "",
        edit: Edit | None = None,
        end: int = 0,
    ) -> None:
        """Note a problem and go on."""
        problem = Problem(mark, path, found, expected, suggestion, edit, end)
        if len(self.found) < MAX_FOUND and problem not in self.found[-MAX_SHOWN:]:
            self.found.append(problem)

    def note(
        self,
        mark: Mark,
        path: str,
        found: str,
        suggestion: str,
        edit: Edit | None = None,
        end: int = 0,
    ) -> None:
        """Note what is right as it is, and perhaps not what was meant."""
        problem = Problem(mark, path, found, "", suggestion, edit, end)
        if len(self.notes) < MAX_FOUND and problem not in self.notes[-MAX_SHOWN:]:
            self.notes.append(problem)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known word that is closest, empty when none is close."""
    folded = {_folded(name): name for name in known}
    close = get_close_matches(_folded(word)[:100], folded, n=1, cutoff=cutoff)
    return folded[close[0]] if close else ""


def _folded(word: str) -> str:
    return word.strip().lower().replace(" ", "_").replace("-", "_")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "…"?`, or nothing when no known word is close."""
    close = nearest(word, known)
    return f'did you mean "{close}"?' if close else ""


def listed(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *others, last = list(words)
    return f"{', '.join(others)} or {last}" if others else last


def distinct(words: Iterable[str]) -> Iterator[str]:
    """Each once, in their order."""
    yield from dict.fromkeys(words)
