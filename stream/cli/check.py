"""`agos check`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from stream.cli.common import new_app, out
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
