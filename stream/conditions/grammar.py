"""The definitions file: its outermost form, and the reading of it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from stream.conditions import hints
from stream.conditions.definitions import Definitions
from stream.conditions.details import Mention
from stream.conditions.document import Listing, Node, Scalar, Table, read_document, shown
from stream.conditions.fields import Fields
from stream.conditions.fixes import plain_signs
from stream.conditions.forms import BOUNDS, FORMS
from stream.conditions.hints import Hint
from stream.conditions.notes import note_names, note_titles
from stream.conditions.phrases import Phrases
from stream.conditions.problems import (
    DefinitionError,
    Edit,
    Mark,
    Problem,
    Problems,
    distinct,
    listed,
    nearest,
)
from stream.conditions.rewriting import EXAMPLE
from stream.conditions.segments import KINDS, Segment, needs, ordered

VERSION = 1
MAX_SEGMENTS = 1_000
FIELDS = ("name", "kind", "description", "when", "shadow", "stay_at_least")
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Examined(NamedTuple):
    """Definitions, and notes on what can be used and is perhaps not meant."""

    definitions: Definitions
    notes: tuple[Problem, ...]
    #: Names of events that the file itself has, in their order.
    events: tuple[str, ...]


def parse(text: str, source: str) -> Definitions:
    """Definitions that `text` (of the file `source`) holds.

    Raises
    ------
    DefinitionError
        With every problem found.
    """
    return _read(text, source)[0]


def examine(text: str, source: str, today: date | None = None) -> Examined:
    """The same, with what a person should look at before the file is used.

    Parameters
    ----------
    today
        So that what is proposed in place of a day can say how many days ago it was.

    Raises
    ------
    DefinitionError
        With every problem found.
    """
    definitions, problems, mentions = _read(text, source, today)
    note_names(mentions, problems)
    note_titles(definitions.segments.values(), problems)
    notes = sorted(problems.notes, key=lambda note: (note.mark.line, note.mark.column))
    names = (mention.name for mention in mentions if mention.what == "event")
    return Examined(definitions, tuple(notes), tuple(distinct(names)))


def _read(
    text: str, source: str, today: date | None = None
) -> tuple[Definitions, Problems, list[Mention]]:
    problems = Problems(text, today)
    root = read_document(text, source, problems)
    grammar = _Grammar(problems)
    segments = grammar.read(root) if root is not None else []
    if problems.found:
        raise DefinitionError(source, beside(problems), text)
    return Definitions(segments), problems, grammar.mentions


def beside(problems: Problems) -> list[Problem]:
    """Slips of syntax, and what else is wrong on other lines.

    The rest was read after the slips had been mended, so on their lines it is not as in the file,
    and neither are the indexes behind them.
    """
    found, slips = problems.found, problems.found[: problems.slips]
    if not slips:
        return found
    lines = {slip.mark.line for slip in slips}
    shifted = [
        replace(p, mark=replace(p.mark, index=0), end=max(p.end - p.mark.index, 0), edit=None)
        for p in found[len(slips) :]
        if p.mark.line not in lines
    ]
    left = {p.mark.line: p for p in reversed(found[len(slips) :])}
    told = [_told_on(slip, left.get(slip.mark.line)) for slip in slips]
    # A change is good for the file as the slip before it left it: the first one's for the file.
    return [told[0], *(replace(slip, edit=None) for slip in told[1:]), *shifted]


def _told_on(slip: Problem, left: Problem | None) -> Problem:
    """The slip, and what is wrong on its line once it is mended."""
    if left is None or not slip.suggestion:
        return slip
    hint = f" ({left.suggestion})" if left.suggestion else ""
    then = f"{slip.suggestion}; then there is still {left.found}; expected {left.expected}{hint}"
    return replace(slip, suggestion=then, edit=None)


class _Grammar:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._phrases = Phrases(problems)

    @property
    def mentions(self) -> list[Mention]:
        """What the file names."""
        return self._phrases.mentions

    def read(self, root: Node) -> list[Segment]:
        if not isinstance(root, Table):
            hint = _SMALLEST
            self._problems.add(
                root.mark, "", shown(root), "version: 1 and segments: …", hint, end=root.end
            )
            return []
        fields = Fields(root, "", self._problems)
        astray = self._astray(fields)
        if astray:
            return []
        known = ("version", "segments")
        others = [name for name in root.fields if name not in known]
        meant = "segments" in fields or any(hints.for_field(name, known).word for name in others)
        fields.allow(
            known, "a definitions file", {} if meant else dict.fromkeys(root.fields, _ABOVE)
        )
        self._version(fields)
        table = self._table(fields)
        if table is None:
            return []
        read = {name: self._segment(name, node, table) for name, node in table.fields.items()}
        self._check_uses(table)
        segments = {name: segment for name, segment in read.items() if segment is not None}
        self._check_cycles(segments, table)
        return list(segments.values())

    def _astray(self, fields: Fields) -> bool:
        """Whether the segments stand beside `segments:` in place of below it."""
        table = fields.table
        node = table.fields.get("segments")
        empty = isinstance(node, Scalar) and node.value is None
        found = [
            name
            for name, value in table.fields.items()
            if name not in ("version", "segments")
            and isinstance(value, Table)
            and "when" in value.fields
        ]
        if not found or not (empty or node is None):
            return False
        self._version(fields)
        first = table.keys[found[0]]
        what = f'the segment "{found[0]}" beside segments: in place of below it'
        hint, edit = "put two blanks before each of its lines", None
        if empty and not table.flow:
            edit = _deeper(self._problems.whole, first.index)
        elif node is None:
            hint = "write segments: in a line before it, and two blanks before each of its lines"
        self._problems.add(
            first, found[0], what, "segments below segments:", hint, edit, table.ends[found[0]]
        )
        return True

    def _version(self, fields: Fields) -> None:
        if "version" not in fields:
            if any(hints.for_field(name, ("version",)).word for name in fields.table.fields):
                return
            mark, flow = fields.table.mark, fields.table.flow
            edit = Edit(
                mark.index + flow, mark.index + flow, "version: 1, " if flow else "version: 1\n"
            )
            hint = f"write version: {VERSION} in the first line"
            self._problems.add(mark, "version", "nothing", f"version: {VERSION}", hint, edit)
            return
        node = fields.table.fields["version"]
        if not (isinstance(node, Scalar) and type(node.value) is int and node.value == VERSION):
            expected = f"the language's version, {VERSION}"
            fields.wrong("version", shown(node), expected, Hint(f"write {VERSION}", str(VERSION)))

    def _table(self, fields: Fields) -> Table | None:
        node = fields.table.fields.get("segments")
        expected = "segments by their ids"
        if node is None:
            if not fields.strange:
                hint = _SMALLEST
                self._problems.add(fields.table.mark, "segments", "nothing", expected, hint)
            return None
        if not isinstance(node, Table):
            hint = _SMALLEST
            if isinstance(node, Listing):
                hint = "write id: {when: …} in place of each dash"
                if node.flow:
                    hint = f'write {{"{_first_id(node)}": {{"when": …}}, …}}: ids are keys'
                elif edit := _by_ids(node, self._problems.whole):
                    hint = f'write "{_first_id(node)}:" in place of "- id: {_first_id(node)}"'
                    first = node.items[0].mark
                    mark = Mark(node.mark.line, node.mark.column, node.mark.index)
                    what, end = "a list", first.index
                    self._problems.add(mark, "segments", what, expected, hint, edit, end)
                    return None
            fields.wrong("segments", shown(node), expected, hint)
            return None
        if len(node.fields) > MAX_SEGMENTS:
            fields.wrong("segments", f"{len(node.fields)} segments", f"at most {MAX_SEGMENTS}")
        return node

    def _segment(self, name: str, node: Node, table: Table) -> Segment | None:
        mark, end = table.keys[name], table.ends.get(name, 0)
        path = f"segments.{name}"
        if name == "version" and isinstance(node, Scalar):
            hint = f"write version: {VERSION} in the first line of the file"
            found = '"version" below segments:'
            self._problems.add(mark, path, found, "it above them", hint, end=node.end)
            return None
        misplaced = name in FORMS or name in FIELDS
        if misplaced and not (isinstance(node, Table) and "when" in node.fields):
            hint = "indent it below the id of its segment"
            self._problems.add(
                mark, path, f'"{name}" in place of a segment', "an id", hint, end=end
            )
            return None
        if not _ID.fullmatch(name):
            plain = _plain_id(name)
            good = _ID.fullmatch(plain) and plain not in table.fields
            named = isinstance(node, Table) and "name" in node.fields
            hint = f"write {plain}" + ("" if named else f' and name: "{name}"') if good else ""
            expected = "a lower-case letter, then up to 63 letters, digits and _"
            edit = Edit(mark.index, end, plain) if good else None
            self._problems.add(mark, path, f'the id "{name[:80]}"', expected, hint, edit, end)
        if not isinstance(node, Table):
            empty = isinstance(node, Scalar) and node.value is None
            if empty and any(key in (*FIELDS, *FORMS) for key in _after(table, name)):
                hint = "indent what belongs to it more than its id"
            elif empty:
                hint = "write when: and a condition below it, indented more than its id"
            else:
                hint = f"for example {{when: {EXAMPLE}}}"
            self._problems.add(
                node.mark, path, shown(node), "a segment with when: …", hint, end=node.end
            )
            return None
        fields = Fields(node, path, self._problems)
        if not self._beside_when(fields):
            fields.allow(FIELDS, "a segment", _of_segment(fields))
        if "when" not in fields:
            if not fields.strange:
                hint = f"for example when: {EXAMPLE}"
                found, expected = "a segment without when", "when: and a condition"
                self._problems.add(mark, path, found, expected, hint, end=end)
            return None
        when = self._phrases.condition(node.fields["when"], fields.below("when"))
        stay_ms = fields.duration("stay_at_least")
        shadow = fields.flag("shadow")
        described = fields.text("description", "a text")
        title = fields.text("name", "a text")
        kind = self._kind(fields)
        self._quotes(fields)
        if when is None:
            return None
        return Segment(
            name, title or _title(name), kind, described or "", when, shadow or False, stay_ms or 0
        )

    def _beside_when(self, fields: Fields) -> bool:
        """Tell of one field beside when: that belongs into it; whether that is all."""
        others = [name for name in fields.table.keys if name not in FIELDS]
        if len(others) != 1 or others[0] not in _WITH_WHEN or "when" not in fields:
            return False
        (name,) = others
        fields.strange = True
        hint, edit = _into_when(fields, name), None
        when, node = fields.table.fields["when"], fields.table.fields[name]
        key, whole = fields.mark(name), self._problems.whole
        if hint.word and key.index > when.end:
            between = whole[when.end : key.index].rstrip().rstrip(",")
            edit = Edit(when.end - 1, node.end, f", {hint.word}}}{between}")
        found = f"{name}: beside when: in place of inside it"
        expected = "what a condition asks inside when:"
        end = fields.table.ends.get(name, 0)
        self._problems.add(key, fields.below(name), found, expected, hint.text, edit, end)
        return True

    def _quotes(self, fields: Fields) -> None:
        """Note a name that begins and ends with quotes that YAML does not know as such."""
        node = fields.table.fields.get("name")
        if not isinstance(node, Scalar) or not node.plain or len(node.raw) < 3:
            return
        if Fields.sign(node.raw[0]) and plain_signs(node.raw[0] + node.raw[-1]) in ('""', "''"):
            word = '"' + node.raw[1:-1].replace('"', "'") + '"'
            edit = Edit(node.mark.index, node.end, word)
            found, hint = f"the quotes of {node.raw} are a part of the name", f"write {word}"
            self._problems.note(node.mark, fields.below("name"), found, hint, edit, node.end)

    def _kind(self, fields: Fields) -> str | None:
        kind = fields.text("kind", f"one of {listed(KINDS)}")
        if kind is None or kind in KINDS:
            return kind
        word = nearest(kind, KINDS)
        hint = Hint(f'did you mean "{word}"?', word) if word else Hint("or leave kind: out")
        fields.wrong("kind", f'kind "{kind[:60]}"', f"one of {listed(KINDS)}", hint)
        return None

    def _check_uses(self, table: Table) -> None:
        for name, node, path in self._phrases.uses:
            if name in table.fields:
                continue
            close = _of_title(name, table) or nearest(name, table.fields)
            edit = Edit(node.mark.index, node.end, close) if close else None
            hint = f'did you mean "{close}"?' if close else "for a discovered one use cluster:"
            if re.fullmatch("cluster-[0-9]+", name):
                key = self._problems.whole.rfind("in", 0, node.mark.index)
                edit = Edit(key, node.end, f"cluster: {name}")
                hint = f"write cluster: {name}"
            expected = "the id of a segment of this file"
            found = f'unknown segment "{name[:60]}"'
            self._problems.add(node.mark, path, found, expected, hint, edit, node.end)

    def _check_cycles(self, segments: Mapping[str, Segment], table: Table) -> None:
        graph = {name: needs(segment) for name, segment in segments.items()}
        while cycle := ordered(graph)[1]:
            self._problems.add(
                table.keys[cycle[0]],
                f"segments.{cycle[0]}",
                f"a circle of segments: {' → '.join(cycle)}",
                "segments that do not need themselves",
                f'take "in: {cycle[1]}" out of {cycle[0]}',
                end=table.ends.get(cycle[0], 0),
            )
            graph[cycle[0]] = tuple(name for name in graph[cycle[0]] if name != cycle[1])


_SMALLEST = (
    'begin with four lines: "version: 1", "segments:", "  buyers:", '
    '"    when: {did: Order Completed}"'
)
_ABOVE = Hint("segments stand below segments:, indented")


def _of_segment(fields: Fields) -> dict[str, Hint]:
    """What to write for parts of a condition that stand in place of `when`."""
    inner = {name: fields.spelled(name) for name in fields.table.fields if name not in FIELDS}
    form = next((name for name in inner if name in FORMS), "")
    if "when" in fields:
        inside = [name for name in inner if name in _WITH_WHEN]
        return {name: Hint(_into_when(fields, name).text) for name in inside}
    if not form:
        meant = {name: hints.synonym(name, (*FORMS, "within")) for name in inner}
        said = "a condition goes under when:, as in"
        return {
            name: Hint(f"{said} when: {{{word if word in FORMS else 'did'}: …}}")
            for name, word in meant.items()
            if word or (name == "type" and any(meant.values()))
        }
    hint = Hint(f"write when: {{{form}: …}}")
    if inner[form] and len(inner) == 1:
        word = f"when: {{{form}: {inner[form]}}}"
        hint = Hint(f"write {word}", word)
    return dict.fromkeys(inner, hint) | {
        name: Hint(f"put it into when: {{{form}: …, {name}: …}}") for name in inner if name != form
    }


_WITH_WHEN = ("within", "where", "older_than", "younger_than", *BOUNDS)


def _into_when(fields: Fields, name: str) -> Hint:
    """What to write for a part of the condition beside when: in place of inside it."""
    when, spelled = fields.table.fields["when"], fields.spelled(name)
    word = fields.spelled("when")
    if isinstance(when, Table) and when.flow and word and spelled:
        field = f"{name}: {spelled}"
        return Hint(f"write when: {word[:-1].rstrip()}, {field}}}", field)
    return Hint(f"put {name}: {spelled or '…'} inside when:, beside what it is about")


def _of_title(title: str, table: Table) -> str:
    """Id of the segment that has this name."""
    for segment, node in table.fields.items():
        named = node.fields.get("name") if isinstance(node, Table) else None
        if isinstance(named, Scalar) and named.raw.casefold() == title.casefold():
            return segment
    return ""


def _plain_id(name: str) -> str:
    """An id as near to the name as can be."""
    plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
    if plain[:1].isdecimal():
        plain = f"segment_{plain}"
    return plain[:64].strip("_")


_DASHED_ID = re.compile(r"^([ ]*)-[ ]+id:[ ]*([a-z][a-z0-9_]*)[ ]*$", re.MULTILINE)


def _by_ids(node: Listing, whole: str) -> Edit | None:
    """`x:` in place of `- id: x`, if every part of the list begins with its id."""
    begin = whole.rfind("\n", 0, node.mark.index) + 1
    text = whole[begin : node.end]
    mended, number = _DASHED_ID.subn(r"\1\2:", text)
    if number < len(node.items):
        return None
    if not text.startswith(" "):
        mended = re.sub(r"(?m)^(?=.)", "  ", mended)
    return Edit(begin, node.end, mended)


def _first_id(node: Listing) -> str:
    first = node.items[0] if node.items else None
    found = first.fields.get("id") if isinstance(first, Table) else None
    return found.raw[:40] if isinstance(found, Scalar) else "id"


def _after(table: Table, name: str) -> list[str]:
    names = list(table.fields)
    return names[names.index(name) + 1 :]


def _deeper(whole: str, begin: int) -> Edit:
    """The rest of the file from a line on, indented by two."""
    rest = whole[begin:]
    return Edit(begin, len(whole), "  " + re.sub(r"\n(?=[^\n])", "\n  ", rest))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
