"""The parts that pages are made of. Text goes in as text, never as HTML.

What a part shows goes to the browser as one JSON text: it may be made once for all who look, and
nothing in it is taken for a script, whatever it is called.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from nicegui.element import Element
from nicegui.elements import echart

Row = dict[str, Any]


class Packed(str):
    """JSON that is ready to be shown."""

    __slots__ = ()


def packed(value: object) -> Packed:
    """Anything as JSON."""
    return Packed(msgspec.json.encode(value).decode())


class _Shown(Element):
    """Shows JSON; the same again is not sent."""

    def show(self, value: object) -> None:
        """Replace what is shown: a `Packed`, or what becomes one."""
        data = value if isinstance(value, Packed) else packed(value)
        if data != self.props.get("data"):
            self.props["data"] = data


class Board(_Shown, component="static/board.js"):
    """Cards of figures: dictionaries of id, title, value, state, detail, trend."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.props["label"] = label


class Listing(_Shown, component="static/listing.js"):
    """A table of rows: dictionaries of `key` and `cells`, and perhaps `class`.

    `columns` are (title, kind), kind `text` or `number`; `empty` says what to do without rows.
    """

    def __init__(self, label: str, columns: Sequence[tuple[str, str]], empty: str) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["columns"] = packed([{"title": title, "kind": kind} for title, kind in columns])
        self.props["empty"] = empty


class Facts(_Shown, component="static/facts.js"):
    """Names and values: pairs of text."""


class Chart(
    _Shown,
    component="static/chart.js",
    esm={"nicegui-echart": str(Path(echart.__file__).parent / "dist")},
):
    """A chart of ECharts' options, with a description for who cannot see it."""

    def __init__(self, label: str, size: Literal["", "short", "tall"] = "") -> None:
        super().__init__()
        self.props["label"] = label
        if size:
            self.props["class"] = size


class Words(Element):
    """An element of plain text, as a heading or a paragraph."""

    def __init__(self, tag: str, text: str = "", **attributes: str) -> None:
        super().__init__(tag)
        self._text = text
        for name, value in attributes.items():
            self.props[name.replace("_", "-")] = value

    def say(self, text: str) -> None:
        """Another text."""
        if text != self._text:
            self._text = text
            self.update()


def section(title: str, **attributes: str) -> Element:
    """A part of the page with a heading of its own; use it as a context."""
    part = Element("section")
    for name, value in attributes.items():
        part.props[name] = value
    with part:
        Words("h2", title)
    return part
