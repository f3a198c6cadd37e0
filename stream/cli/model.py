"""`agos model`."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from models.registry import clusterers
from stream.cli.common import AsJson, Redis, UsageError, new_app, out, plural, settings_of
from stream.store.learned import Alert, League, LearnedReader, ask_for
from stream.watch.times import ago, moment

app = new_app()


@app.command()
def model(
    use: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Ask for this clusterer; it wins over AGOS_CLUSTERER."),
    ] = None,
    alerts: Annotated[int, typer.Option(min=0, help="How many alerts to show.")] = 10,
    as_json: AsJson = False,
    redis: Redis = None,
) -> None:
    """How the clusterers do on the same customers, and what has moved.

    A clusterer that is asked for learns in the shadow first, then takes over; segments keep their
    ids where they hold the same customers. Inertia is against the model in force (1.0).
    """
    settings = settings_of(redis=redis)
    if use is not None:
        if use not in clusterers():
            raise UsageError(f"clusterer {use!r}, expected one of {', '.join(clusterers())}")
        ask_for(settings, use)
    with LearnedReader(settings) as reader:
        (version, customers), league = reader.model(), reader.league()
        segments, found = reader.segments(), reader.alerts(alerts) if alerts else []
    if as_json:
        record = {
            "version": version,
            "trained_on": customers,
            "segments": segments,
            "league": msgspec.to_builtins(league) if league else None,
            "alerts": [asdict(alert) for alert in found],
        }
        print(json.dumps(record, ensure_ascii=False))
        return
    if not version:
        out.print("No model yet: it needs some customers first.")
        return
    out.print(f"[bold]model {version}[/], learned from {plural(customers, 'customer')}")
    out.print(_segments(segments))
    if league is not None:
        _show(league)
    for alert in found:
        _tell(alert)


def _segments(segments: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("id", style="dim", no_wrap=True)
    table.add_column("share", justify="right")
    table.add_column("name", ratio=1)
    table.add_column("what sets it apart", ratio=2)
    for segment, known in sorted(segments.items(), key=lambda item: -item[1]["share"]):
        apart = ", ".join(f"{name} {effect:+.1f}" for name, effect in known["explanation"][:4])
        table.add_row(segment, f"{known['share']:.0%}", escape(known["name"]), apart)
    return table


def _show(league: League) -> None:
    table = Table(box=None, pad_edge=False, title="League", title_justify="left")
    for name in ("clusterer", "rounds", "segments", "silhouette", "inertia", "churn", "coverage"):
        table.add_column(name, justify="left" if name == "clusterer" else "right")
    for s in league.standings:
        table.add_row(
            f"[bold]{s.name}[/]" if s.name == league.in_force else s.name,
            f"{s.rounds:,}", str(s.segments), f"{s.silhouette:.3f}", f"{s.inertia:.3f}",
            f"{s.churn:.2%}", f"{s.coverage:.1%}",
        )  # fmt: skip
    out.print(table)
    if league.wanted != league.in_force:
        rounds = next((s.rounds for s in league.standings if s.name == league.wanted), 0)
        shadow = f"{rounds} of {league.shadow_rounds} rounds in the shadow"
        out.print(f"[yellow]{league.wanted} is asked for:[/] {shadow}")
    if league.failures:
        out.print(f"[red]{plural(league.failures, 'tick')} failed[/], see the worker's log")


def _tell(alert: Alert) -> None:
    noticed = f"{moment(alert.noticed_ms)} ({ago(alert.noticed_ms)})"
    out.print(f"[yellow]drift[/] {escape(alert.text)}  [dim]noticed {noticed}[/]")
