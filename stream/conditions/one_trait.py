"""Notes on parts of `all` and `any` that ask for values of one trait."""

from stream.conditions import standing, words
from stream.conditions.conditions import Condition
from stream.conditions.document import Listing
from stream.conditions.fields import Fields
from stream.conditions.meant import spelled as spelled_text
from stream.conditions.problems import Edit, Problems
from stream.conditions.values import Among


def note_two_values(
    parts: tuple[Condition, ...], node: Listing, path: str, problems: Problems
) -> None:
    """Note two values wanted of one trait: a trait that is no list has one."""
    seen: dict[str, tuple[int, Among]] = {}
    for i, part in enumerate(parts):
        if not (isinstance(part, standing.Trait) and isinstance(part.test, Among)):
            continue
        if part.test.negated:
            continue
        earlier = seen.setdefault(part.name, (i, part.test))
        if set(map(repr, earlier[1].values)).isdisjoint(map(repr, part.test.values)):
            values = ", ".join(
                words.value(v).strip('"') for v in (*earlier[1].values, *part.test.values)
            )
            found = f"no single {part.name} is both this and what {path}[{earlier[0]}] asks for"
            hint = f"for one of them write {{trait: {part.name}, in: [{values}]}}"
            item = node.items[i]
            problems.note(item.mark, f"{path}[{i}]", found, hint, end=item.end)


def note_always(parts: tuple[Condition, ...], node: Listing, fields: Fields) -> None:
    """Note `any` of one trait that is not this or not that: each value is one of both."""
    tests = [
        part.test
        for part in parts
        if isinstance(part, standing.Trait) and isinstance(part.test, Among) and part.test.negated
    ]
    names = {part.name for part in parts if isinstance(part, standing.Trait)}
    if len(tests) < max(len(parts), 2) or len(names) != 1:
        return
    values = [value for test in tests for value in test.values]
    if len(set(map(repr, values))) < len(values):
        return
    listed_values = ", ".join(
        spelled_text(v) if isinstance(v, str) else words.value(v) for v in values
    )
    (name,) = names
    word = f"{{trait: {name}, not_in: [{listed_values}]}}"
    table, end = fields.table, node.end
    edit = Edit(table.mark.index, table.end, word) if table.flow else None
    found = f"every single {name} is not one of them, so any is always true"
    hint = f"for customers with none of them write {word}"
    fields.problems.note(table.keys["any"], fields.below("any"), found, hint, edit, end)
