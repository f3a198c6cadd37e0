"""Notes on a file that can be used: names that are only near to the usual ones, titles twice."""

from collections.abc import Iterable

from stream.conditions.details import Mention
from stream.conditions.problems import Edit, Mark, Problems
from stream.conditions.segments import Segment
from stream.conditions.vocabulary import event_note, property_note, trait_note


def note_names(mentions: Iterable[Mention], problems: Problems) -> None:
    """Note events, properties and traits that are nearly called as usual."""
    seen: set[tuple[str, str, str]] = set()
    for mention in mentions:
        # One note for a name: whoever mends it looks for the others.
        if (key := (mention.what, mention.event, mention.name)) in seen:
            continue
        seen.add(key)
        found, usual = _note(mention)
        if found:
            hint = f"did you mean {usual}?" if usual else ""
            edit = Edit(mention.mark.index, mention.end, usual) if usual else None
            problems.note(mention.mark, mention.path, found, hint, edit, mention.end)


def _note(mention: Mention) -> tuple[str, str]:
    if mention.what == "event":
        return event_note(mention.name)
    if mention.what == "property":
        return property_note(mention.event, mention.name)
    return trait_note(mention.name)


def note_titles(segments: Iterable[Segment], problems: Problems) -> None:
    """Note segments that people cannot tell apart."""
    first: dict[str, str] = {}
    for segment in segments:
        other = first.setdefault(segment.name.casefold(), segment.id)
        if other != segment.id:
            found = f'has the same name as {other}, "{segment.name}"'
            mark = _id_mark(problems.whole, segment.id)
            problems.note(mark, f"segments.{segment.id}", found, "give it a name of its own")


def _id_mark(whole: str, segment: str) -> Mark:
    """Where a segment begins; files that are valid name it at the beginning of a line."""
    for number, line in enumerate(whole.split("\n"), 1):
        if line.lstrip().startswith((f"{segment}:", f'"{segment}"')):
            return Mark(number, len(line) - len(line.lstrip()) + 1, 0)
    return Mark(1, 1)
