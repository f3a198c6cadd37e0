"""YAML text as a tree that remembers where everything stands.

Plain words are read as YAML 1.2 reads them: `NO` (Norway), `yes` and `on` are text; only
`true` and `false` are truth values. Duplicate keys, aliases and deep nesting are problems.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
from yaml.composer import ComposerError

from stream.conditions import pasted, syntax
from stream.conditions.excerpt import place
from stream.conditions.problems import DefinitionError, Edit, Mark, Problem, Problems

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 32
#: So many mistakes that no YAML can be read with are looked for at once.
_MAX_REPAIRS = 12

Value = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, Value] = {"": None, "~": None}
_WORDS |= {word: None for word in ("null", "Null", "NULL")}
_WORDS |= {word: True for word in ("true", "True", "TRUE")}
_WORDS |= {word: False for word in ("false", "False", "FALSE")}
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
#: `1,000` and `0,4` in a mapping in braces, where the comma begins a new field.
_BEFORE_COMMA = re.compile(r"[^0-9,]{0,3}[0-9][0-9.,'_]*")
_AFTER_COMMA = re.compile(r"[0-9][0-9.]*\s*[%\w€$£]{0,8}\)?")
_MERGE = "<<"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `raw` is the text as it was written, `plain` without quotes."""

    mark: Mark
    value: Value
    raw: str
    end: int = 0
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence of nodes; `flow`: in brackets."""

    mark: Mark
    items: "tuple[Node, ...]"
    end: int = 0
    flow: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; `keys` tells where each key stands, `ends` where it ends; `bare` keys have no
    colon; `flow`: in braces."""

    mark: Mark
    fields: "dict[str, Node]"
    keys: dict[str, Mark]
    end: int = 0
    flow: bool = False
    ends: dict[str, int] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()


Node = Scalar | Listing | Table


def shown(node: Node) -> str:
    """How a message names what was found."""
    if isinstance(node, Listing):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    if node.value is None:
        return "nothing"
    kind = {bool: "truth value", int: "number", float: "number", str: "text"}[type(node.value)]
    return f'{kind} "{node.raw[:60]}"'


def read_document(text: str, source: str, problems: Problems) -> Node | None:
    """Tree of `text`, as it is once its slips of syntax are mended; None if it is none.

    Slips and what else is wrong go to `problems`.

    Raises
    ------
    DefinitionError
        If the text is too long.
    """
    if len(text) > MAX_CHARACTERS:
        found, expected = f"{len(text)} characters", f"at most {MAX_CHARACTERS} characters"
        raise DefinitionError(source, [Problem(Mark(1, 1), "", found, expected)])
    if bad := _UNPRINTABLE.search(text):
        mark = Mark(*place(text, bad.start()), bad.start())
        found = f"the control character U+{ord(bad[0]):04X}"
        end = bad.end()
        while end < len(text) and _UNPRINTABLE.match(text, end):
            end += 1
        edit = Edit(bad.start(), end, "")
        problems.add(mark, "", found, "text", "delete it", edit, end)
        return None
    return _compose(text, problems)


def _compose(text: str, problems: Problems) -> Node | None:
    """Compose; where that fails say why, mend it, and go on for what else is wrong."""
    for _ in range(_MAX_REPAIRS):
        root, slip = None, pasted.damage(text)
        if slip is None:
            root, slip = _parsed(text)
        if slip is None:
            problems.whole = text
            if root is None:
                return Scalar(Mark(1, 1), None, "")
            return _Reader(problems).read(root, "")
        if any(slip.mark.line == known.mark.line for known in problems.found):
            return None
        problems.found.append(slip)
        problems.slips += 1
        if slip.edit is None:
            return None
        text = slip.edit.applied(text)
    return None


def _parsed(text: str) -> tuple[yaml.Node | None, Problem | None]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return root, syntax.slip(root, text)
    except yaml.MarkedYAMLError as error:
        return None, syntax.explained(error, text)
    finally:
        loader.dispose()


