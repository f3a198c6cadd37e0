"""Files with anything done to them are read or refused with places inside them, in bounded time."""

import re
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stream.conditions import DefinitionError, Problem, examine
from tests.stream.conditions.mistakes import MISTAKES

STARTER = (Path(__file__).parents[3] / "segments.yaml").read_text(encoding="utf-8")
PIECES = [block for block in re.split(r"\n(?=  \w+:\n)", STARTER) if "when" in block]
FILES = ["version: 1\nsegments:\n" + piece.partition("segments:\n")[2] for piece in PIECES[:1]] + [
    f"version: 1\nsegments:\n{piece}\n" for piece in PIECES[1:]
]
FILES += [mistake.text.replace("▸", "") for mistake in MISTAKES.values()]
SIGNS = [
    *list("{}[]:,-*&!|>'\"%@`#\t ;()=<0.5$~?\\\u201c\xa0\uff1a\u2028\x85\r\n"),
    "- ",
    ": ",
    "<<",
]
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
#: One segment refused in a dozen ways; nobody reads more.
MOST_CHARACTERS = 30_000


def mangled(text: str, random: Random) -> str:
    """The text with one thing done to it that hands do to texts."""
    tokens = _TOKEN.findall(text)
    at, other = random.randrange(len(tokens) or 1), random.randrange(len(tokens) or 1)
    if not tokens:
        return random.choice(SIGNS)
    match random.randrange(7):
        case 0:
            del tokens[at]
        case 1:
            tokens.insert(at, tokens[at])
        case 2:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        case 3:
            tokens.insert(at, random.choice(SIGNS))
        case 4:
            tokens[at] = random.choice(SIGNS)
        case 5:
            return indented(text, random)
        case _:
            tokens[at] = tokens[at][: len(tokens[at]) // 2]
    return "".join(tokens)


def indented(text: str, random: Random) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    lines[at] = random.choice(["", " ", "  ", "\t", "      "]) + lines[at].lstrip()
    return "\n".join(lines)


def check(text: str) -> tuple[Problem, ...]:
    """Problems or notes of the text, with places inside it and messages of bounded length."""
    try:
        found: tuple[Problem, ...] = examine(text, "f").notes
        refused = False
    except DefinitionError as error:
        found, refused = error.problems, True
        assert found
        assert len(str(error)) < MOST_CHARACTERS
        assert len(error.report(60)) < MOST_CHARACTERS
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    for problem in found:
        assert 1 <= problem.mark.line <= len(lines), problem
        assert 1 <= problem.mark.column <= len(lines[problem.mark.line - 1]) + 1, problem
        assert problem.found
        assert len(problem.text("f")) < 1_200
    for problem in found[:2]:
        if refused and problem.edit is not None:
            check_edit(text, problem)
    return found


def check_edit(text: str, problem: Problem) -> None:
    """What is proposed, once written, is no problem of the same kind at the same place."""
    assert problem.edit is not None
    mended = problem.edit.applied(text)
    assert mended != text, problem
    try:
        examine(mended, "f")
    except DefinitionError as error:
        assert problem not in error.problems, (problem, text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FILES), st.integers(0, 2**32), st.integers(1, 4))
def test_a_mangled_file_is_read_or_refused_in_words(text: str, seed: int, times: int) -> None:
    random = Random(seed)
    for _ in range(times):
        text = mangled(text, random)
    check(text)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("{}[]:,-*&!|>'\"%@#\t \nabdin1.\u201c"), max_size=60))
def test_any_signs_are_read_or_refused_in_words(text: str) -> None:
    check(text)
    check("version: 1\nsegments:\n  a:\n    when: " + text)


@pytest.mark.slow
@pytest.mark.parametrize("thousand", range(8))
def test_the_same_at_length(thousand: int) -> None:
    refused = 0
    for seed in range(1_000 * thousand, 1_000 * thousand + 1_000):
        random = Random(seed)
        text = random.choice(FILES)
        for _ in range(random.randint(1, 5)):
            text = mangled(text, random)
        try:
            refused += bool(check(text))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {text!r}") from error
    assert refused > 300


def laughing(levels: int) -> str:
    text = "version: 1\nsegments:\n  a0: &a0 {when: {did: A}}\n"
    for n in range(1, levels):
        text += f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n"
    return text


HOSTILE = {
    "billion laughs": laughing(30),
    "merges of merges": laughing(5) + "  b: {<<: *a1, <<: *a2}\n",
    "itself": "version: 1\nsegments: &s\n  a: *s\n",
    "merged into itself": "version: 1\nsegments:\n  a: &a {<<: *a}\n",
    "deep": "version: 1\nsegments: {a: {when: " + "{not: " * 20_000 + "}" * 20_000,
    "deep lists": "[" * 50_000,
    "deep by lines": "\n".join(" " * n + "a:" for n in range(600)),
    "many mistakes": "version: 1\nsegments:\n"
    + "".join(f"  s{n}: {{when: {{dit: A{n}}}}}\n" for n in range(900)),
    "many signs": "version: 1\nsegments:\n" + "  s: {when: {did: *}}\n" * 2_000,
    "one long line": "version: 1\nsegments: {a: {when: {did: " + "x" * 500_000 + "}}}",
    "long key": "version: 1\nsegments: {a: {" + "x" * 1_000 + ": 1}}",
    "nothing but signs": "{[&*!|>%@`" * 500,
    "many notes": "version: 1\nsegments:\n"
    + "".join(f"  s{n}: {{when: {{did: 'product viewed {n}'}}}}\n" for n in range(900)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_files_are_refused_in_bounded_time_and_words(text: str) -> None:
    started_s = time.process_time()
    check(text)
    # Of this process alone, and many times what it takes.
    assert time.process_time() - started_s < 30
