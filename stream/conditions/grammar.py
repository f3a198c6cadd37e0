"""The definitions file: its outermost form, and the reading of it."""

import re
from collections.abc import Mapping

from stream.conditions.definitions import Definitions
from stream.conditions.document import Listing, Node, Scalar, Table, read_document, shown
from stream.conditions.fields import Fields
from stream.conditions.phrases import FORMS, Phrases
from stream.conditions.problems import DefinitionError, Mark, Problems, did_you_mean, listed
from stream.conditions.segments import KINDS, Segment, needs, ordered

VERSION = 1
MAX_SEGMENTS = 1_000
FIELDS = ("name", "kind", "description", "when", "shadow", "stay_at_least")
_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")


def parse(text: str, source: str) -> Definitions:
    """Definitions that `text` (of the file `source`) holds.

    Raises
    ------
    DefinitionError
        With every problem found.
    """
    problems = Problems()
    root = read_document(text, source, problems)
    segments = _Grammar(problems).read(root)
    if problems.found:
        raise DefinitionError(source, problems.found)
    return Definitions(segments)


class _Grammar:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._phrases = Phrases(problems)

    def read(self, root: Node) -> list[Segment]:
        if not isinstance(root, Table):
            self._problems.add(root.mark, "", shown(root), "version: 1 and segments: …")
            return []
        fields = Fields(root, "", self._problems)
        fields.allow(("version", "segments"), "a definitions file")
        self._version(fields)
        table = self._table(fields)
        if table is None:
            return []
        read = {
            name: self._segment(name, node, table.keys[name]) for name, node in table.fields.items()
        }
        self._check_uses(table)
        segments = {name: segment for name, segment in read.items() if segment is not None}
        self._check_cycles(segments, table)
        return list(segments.values())

    def _version(self, fields: Fields) -> None:
        if "version" not in fields:
            self._problems.add(fields.table.mark, "version", "nothing", f"version: {VERSION}")
            return
        node = fields.table.fields["version"]
        if not (isinstance(node, Scalar) and type(node.value) is int and node.value == VERSION):
            fields.wrong("version", shown(node), f"the language's version, {VERSION}")

    def _table(self, fields: Fields) -> Table | None:
        node = fields.table.fields.get("segments")
        expected = "segments by their ids"
        if node is None:
            if not fields.strange:
                self._problems.add(fields.table.mark, "segments", "nothing", expected)
            return None
        if not isinstance(node, Table):
            hint = "write id: {when: …} in place of each dash" if isinstance(node, Listing) else ""
            fields.wrong("segments", shown(node), expected, hint)
            return None
        if len(node.fields) > MAX_SEGMENTS:
            fields.wrong("segments", f"{len(node.fields)} segments", f"at most {MAX_SEGMENTS}")
        return node

    def _segment(self, name: str, node: Node, mark: Mark) -> Segment | None:
        path = f"segments.{name}"
        if not _ID.fullmatch(name):
            plain = re.sub("[^a-z0-9]+", "_", name.lower()).strip("_")
            self._problems.add(
                mark,
                path,
                f'the id "{name}"',
                "a lower-case letter, then up to 63 letters, digits and _",
                f'write {plain} and name: "{name}"' if _ID.fullmatch(plain) else "",
            )
        if name in FIELDS and not (isinstance(node, Table) and "when" in node.fields):
            hint = "indent it below the id of its segment"
            self._problems.add(mark, path, f'"{name}" in place of a segment', "an id", hint)
            return None
        if not isinstance(node, Table):
            hint = "indent what belongs to it more than its id" if shown(node) == "nothing" else ""
            self._problems.add(node.mark, path, shown(node), "a segment with when: …", hint)
            return None
        fields = Fields(node, path, self._problems)
        form = next((key for key in node.fields if key in FORMS), "")
        fields.allow(FIELDS, "a segment", {form: f"write when: {{{form}: …}}"})
        if "when" not in fields:
            if not fields.strange:
                self._problems.add(mark, path, "a segment without when", "when: and a condition")
            return None
        when = self._phrases.condition(node.fields["when"], fields.below("when"))
        stay_ms = fields.duration("stay_at_least")
        shadow = fields.flag("shadow")
        described = fields.text("description", "a text")
        title = fields.text("name", "a text")
        kind = self._kind(fields)
        if when is None:
            return None
        return Segment(
            name, title or _title(name), kind, described or "", when, shadow or False, stay_ms or 0
        )

    def _kind(self, fields: Fields) -> str | None:
        kind = fields.text("kind", f"one of {listed(KINDS)}")
        if kind is None or kind in KINDS:
            return kind
        fields.wrong("kind", f'kind "{kind}"', f"one of {listed(KINDS)}", did_you_mean(kind, KINDS))
        return None

    def _check_uses(self, table: Table) -> None:
        for name, mark, path in self._phrases.uses:
            if name not in table.fields:
                hint = did_you_mean(name, table.fields) or "for a discovered one use cluster:"
                expected = "the id of a segment of this file"
                self._problems.add(mark, path, f'unknown segment "{name}"', expected, hint)

    def _check_cycles(self, segments: Mapping[str, Segment], table: Table) -> None:
        graph = {name: needs(segment) for name, segment in segments.items()}
        while cycle := ordered(graph)[1]:
            self._problems.add(
                table.keys[cycle[0]],
                f"segments.{cycle[0]}",
                f"a circle of segments: {' → '.join(cycle)}",
                "segments that do not need themselves",
                f'take "in: {cycle[1]}" out of {cycle[0]}',
            )
            graph[cycle[0]] = tuple(name for name in graph[cycle[0]] if name != cycle[1])


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
