"""The parts that pages are made of. Text goes in as text, never as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui
from nicegui.element import Element

Row = dict[str, Any]


class Board(Element, component="static/board.js"):
    """Cards of figures: dictionaries of id, title, value, state, detail, trend."""

    def __init__(self, label: str) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["cards"] = []

    def show(self, cards: Sequence[Mapping[str, Any]]) -> None:
        """Replace the cards."""
        if cards != self.props["cards"]:
            self.props["cards"] = cards


class Listing(Element, component="static/listing.js"):
    """A table. `columns` are (title, kind), kind `text` or `number`; `empty` says what to do."""

    def __init__(self, label: str, columns: Sequence[tuple[str, str]], empty: str) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["columns"] = [{"title": title, "kind": kind} for title, kind in columns]
        self.props["empty"] = empty
        self.props["rows"] = []

    def show(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Replace the rows: `key` and `cells`, and perhaps `class`."""
        if empty is not None and empty != self.props["empty"]:
            self.props["empty"] = empty
        if rows != self.props["rows"]:
            self.props["rows"] = rows


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


class Chart(ui.echart, component=None):
    """A chart whose description is read instead of it where it cannot be seen."""

    def __init__(self, label: str, options: dict[str, Any]) -> None:
        super().__init__(options, renderer="svg")
        self.props["role"] = "img"
        self.props["aria-label"] = label
        self.classes("chart")

    def show(self, options: dict[str, Any]) -> None:
        """Other data."""
        if options != self.props["options"]:
            self.props["options"] = options


def section(title: str, **attributes: str) -> Element:
    """A part of the page with a heading of its own; use it as a context."""
    part = Element("section")
    for name, value in attributes.items():
        part.props[name] = value
    with part:
        Words("h2", title)
    return part
