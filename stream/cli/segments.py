"""`agos segments`."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from stream.cli.asof import show_segment, show_segments
from stream.cli.common import AsJson, Redis, new_app, out, plural, settings_of
from stream.errors import AgosError
from stream.store.reader import Reader
from stream.store.records import Member, Segment
from stream.watch.times import ago, moment

app = new_app()


@app.command()
def segments(
    segment: Annotated[
        str | None, typer.Argument(help="Id of one segment: show it and its customers.")
    ] = None,
    members: Annotated[int, typer.Option(min=0, help="How many customers to show.")] = 20,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="As it was then, from the change records.")
    ] = None,
    as_json: AsJson = False,
    redis: Redis = None,
) -> None:
    """Defined segments are those that people wrote; discovered ones were found by the model."""
    settings = settings_of(redis=redis)
    if at is not None:
        if segment is None:
            show_segments(settings, at, as_json)
        else:
            show_segment(settings, segment, at, members, as_json)
        return
    with Reader(settings) as reader:
        found = reader.segment_list()
        if segment is None:
            _list(found, as_json)
            return
        one = next((known for known in found if known.id == segment), None)
        if one is None:
            raise AgosError(
                f"segment is {segment!r}, expected one of "
                f"{', '.join(known.id for known in found) or '(there are none yet)'}"
            )
        _show(one, reader.members(segment, limit=members), as_json)


def _list(found: list[Segment], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(segment) for segment in found], ensure_ascii=False))
        return
    if not found:
        out.print("No segments yet: the model needs some customers first.")
        return
    for title, discovered in (("Defined", False), ("Discovered", True)):
        chosen = [segment for segment in found if segment.discovered == discovered]
        if chosen:
            _print_table(title, chosen)


def _print_table(title: str, chosen: list[Segment]) -> None:
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold")
    table.add_column("id", style="dim", no_wrap=True)
    table.add_column("customers", justify="right")
    table.add_column("name", ratio=1)
    table.add_column("description", ratio=2)
    for segment in chosen:
        name = escape(segment.name) + (" [dim](ending)[/]" if segment.retired else "")
        if segment.complete < 1:
            name += f" [yellow]({_percent(segment.complete)} complete)[/]"
        table.add_row(segment.id, f"{segment.size:,}", name, escape(segment.description))
    out.print(table)


def _percent(share: float) -> str:
    """Rounded down: 100 % is everybody."""
    return f"{int(share * 1000) / 10:g} %"


def _show(segment: Segment, members: list[Member], as_json: bool) -> None:
    if as_json:
        found = {**asdict(segment), "members": [asdict(member) for member in members]}
        print(json.dumps(found, ensure_ascii=False))
        return
    kind = "discovered" if segment.discovered else "defined"
    out.print(f"[bold]{escape(segment.name)}[/]  [dim]{segment.id}[/]")
    out.print(f"{kind}, {plural(segment.size, 'customer')}")
    if segment.complete < 1:
        out.print(
            f"[yellow]{_percent(segment.complete)} complete[/]: of the other customers not all of "
            "the past that it asks about is known (yet)"
        )
    if segment.description:
        out.print(escape(segment.description))
    if members:
        out.print("\nThe newest:")
    table = Table.grid(padding=(0, 2))
    for member in members:
        entered = f"since {moment(member.entered_ms)} ({ago(member.entered_ms)})"
        table.add_row("", escape(member.customer_id), entered)
    out.print(table)
