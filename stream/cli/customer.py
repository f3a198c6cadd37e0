"""`agos customer`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from stream.cli.asof import show_customer, show_entry
from stream.cli.common import AsJson, Partitions, Redis, new_app, out, plural, settings_of
from stream.customer import Table as States
from stream.errors import AgosError
from stream.settings import Settings
from stream.store.connect import shown_url
from stream.store.past import Past
from stream.store.reader import LOOK_BACK, Reader
from stream.store.records import Change, Customer, Segment
from stream.topics import partition_of
from stream.watch.times import ago, moment

app = new_app()

#: Below this share of a customer's interest a category is not worth a word.
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Portrait:
    """Everything that is shown of a customer."""

    customer: Customer
    segments: Mapping[str, Segment]
    since: Mapping[str, int]
    traits: Mapping[str, Any]
    categories: Mapping[str, float]
    #: Segment → its last entry, as far as it is kept.
    entries: Mapping[str, Change]
    changes: list[Change]


@app.command()
def customer(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    changes: Annotated[int, typer.Option(min=0, help="How many changes to show.")] = 10,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The segments of then, from the change records."),
    ] = None,
    as_json: AsJson = False,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """Everything that Agos knows of one customer right now."""
    settings = settings_of(redis=redis, partitions=partitions)
    with Reader(settings) as reader:
        found = reader.customer(customer_id)
        if found is None:
            raise AgosError(
                f"customer {customer_id!r} is unknown at {shown_url(settings.redis)}: "
                "no event of it was applied"
            )
        if at is None:
            portrait = _portrait(reader, found, settings, changes)
    if at is not None:
        show_customer(settings, found.customer_id, at, as_json)
    elif as_json:
        print(json.dumps(asdict(portrait), ensure_ascii=False))
    else:
        if found.customer_id != customer_id:
            out.print(f"[dim]{escape(customer_id)} was merged into[/]")
        _show(portrait, settings.currency)


def _portrait(reader: Reader, found: Customer, settings: Settings, changes: int) -> Portrait:
    traits, codes = _remembered(found.customer_id, reader.state(found.customer_id))
    home = partition_of(found.customer_id, settings.partitions)
    names = reader.categories(home, list(codes))
    recent, entries = _changes(settings, found, changes)
    known = {segment.id: segment for segment in reader.segment_list()}
    wanted = {*found.segments, *(change.segment for change in recent)}
    return Portrait(
        found,
        {name: known.get(name, Segment(name, name)) for name in sorted(wanted)},
        reader.since(found.customer_id, found.segments),
        traits,
        {names.get(code, f"category {code}"): share for code, share in codes.items()},
        entries,
        recent,
    )


def _changes(
    settings: Settings, found: Customer, count: int
) -> tuple[list[Change], dict[str, Change]]:
    """The newest `count` changes, and the last entry into each of its segments."""
    recent: list[Change] = []
    entries: dict[str, Change] = {}
    with Past(settings) as past:
        for change in past.changes(customer_id=found.customer_id, most=LOOK_BACK):
            if len(recent) < count:
                recent.append(change)
            if change.change == "entered" and change.segment in found.segments:
                entries.setdefault(change.segment, change)
            if len(recent) >= count and len(entries) == len(found.segments):
                break
    return recent, entries


def _remembered(name: str, stored: bytes | None) -> tuple[dict[str, Any], dict[int, float]]:
    """Traits, and category code → share of the customer's interest, of its stored state."""
    states = States(1)
    states.load([name], [stored])
    row, extra = states.rows[0], states.extra.get(0)
    traits = {k: value for k, (value, _) in extra.traits.items()} if extra else {}
    weights, codes = row["weights"].tolist(), row["categories"].tolist()
    total = sum(weights) or 1.0
    shares = {code: w / total for code, w in zip(codes, weights, strict=True) if w > 0}
    ranked = sorted(shares.items(), key=lambda pair: -pair[1])
    return (
        {k: value for k, value in traits.items() if value is not None},
        {code: share for code, share in ranked if share >= _LEAST_SHARE},
    )


def _show(portrait: Portrait, currency: str) -> None:
    found = portrait.customer
    out.print(f"[bold]{escape(found.customer_id)}[/]")
    facts = Table.grid(padding=(0, 2))
    spend = f"{found.spend_minor / 100:,.2f} {currency}"
    facts.add_row(
        "totals", f"{plural(found.events, 'event')}, {plural(found.orders, 'order')}, {spend}"
    )
    facts.add_row("first seen", f"{moment(found.first_seen_ms)} ({ago(found.first_seen_ms)})")
    facts.add_row("last seen", f"{moment(found.last_seen_ms)} ({ago(found.last_seen_ms)})")
    if found.due_at_ms:
        facts.add_row("next look", f"{moment(found.due_at_ms)} ({ago(found.due_at_ms)})")
    for name, value in portrait.traits.items():
        facts.add_row(escape(name), escape(_value(value)))
    if portrait.categories:
        shares = (f"{escape(name)} {share:.0%}" for name, share in portrait.categories.items())
        facts.add_row("likes", ", ".join(shares))
    facts.add_row("updated", f"{moment(found.updated_at_ms)} by {found.source or 'the clock'}")
    out.print(facts)
    _show_segments(portrait)
    _show_changes(portrait)


def _show_segments(portrait: Portrait) -> None:
    found = portrait.customer
    if not found.segments:
        out.print("\nIn no segment yet.")
        return
    out.print("\n[bold]Segments[/]")
    for name in found.segments:
        title, sure = portrait.segments[name].name, ""
        if name == found.cluster:
            sure = f"{found.confidence:.0%} sure"
        show_entry(name, title, portrait.entries.get(name), portrait.since.get(name), sure)
    out.print(f"[dim]Why not in another one: agos why {escape(found.customer_id)} SEGMENT[/]")


def _show_changes(portrait: Portrait) -> None:
    if not portrait.changes:
        return
    out.print("\n[bold]Recent changes[/]")
    for change in portrait.changes:
        arrow = "[green]→ entered[/]" if change.change == "entered" else "[red]← left[/]"
        name = escape(portrait.segments[change.segment].name)
        out.print(f"  {moment(change.at_ms)}  {arrow} [bold]{name}[/] [dim]({change.cause})[/]")
        if change.reason:
            out.print(Padding(Text(change.reason, "dim"), (0, 0, 0, 23)))


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
