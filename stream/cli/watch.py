"""`agos watch`."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Annotated

import typer
from rich.live import Live

from stream.cli.common import Partitions, Redis, new_app, out, settings_of
from stream.settings import Settings
from stream.store.connect import shown_url
from stream.store.reader import Reader
from stream.watch import History, line, view

app = new_app()

#: As many as fit on a high terminal.
_CHANGES = 60

Every = Annotated[
    float, typer.Option("--every", min=0.2, max=60, help="Seconds between two looks.")
]
Seconds = Annotated[float | None, typer.Option(min=0, help="Stop by itself after so long.")]


@app.command()
def watch(
    every: Every = 1.0,
    seconds: Seconds = None,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """Sizes with their trend over the last minute, and since the view was opened.

    It only reads Redis. Without a terminal (in a pipe) it prints plain lines. Ctrl-C ends it.
    """
    settings = settings_of(redis=redis, partitions=partitions)
    look(settings, shown_url(settings.redis), every, seconds)


def look(
    settings: Settings,
    note: str,
    every: float = 1.0,
    seconds: float | None = None,
    check: Callable[[], str] = lambda: "",
) -> None:
    """Show the live view, or print lines where there is no terminal.

    `check` is called every time; what it raises ends the view, what it returns is shown.
    """
    history = History()
    end_s = None if seconds is None else time.monotonic() + seconds
    with Reader(settings) as reader, _screen() as live:
        while end_s is None or time.monotonic() < end_s:
            news = check()
            history.add(reader.overview(settings.partitions, _CHANGES))
            if live is None:
                print(line(history), flush=True)
            else:
                live.update(view(history, *out.size, note, news), refresh=True)
            left = every if end_s is None else min(every, end_s - time.monotonic())
            time.sleep(max(left, 0.0))


def _screen() -> Live | nullcontext[None]:
    if out.is_terminal:
        return Live(console=out, screen=True, auto_refresh=False)
    return nullcontext()
