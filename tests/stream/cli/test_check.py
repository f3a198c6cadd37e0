"""`agos check`: what it says of a file, in terminals and elsewhere."""

from pathlib import Path

import pytest
from rich.console import Console

from stream.cli import check

TEXT = """
version: 1
segments:
  buyers: {name: Buyers, kind: lifecycle, when: {did: Order Completed, within: 30d}}
  secret: {when: {trait: age, less_than: 30}, shadow: true}
"""
NOTED = """
version: 1
segments:
  long_identifier_of_it:
    name: A name of a segment that somebody gave it for whatever reason there was
    when: {all: [{did: added to cart, within: 6m}, {measure: spend, within: 9d, at_least: 1.000}]}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A name of a file that is longer than a narrow terminal."""
    path = tmp_path / ("a-rather-long-name-of-a-file-" * 2 + "segments.yaml")
    path.write_text(TEXT)
    return str(path)


@pytest.fixture(params=[60, 80, 120])
def terminal(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    for name, stderr in (("out", False), ("err", True)):
        console = Console(
            width=request.param, force_terminal=True, no_color=True, highlight=False, stderr=stderr
        )
        monkeypatch.setattr(check, name, console)
    return int(request.param)


def plain(said: str) -> str:
    """Without the codes for bold."""
    return said.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_segments_are_listed_under_headings(agos, file):
    result = agos("check", file)
    assert result.code == 0
    lines = [line.split() for line in result.said.splitlines()]
    assert result.said.splitlines()[0] == f"{file} can be loaded: 2 segments"
    assert lines[1] == ["segment", "name", "kind", "published"]
    assert lines[2] == ["buyers", "Buyers", "lifecycle", "yes"]
    assert lines[3] == ["secret", "Secret", "no", "(shadow)"]
    assert lines[4:] == ["Events that it asks about: Order Completed.".split()]


def test_elsewhere_than_in_a_terminal_nothing_is_wrapped(agos, file):
    Path(file).write_text(NOTED)
    result = agos("check", file)
    lines = result.said.splitlines()
    assert lines[0] == f"{file} can be loaded: 1 segment; 3 notes"
    assert " ".join(lines[2].split()) == (
        "long_identifier_of_it "
        "A name of a segment that somebody gave it for whatever reason there was yes"
    )
    assert [line.split(": ")[0] for line in lines if line.startswith("note ")] == [
        f"note {file}:6:24",
        f"note {file}:6:47",
        f"note {file}:6:91",
    ]


def test_in_a_terminal_the_file_is_named_unbroken_and_lines_fit(agos, file, terminal):
    Path(file).write_text(NOTED)
    lines = plain(agos("check", file).said).splitlines()
    assert lines[0] == f"{file} can be loaded: 1 segment; 3 notes"
    assert lines[1].split() == ["segment", "name", "kind", "published"]
    places = [line for line in lines if f"{file}:6:" in line]
    assert len(places) == 3
    assert all(len(line) <= terminal for line in lines if file not in line)
    words = " ".join(" ".join(lines).split())
    assert "6m is 6 minutes" in words
    assert "→ for 6 months write 180d" in words


def test_in_a_terminal_a_problem_is_shown_with_its_line(agos, file, terminal):
    Path(file).write_text(TEXT.replace("within: 30d", "wihtin: 30d"))
    result = agos("check", file)
    assert result.code == 1
    assert result.said == ""
    lines = plain(result.told).splitlines()
    assert lines[0].startswith(f"{file}:4:")
    assert lines[-1] == f"{file} cannot be loaded: 1 problem"
    (line,) = (line for line in lines if line.startswith("  4 | "))
    marks = lines[lines.index(line) + 1]
    assert line[marks.index("^") : marks.rindex("^") + 1] == "wihtin"
    assert '  → did you mean "within"?' in lines


def test_events_that_nobody_named_are_explained(agos, file):
    Path(file).write_text(
        "version: 1\nsegments:\n  a: {when: {measure: spend, within: 9d, at_least: 3}}\n"
        "  b: {when: {did: Order Completed}}\n"
    )
    said = agos("check", file).said
    assert (
        "Events that it asks about: Order Completed, "
        "Order Refunded (by measure: spend, which is orders less refunds)." in said
    )


def test_names_of_events_are_listed_and_near_misses_are_told(agos, file):
    Path(file).write_text(
        "version: 1\nsegments:\n  a: {when: {any: [{did: product viewed}, {did: Rated}]}}\n"
    )
    result = agos("check", file)
    assert result.code == 0
    said = " ".join(result.said.split())
    assert "asks about: Rated, product viewed." in said
    assert '"product viewed" is not "Product Viewed"' in said
    assert "→ did you mean Product Viewed?" in said
    assert "can be loaded: 1 segment; 1 note" in said


def test_every_mistake_of_a_file_is_told(agos, file):
    broken = TEXT.replace("within: 30d", "wihtin: 30d").replace("less_than: 30", "less_than: old")
    Path(file).write_text(broken)
    result = agos("check", file)
    assert result.code == 1
    assert "wihtin" in result.told
    assert "old" in result.told
    assert f"{file} cannot be loaded: 2 problems" in result.told


def test_a_file_that_there_is_not_is_told_with_one_that_there_is(agos, file):
    result = agos("check", file.replace("segments", "segmnts"))
    assert result.code == 1
    assert "cannot be read: no such file or directory" in result.told
    assert f'did you mean "{Path(file).name}"?' in result.told


def test_a_folder_is_no_file(agos, tmp_path):
    result = agos("check", str(tmp_path))
    assert result.code == 1
    assert "cannot be read: is a directory" in result.told


@pytest.mark.parametrize("command", ["preview", "why"])
def test_other_commands_tell_what_is_wrong_with_a_file_alike(agos, file, command):
    Path(file).write_text(TEXT.replace("within: 30d", "wihtin: 30d"))
    arguments = [file] if command == "preview" else ["ann", "buyers", "--segments", file]
    result = agos(command, *arguments, "--redis", "redis://127.0.0.1:1/0")
    assert result.code == 1
    assert f"{file}:4:" in result.told
    assert '→ did you mean "within"?' in result.told
    assert "Traceback" not in result.told
