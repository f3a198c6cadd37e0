"""YAML text as a tree that remembers where everything stands.

Plain words are read as YAML 1.2 reads them: `NO` (Norway), `yes` and `on` are text; only
`true` and `false` are truth values. Duplicate keys, aliases and deep nesting are problems.
"""

import re
from dataclasses import dataclass

import yaml

from stream.conditions.problems import DefinitionError, Mark, Problem, Problems

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 32

Value = str | int | float | bool | None

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, Value] = {"": None, "~": None}
_WORDS |= {word: None for word in ("null", "Null", "NULL")}
_WORDS |= {word: True for word in ("true", "True", "TRUE")}
_WORDS |= {word: False for word in ("false", "False", "FALSE")}


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; `raw` is the text as it was written."""

    mark: Mark
    value: Value
    raw: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence of nodes."""

    mark: Mark
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; `keys` tells where each key stands."""

    mark: Mark
    fields: "dict[str, Node]"
    keys: dict[str, Mark]


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


def read_document(text: str, source: str, problems: Problems) -> Node:
    """Tree of `text`.

    Raises
    ------
    DefinitionError
        If the text is not YAML at all; lesser problems go to `problems`.
    """
    if len(text) > MAX_CHARACTERS:
        problem = Problem(
            Mark(1, 1), "", f"{len(text)} characters", f"at most {MAX_CHARACTERS} characters"
        )
        raise DefinitionError(source, [problem])
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise DefinitionError(source, [_syntax_problem(error)]) from None
    except RecursionError:
        deep = Problem(Mark(1, 1), "", "endless nesting", f"at most {MAX_DEPTH} levels")
        raise DefinitionError(source, [deep]) from None
    if root is None:
        return Scalar(Mark(1, 1), None, "")
    return _Reader(problems).read(root, "", 0)


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)
    what = getattr(error, "problem", None) or str(error).splitlines()[0]
    hint = "check indentation, colons, brackets and quotes around here"
    if "'\\t'" in what:
        hint = "indent with spaces, not with tabs"
    elif "'>'" in what or "'%'" in what or "'@'" in what or "'`'" in what:
        hint = "put text that begins with it in quotes; for more than 50 write {more_than: 50}"
    elif "mapping values are not allowed" in what:
        hint = 'put text that holds ": " in quotes, conditions in {}'
    return Problem(where, "", f"not readable as YAML: {what}", "valid YAML", hint)


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._read: dict[int, Node] = {}

    def read(self, node: yaml.Node, path: str, depth: int) -> Node:
        mark = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        if depth > MAX_DEPTH:
            self._problems.add(mark, path, "too deep nesting", f"at most {MAX_DEPTH} levels")
            return Scalar(mark, None, "")
        if id(node) in self._read:
            expected = "the value written out where it is used"
            self._problems.add(mark, path, "an anchor (&name) used again as *name", expected)
            return self._read[id(node)]
        self._read[id(node)] = Scalar(mark, None, "")
        read = self._read[id(node)] = self._node(node, mark, path, depth)
        return read

    def _node(self, node: yaml.Node, mark: Mark, path: str, depth: int) -> Node:
        if isinstance(node, yaml.MappingNode):
            return self._table(node, mark, path, depth)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return Listing(mark, tuple(self.read(n, f"{path}[{i}]", depth + 1) for i, n in items))
        assert isinstance(node, yaml.ScalarNode)
        return Scalar(mark, _resolve(node), node.value)

    def _table(self, node: yaml.MappingNode, mark: Mark, path: str, depth: int) -> Table:
        fields: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        for key_node, value_node in node.value:
            place = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.add(place, path, "a key that is not a word", "a word before the :")
                continue
            key = key_node.value
            below = f"{path}.{key}" if path else key
            if key in fields:
                first = keys[key].line
                self._problems.add(
                    place, below, f'"{key}" a second time', f"each key once (first on line {first})"
                )
                continue
            keys[key] = place
            fields[key] = self.read(value_node, below, depth + 1)
        return Table(mark, fields, keys)


def _resolve(node: yaml.ScalarNode) -> Value:
    text: str = node.value
    if node.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text
