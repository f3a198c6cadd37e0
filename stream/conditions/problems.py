"""What is wrong with a definitions file, said so that its author can act on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from stream.errors import AgosError


@dataclass(frozen=True, slots=True)
class Mark:
    """Place in the file; line and column count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where, what was found, what was expected and perhaps a way out."""

    mark: Mark
    path: str
    found: str
    expected: str
    suggestion: str = ""

    def text(self, source: str) -> str:
        """One line, beginning with `source:line:column` as editors know it."""
        where = f"{source}:{self.mark.line}:{self.mark.column}"
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.suggestion})" if self.suggestion else ""
        return f"{where}: {path}{self.found}; expected {self.expected}{hint}"


class DefinitionError(AgosError):
    """A definitions file cannot be used; `problems` lists everything wrong with it."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda p: (p.mark.line, p.mark.column)))
        super().__init__("\n".join(problem.text(source) for problem in self.problems))


class Problems:
    """Collects problems while a file is read, so that all are reported at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, mark: Mark, path: str, found: str, expected: str, suggestion: str = "") -> None:
        """Note a problem and go on."""
        problem = Problem(mark, path, found, expected, suggestion)
        if problem not in self.found:
            self.found.append(problem)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "…"?`, or nothing when no known word is close."""
    folded = {name.lower().replace(" ", "_"): name for name in known}
    close = get_close_matches(word.lower().replace(" ", "_"), folded, n=1, cutoff=0.6)
    return f'did you mean "{folded[close[0]]}"?' if close else ""


def listed(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *others, last = list(words)
    return f"{', '.join(others)} or {last}" if others else last