class _Alias(yaml.ScalarNode):
    """`*name` in place of what has that name: where it stands, and what it stands for."""

    target: yaml.Node


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        # The stubs leave the parser's methods out of their types.
        parser: Any = self
        event = parser.peek_event()
        if self.depth > MAX_DEPTH:
            deep = f"more than {MAX_DEPTH} levels of nesting"
            raise ComposerError(None, None, deep, event.start_mark)
        if type(event) is yaml.AliasEvent and event.anchor in self.anchors:
            parser.get_event()
            marks: tuple[Any, Any] = event.start_mark, event.end_mark
            node = _Alias("alias", event.anchor, *marks)
            node.target = self.anchors[event.anchor]
            return node
        self.depth += 1
        composed = super().compose_node(parent, index)
        self.depth -= 1
        return composed


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._read: dict[int, Node] = {}

    def read(self, node: yaml.Node, path: str) -> Node:
        mark, end = _mark(node), node.end_mark.index
        if isinstance(node, _Alias):
            return self._alias(node, mark, end, path)
        if node.tag.startswith("!"):
            found, hint = f'the tag "{node.tag[:40]}"', "for the opposite write {not: {…}}"
            self._problems.add(mark, path, found, 'a value without "!"', hint, None, end)
        read = self._read[id(node)] = self._node(node, mark, end, path)
        return read

    def _alias(self, node: _Alias, mark: Mark, end: int, path: str) -> Node:
        expected = f"what &{node.value} names, written out here"
        target = node.target
        spelled = self._problems.whole[target.start_mark.index : target.end_mark.index]
        spelled = re.sub(r"^&\S+\s+", "", spelled)
        short = "\n" not in spelled and len(spelled) < 100
        hint, edit = (f"write {spelled}", Edit(mark.index, end, spelled)) if short else ("", None)
        found = f"an anchor (&name) used again as *{node.value[:40]}"
        self._problems.add(mark, path, found, expected, hint, edit, end)
        return self._read.get(id(target), Scalar(mark, None, "", end))

    def _node(self, node: yaml.Node, mark: Mark, end: int, path: str) -> Node:
        if isinstance(node, yaml.MappingNode):
            return self._table(node, mark, end, path)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self.read(n, f"{path}[{i}]") for i, n in enumerate(node.value))
            return Listing(mark, items, end, bool(node.flow_style))
        assert isinstance(node, yaml.ScalarNode)
        return Scalar(mark, _resolve(node), node.value, end, node.style is None)

    def _table(self, node: yaml.MappingNode, mark: Mark, end: int, path: str) -> Table:
        table = Table(mark, {}, {}, end, bool(node.flow_style))
        bare: list[str] = []
        last = ""
        for key_node, value_node in node.value:
            place = _mark(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                found, expected = "a key that is not a word", 'a word before the ":"'
                hint = "a list of conditions stands in brackets: [{…}, {…}]"
                self._problems.add(place, path, found, expected, hint, end=key_node.end_mark.index)
                continue
            key = key_node.value
            below = f"{path}.{key}" if path else key
            between = self._problems.whole[key_node.end_mark.index : value_node.start_mark.index]
            colonless = table.flow and ":" not in between
            if colonless and self._joined(table, last, key_node):
                continue
            if key == _MERGE and key_node.style is None:
                self._merge(table, place, value_node, below)
                continue
            if key in table.fields:
                self._again(table, key, place, key_node.end_mark.index, below)
                continue
            bare += [key] if colonless else []
            table.keys[key], table.ends[key] = place, key_node.end_mark.index
            table.fields[key] = self.read(value_node, below)
            last = key
        return replace(table, bare=frozenset(bare))

    def _joined(self, table: Table, last: str, rest: yaml.ScalarNode) -> bool:
        """Whether a key without value is the part of the number before it after a comma."""
        number = table.fields.get(last)
        if not isinstance(number, Scalar) or not (number.plain and rest.style is None):
            return False
        if not (_BEFORE_COMMA.fullmatch(number.raw) and _AFTER_COMMA.fullmatch(rest.value)):
            return False
        end = rest.end_mark.index
        raw = self._problems.whole[number.mark.index : end]
        table.fields[last] = Scalar(number.mark, raw, raw, end, True)
        return True

    def _again(self, table: Table, key: str, place: Mark, end: int, path: str) -> None:
        first = table.keys[key]
        node = table.fields[key]
        what = "segment" if isinstance(node, Table) and path == f"segments.{key}" else "field"
        hint = "delete one of them, or put both conditions under all:"
        if what == "segment":
            hint = f"give this one another id, such as {key}_2"
        edit = Edit(place.index, end, f"{key}_2") if what == "segment" else None
        expected = f"each {what} once (first on line {first.line})"
        self._problems.add(place, path, f'"{key}" a second time', expected, hint, edit, end)

    def _merge(self, table: Table, place: Mark, value: yaml.Node, path: str) -> None:
        target = value.target if isinstance(value, _Alias) else value
        known = self._read.get(id(target))
        spelled, edit = "", None
        if isinstance(known, Table):
            table.fields.update({k: v for k, v in known.fields.items() if k not in table.fields})
            table.keys.update({k: v for k, v in known.keys.items() if k not in table.keys})
            if known.flow:
                whole = self._problems.whole[known.mark.index : known.end]
                spelled = whole[whole.index("{") + 1 : -1].strip()
                edit = Edit(place.index, value.end_mark.index, spelled)
        hint = f"write {spelled}" if spelled else ""
        found, expected = f'the merge key "{_MERGE}"', "the fields themselves, written out"
        self._problems.add(place, path, found, expected, hint, edit, value.end_mark.index)


def _mark(node: yaml.Node) -> Mark:
    start = node.start_mark
    return Mark(start.line + 1, start.column + 1, start.index)


def _resolve(node: yaml.ScalarNode) -> Value:
    text: str = node.value
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
