"""Slips of syntax: what is no YAML, or is YAML and certainly not meant, and how to mend it.

A change is proposed only if with it the file can be read on beyond the place of the slip.
"""

import re
from collections.abc import Iterator

import yaml

from stream.conditions.excerpt import lines_of, place
from stream.conditions.problems import Edit, Mark, Problem
from stream.conditions.slips import DETECTORS, Fix, Place

#: Longer files are not tried out: the change is named and not proven.
_MAX_TRIED = 100_000
_MAX_TRIALS = 24

_GLUED_DASH = re.compile(r"-(?=[{\[\"'A-Za-z])")


def slip(root: yaml.Node | None, text: str) -> Problem | None:
    """The first key that only a missing blank makes a key."""
    for key in _keys(root):
        begin = key.start_mark.index
        if key.style is None and _GLUED_DASH.match(key.value):
            found, expected = "a dash without a blank after it", '"- " before each part of a list'
            fix = Fix(begin, begin + 1, found, expected, 'put a blank after "-"')
            return _problem(fix._replace(edit=Edit(begin + 1, begin + 1, " ")), text)
    return None


def _keys(node: yaml.Node | None) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key
            yield from _keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _keys(item)


def explained(error: yaml.MarkedYAMLError, text: str) -> Problem:
    """Why `text` cannot be read, and the change that mends it if one is found."""
    at = _place(error, text)
    trials = 0
    spoken: Fix | None = None
    for detector in DETECTORS:
        for fix in detector(at):
            spoken = spoken or fix
            if fix.edit is None or trials >= _MAX_TRIALS:
                return _problem(spoken, text)
            trials += 1
            if len(text) > _MAX_TRIED:
                return _problem(fix._replace(edit=None), text)
            if _reads_on(text, fix.edit, at.at):
                return _problem(fix, text)
    if spoken is not None:
        return _problem(spoken._replace(edit=None, hint=""), text)
    return _problem(_unknown(at), text)


def _place(error: yaml.MarkedYAMLError, text: str) -> Place:
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(text)) if mark else 0
    begun = error.context_mark.index if error.context_mark else -1
    lines = lines_of(text)
    number = place(text, at)[0] - 1
    while number and not lines[number][1].strip():
        number -= 1
    before = number - 1
    while before >= 0 and not lines[before][1].partition("#")[0].strip():
        before -= 1
    first = lines[place(text, begun)[0] - 1] if begun >= 0 else lines[number]
    earlier = lines[before] if before >= 0 else (0, "")
    said = f"{error.context or ''}|{error.problem or error}"
    return Place(text, at, begun, said, lines[number], first, earlier)


def _problem(fix: Fix, text: str) -> Problem:
    mark = Mark(*place(text, fix.begin), fix.begin)
    return Problem(mark, "", fix.found, fix.expected, fix.hint, fix.edit, fix.end)


def _reads_on(text: str, edit: Edit, at: int) -> bool:
    """Whether the changed text can be read further than the line of the old error."""
    changed = edit.applied(text)
    moved = len(changed) - len(text)
    try:
        for _ in yaml.parse(changed, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark is None:
            return False
        old = place(text, at)[0]
        begun = error.context_mark.line + 1 if error.context_mark else mark.line + 1
        return mark.line + 1 > old and begun > old and mark.index > at + moved
    except yaml.YAMLError:
        return False
    return True


def _unknown(at: Place) -> Fix:
    said = at.said.partition("|")[2]
    char = at.text[at.at : at.at + 1]
    found = f'"{char}" that cannot stand here' if char.strip() else "something unfinished"
    if "levels of nesting" in said:
        found = said
        return Fix(
            at.at, at.at + 1, found, "less", "name parts as segments and ask for them by in:"
        )
    hint = "look at indentation, colons, brackets and quotes here and just before"
    return Fix(at.at, at.at + 1, found, f"YAML (its reader says: {said})", hint)
