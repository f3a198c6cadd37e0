"""The starter file and the page that teaches the language are what they say."""

import re
from pathlib import Path

import pytest

from stream.conditions import KINDS, parse
from stream.conditions.forms import FORMS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
CONDITIONS = re.findall(r"^\|[^|]*\| (.*) \|$", PAGE, re.MULTILINE)


def test_starter_file_covers_every_kind() -> None:
    definitions = parse((ROOT / "segments.yaml").read_text(encoding="utf-8"), "segments.yaml")
    assert {segment.kind for segment in definitions.segments.values()} == set(KINDS)
    assert all(segment.description for segment in definitions.segments.values())


@pytest.mark.parametrize(
    "when", [w for cell in CONDITIONS for w in re.findall(r"`(\{.*?\})`", cell) if "…" not in w]
)
def test_conditions_of_the_page_are_read(when: str) -> None:
    parse(f"version: 1\nsegments:\n  loyal: {{when: {{did: A}}}}\n  a: {{when: {when}}}", "page")


def test_the_page_shows_every_form_of_condition() -> None:
    assert len(CONDITIONS) > 15
    for form in FORMS:
        assert re.search(rf"\{{{form}:", PAGE), form


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_files_of_the_page_are_read(block: str) -> None:
    parse(block if block.startswith("version") else f"version: 1\nsegments:\n{block}", "page")
