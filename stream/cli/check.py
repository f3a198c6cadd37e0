"""`agos check`."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from stream.cli.common import new_app, out
from stream.columns import KINDS
from stream.conditions import ORDER_COMPLETED, ORDER_REFUNDED
from stream.definitions import read_definitions

app = new_app()


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file of segment definitions.")],
) -> None:
    """Every problem of the file with its line and column, or the segments that it defines.

    Nothing is changed: a worker takes a file up by itself when it is free of problems.
    """
    definitions = read_definitions(file)
    table = Table("segment", "name", "kind", "", title=f"{file} is in order", title_justify="left")
    for segment in definitions.segments.values():
        shadow = "shadow" if segment.shadow else ""
        table.add_row(segment.id, segment.name, segment.kind or "", shadow)
    out.print(table)
    _show_events(sorted(definitions.events - {"*"}))


def _show_events(names: list[str]) -> None:
    """Names of events are free: whether one is misspelled only their author can say."""
    if names:
        out.print(f"Events that it asks about: {escape(', '.join(names))}.")
    usual = {name.casefold(): name for name in (*KINDS, ORDER_COMPLETED, ORDER_REFUNDED)}
    for name in names:
        close = get_close_matches(name.casefold(), usual, n=1, cutoff=0.8)
        if close and name not in usual.values():
            out.print(
                f'[yellow]Note:[/] "{escape(name)}" is not "{usual[close[0]]}", as shops usually '
                "call it; if no event has just that name, the condition finds none."
            )
