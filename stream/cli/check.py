"""`agos check`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stream.cli.common import FAILED, err, new_app, out, plural
from stream.conditions import (
    ORDER_COMPLETED,
    ORDER_REFUNDED,
    DefinitionError,
    Examined,
    Segment,
    examine,
)
from stream.definitions import read_text

app = new_app()
_HEADINGS = ("segment", "name", "kind", "published")
_ANY = "*"
#: Events that nobody needs to name.
_BY_MEASURE = {
    ORDER_COMPLETED: "by measure: spend or orders",
    ORDER_REFUNDED: "by measure: spend, which is orders less refunds",
}


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of segment definitions.")],
) -> None:
    """Every problem of the file with its line and column, or the segments that it defines.

    A note tells what can be loaded and is perhaps not meant. Nothing is changed: a worker takes a
    file up by itself when it is free of problems.
    """
    try:
        text = read_text(file)
        found = examine(text, str(file), datetime.now(UTC).date())
    except DefinitionError as error:
        _line(escape(error.report(_width(err))), err)
        count = plural(len(error.problems), "problem")
        _line(f"[red]{escape(str(file))} cannot be loaded: {count}[/]", err)
        raise typer.Exit(FAILED) from None
    segments = list(found.definitions.segments.values())
    notes = f"; {plural(len(found.notes), 'note')}" if found.notes else ""
    _line(f"{escape(str(file))} can be loaded: {plural(len(segments), 'segment')}{notes}")
    _show_segments(segments)
    _show_events(found)
    for note in found.notes:
        width = _width(out)
        said = note.shown(str(file), text, width and width - len("note "))
        _line(f"\n[yellow]note[/] {escape(said)}")


def _width(console: Console) -> int | None:
    """Columns to wrap at; elsewhere than in a terminal nothing is wrapped."""
    return console.width if console.is_terminal else None


def _line(text: str, console: Console = out) -> None:
    console.print(text, soft_wrap=True)


def _show_segments(segments: list[Segment]) -> None:
    rows = [(s.id, s.name, s.kind or "", "no (shadow)" if s.shadow else "yes") for s in segments]
    if not out.is_terminal:
        widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
        for row in (_HEADINGS, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            _line(escape("  ".join(cells).rstrip()))
        return
    table = Table(*_HEADINGS, box=None, pad_edge=False)
    table.columns[0].overflow = "fold"
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _show_events(found: Examined) -> None:
    """Names of events are free: whether one is misspelled only their author can say."""
    named = sorted(name for name in found.events if name != _ANY)
    implied = [
        f"{name} ({why})"
        for name, why in _BY_MEASURE.items()
        if name in found.definitions.events and name not in named
    ]
    if named or implied:
        text = escape(f"Events that it asks about: {', '.join((*named, *implied))}.")
        out.print(text) if out.is_terminal else _line(text)
