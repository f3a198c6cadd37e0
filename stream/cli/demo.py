"""`agos demo`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from stream.cli import replay
from stream.cli.common import UsageError, err, new_app, out, plural
from stream.cli.dashboards import Dashboard, beside, show
from stream.cli.simulate import Customers, History, Rate
from stream.cli.stack import Stack, stack
from stream.cli.up import Workers
from stream.cli.watch import Seconds, look
from stream.local import terminable
from stream.replay import FORMATS
from stream.store.reader import Reader
from stream.watch import History as Seen

app = new_app()

File = Annotated[
    Path | None,
    typer.Argument(exists=True, dir_okay=False, readable=True, help="Real history instead."),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help=f"Of FILE: {', '.join(FORMATS)}."),
]
_SEED = 1
_NEWS_SECONDS = 15.0


class News:
    """What the supervisor says: into the view for a while, or to stderr where there is none."""

    def __init__(self) -> None:
        self._latest, self._at_s = "", 0.0

    def tell(self, message: str) -> None:
        """Take in what happened."""
        self._latest, self._at_s = message, time.monotonic()
        if not out.is_terminal:
            err.print(message, markup=False)

    def checked(self, running: Stack) -> str:
        """Let the supervisor do its work; the latest news."""
        running.supervisor.check()
        return self._latest if time.monotonic() - self._at_s < _NEWS_SECONDS else ""


@app.command()
def demo(
    file: File = None,
    form: Format = None,
    speed: Annotated[
        str, typer.Option(help="Of FILE: how much faster than it happened; or max.")
    ] = "200000x",
    rate: Rate = 200.0,
    customers: Customers = 2_000,
    history: History = 20_000,
    workers: Workers = 1,
    seconds: Seconds = None,
    dashboard: Dashboard = True,
) -> None:
    """Starts everything as `agos up` does, sends the events and shows the live view.

    The shop is simulated: nobody is behind its customers. Give a FILE to see real history. Ctrl-C
    stops everything; look around meanwhile in a second terminal: `agos customer c000001`.
    """
    feed, note, overrides = _feed(file, form, speed, rate, customers, history)
    news = News()
    with terminable():
        try:
            with stack("demo", workers, news.tell, overrides=overrides) as running:
                out.print(f"{note} (agos {' '.join(feed)})", soft_wrap=True)
                address = beside(running, dashboard)
                if address:
                    out.print(f"Dashboard: [bold]{address}[/]", soft_wrap=True)
                try:
                    with out.status("starting; the first join of a group takes a few seconds"):
                        running.wait_until_ready()
                    running.start("events", *feed)
                    show(address)
                    shown = f"{note}, {address}" if address else note
                    look(running.settings, shown, 1.0, seconds, lambda: news.checked(running))
                finally:
                    _sum_up(running)
        finally:
            out.print("Everything is stopped.")


def _feed(
    file: Path | None, form: str | None, speed: str, rate: float, customers: int, history: int
) -> tuple[list[str], str, dict[str, str]]:
    """Arguments of the `agos` command that sends the events, what they are, and settings."""
    if file is None:
        if form is not None:
            raise UsageError("--format is given, expected a FILE with it")
        sizes = ["--rate", f"{rate:g}", "--customers", str(customers), "--history", str(history)]
        return ["simulate", *sizes, "--seed", str(_SEED)], "simulated shop", {}
    if form is None:
        raise UsageError(f"--format is missing, expected one of {', '.join(FORMATS)}")
    replay.check(form, speed)
    overrides = {"AGOS_CLOCK": "events"}
    if form == "online-retail":
        overrides["AGOS_CURRENCY"] = "GBP"
    command = ["replay", str(file.resolve()), "--format", form, "--speed", speed]
    return command, f"real history: {file.name}", overrides


def _sum_up(running: Stack) -> None:
    with Reader(running.settings) as reader:
        seen = Seen()
        seen.add(reader.overview(running.settings.partitions))
        known = reader.customers()
    now = seen.now
    events = plural(now.counters.get("applied", 0), "event")
    out.print(f"{events} of {plural(known, 'customer')} applied, {now.rejected:,} rejected.")
    out.print(
        f"{plural(len(now.segments), 'segment')}, {plural(now.changes_kept, 'change')} "
        "(entries and exits)."
    )
