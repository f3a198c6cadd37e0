"""`agos preview`."""

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from stream.cli.common import AsJson, Redis, UsageError, new_app, out, plural, settings_of
from stream.cli.past import ReadPast, read_past
from stream.cli.scanning import Clock, scanned
from stream.conditions import Definitions, did_you_mean
from stream.definitions import read_definitions
from stream.log_reader import LogReader
from stream.preview import Example, Outlook, Preview
from stream.settings import Settings
from stream.store.scan import StateScan

app = new_app()

#: Overlaps shown of a segment.
_MOST_OVERLAPS = 3
_FATES = {"new": "[green]new[/]", "changed": "[yellow]changed[/]", "removed": "[red]removed[/]"}


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new segment definitions.")],
    running: Annotated[
        Path | None, typer.Option(help="The file in force, to compare with (AGOS_SEGMENTS).")
    ] = None,
    segment: Annotated[
        list[str] | None, typer.Option(help="Show this segment only; may be repeated.")
    ] = None,
    examples: Annotated[int, typer.Option(min=0, max=50, help="Customers to name of each.")] = 3,
    past: Annotated[
        bool, typer.Option("--past", help="Read what is new to all from Kafka; takes a while.")
    ] = False,
    as_json: AsJson = False,
    redis: Redis = None,
) -> None:
    """Who would be in each segment, who would enter and leave, if FILE were in force now.

    Looks at every customer in Redis and changes nothing. A condition that nobody asked before
    cannot know what happened until now: how many customers that concerns is said. With --past it
    is read from Kafka.
    """
    settings = settings_of(redis=redis, segments=running)
    definitions = read_definitions(file)
    before = read_definitions(settings.segments) if settings.segments else None
    _refuse_unknown(segment or (), definitions, before)
    found = _preview(settings, Preview(definitions, before, examples), past)
    outlooks = [o for o in found.outlooks() if not segment or o.id in segment]
    if as_json:
        print(json.dumps(_record(found, outlooks), ensure_ascii=False))
    else:
        _show(found, outlooks, settings, bool(segment))


def _refuse_unknown(
    wanted: list[str] | tuple[()], definitions: Definitions, before: Definitions | None
) -> None:
    known = [*definitions.segments, *(before.segments if before else ())]
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known)
            expected = hint or f"expected one of {', '.join(dict.fromkeys(known))}"
            raise UsageError(f"--segment is {name!r}, {expected}")


def _preview(settings: Settings, found: Preview, past: bool) -> Preview:
    with StateScan(settings) as scan:
        clock = Clock(settings, scan)
        if past:
            found.past = asyncio.run(_past(settings, scan, found.definitions))
        if found.ranked:
            for batch in scanned(scan, "percentiles"):
                for now_ms, customers in clock.split(batch):
                    found.rank(customers, now_ms)
        for batch in scanned(scan, "customers"):
            for now_ms, customers in clock.split(batch):
                found.add(customers, now_ms)
    return found


async def _past(settings: Settings, scan: StateScan, definitions: Definitions) -> ReadPast:
    log, now_ms = LogReader(settings), time.time_ns() // 1_000_000
    try:
        return await read_past(settings, scan, definitions, log, now_ms)
    finally:
        await log.close()


def _record(found: Preview, outlooks: list[Outlook]) -> dict[str, object]:
    segments = [{**asdict(outlook), **_counts(outlook)} for outlook in outlooks]
    for record in segments:
        del record["count"]
    return {
        "customers": found.customers,
        "compared_with": found.running.version if found.running else None,
        "judged_by_others": found.strangers,
        "segments": segments,
    }


def _counts(outlook: Outlook) -> dict[str, int]:
    counts = asdict(outlook.count)
    del counts["missing"]
    return counts


def _show(found: Preview, outlooks: list[Outlook], settings: Settings, chosen: bool) -> None:
    if not found.customers:
        out.print("No customers yet.")
        return
    against = settings.segments or "the memberships as stored (no --running FILE)"
    out.print(f"{plural(found.customers, 'customer')}; compared with {escape(str(against))}")
    if found.strangers:
        share = found.strangers / found.customers
        out.print(
            f"[yellow]{share:.0%} of them were last judged by other definitions than that "
            "file's[/]: is it the one in force?"
        )
    out.print(_overview(outlooks, found.customers))
    for outlook in outlooks:
        if outlook.fate == "removed" and not outlook.count.before and not chosen:
            continue
        if chosen or outlook.fate != "same" or outlook.count.enter or outlook.count.leave:
            _show_one(outlook, found.customers)


def _overview(outlooks: list[Outlook], customers: int) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("segment", no_wrap=True)
    for heading in ("now", "then", "share", "enter", "leave", "incomplete"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for outlook in outlooks:
        count = outlook.count
        marks = [_FATES.get(outlook.fate, ""), "[dim]shadow[/]" if outlook.shadow else ""]
        table.add_row(
            outlook.id,
            f"{count.before:,}",
            f"{count.after:,}",
            f"{count.after / customers:.1%}",
            f"[green]+{count.enter:,}[/]" if count.enter else "",
            f"[red]-{count.leave:,}[/]" if count.leave else "",
            f"[yellow]{count.incomplete / customers:.0%}[/]" if count.incomplete else "",
            " ".join(filter(None, marks)),
        )
    return table


def _show_one(outlook: Outlook, customers: int) -> None:
    out.print(f"\n[bold]{escape(outlook.name)}[/]  [dim]{outlook.id}[/]")
    count = outlook.count
    if count.incomplete:
        events = ", ".join(outlook.lacks)
        out.print(
            f"  [yellow]incomplete for {count.incomplete / customers:.0%} of the customers[/]: "
            f"nobody has counted [bold]{escape(events)}[/] as it asks for, so what happened "
            "before FILE is in force is not in these figures (--past reads it from Kafka, if it "
            "is still there)"
        )
    for overlap in outlook.overlaps[:_MOST_OVERLAPS]:
        out.print(
            f"  shares {plural(overlap.both, 'customer')} with [bold]{escape(overlap.segment)}[/] "
            f"({overlap.share:.0%} of its own, {overlap.share_of_other:.0%} of theirs)"
        )
    for heading, examples in (
        ("[green]would enter[/]", outlook.entering),
        ("[red]would leave[/]", outlook.leaving),
        ("would be in", () if outlook.entering else outlook.members),
    ):
        _show_examples(heading, examples)


def _show_examples(heading: str, examples: tuple[Example, ...]) -> None:
    if not examples:
        return
    out.print(f"  {heading}, for example")
    table = Table.grid(padding=(0, 2))
    for example in examples:
        table.add_row("  ", escape(example.customer_id), f"[dim]{escape(example.reason)}[/]")
    out.print(table)
