"""`agos replay`."""

import math
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from stream.cli.common import (
    INTERRUPTED,
    Kafka,
    Partitions,
    UsageError,
    err,
    new_app,
    out,
    plural,
    settings_of,
)
from stream.errors import AgosError
from stream.producer import producer
from stream.replay import FORMATS, History, Summary, open_history, parse_speed
from stream.replay import replay as send
from stream.settings import Settings
from stream.watch.times import day

app = new_app()

File = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="The recorded history.")
]
Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()) + ".",
    ),
]
_SHOWN_UNREADABLE = 5


@app.command()
def replay(
    file: File,
    form: Format,
    speed: Annotated[
        str, typer.Option(help="1000x: a thousand times as fast as it happened; or max.")
    ] = "max",
    kafka: Kafka = None,
    partitions: Partitions = None,
) -> None:
    """Every event goes to its topic and its customer's partition with its own timestamp.

    For history start the workers with AGOS_CLOCK=events, so that "now" is the time of the events.
    Ctrl-C stops; what was sent stays sent.
    """
    factor = check(form, speed)
    settings = settings_of(kafka=kafka, partitions=partitions)
    with err.status(f"reading {file.name}"):
        history = open_history(file, form, settings.currency)
    summary = _send(history, settings, factor, file.name)
    _tell(history, summary)
    if summary.interrupted:
        raise typer.Exit(INTERRUPTED)


def check(form: str, speed: str) -> float:
    """Factor of `speed`; UsageError unless both make sense."""
    if form not in FORMATS:
        raise UsageError(f"--format is {form!r}, expected one of {', '.join(FORMATS)}")
    try:
        return parse_speed(speed)
    except AgosError as error:
        raise UsageError(f"--{error}") from None


def _send(history: History, settings: Settings, factor: float, name: str) -> Summary:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[at]}"),
    )  # fmt: skip
    connected = producer(settings)
    try:
        with Progress(*columns, console=err) as bar:
            task = bar.add_task(f"{name} → Kafka", total=history.total, at="")

            def progress(handed: int, at_ms: int) -> None:
                bar.update(task, completed=handed, at=f"at {day(at_ms)}")

            return send(history.records, connected, settings.partitions, factor, progress)
    finally:
        connected.close(timeout=5 if math.isfinite(factor) else 30)


def _tell(history: History, summary: Summary) -> None:
    for line, what in history.unreadable[:_SHOWN_UNREADABLE]:
        err.print(f"line {line}: {what}", markup=False)
    if history.unreadable_count:
        err.print(f"{plural(history.unreadable_count, 'line')} of the file could not be read")
    by_topic = ", ".join(f"{topic} {count:,}" for topic, count in sorted(summary.sent.items()))
    stopped = "stopped: " if summary.interrupted else ""
    out.print(
        f"{stopped}{plural(summary.total, 'event')} sent in {summary.seconds:.1f} s, "
        f"{summary.rate:,.0f}/s ({by_topic or 'none'})"
    )
