"""`agos webhooks`."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.common import Redis, new_app, out, plural, settings_of
from stream.collect.webhooks import Deliverer, read_webhooks, redrive
from stream.errors import AgosError
from stream.logs import set_up
from stream.store.undelivered import UndeliveredChanges

app = new_app()

#: Whether all webhooks are still delivered to.
_LOOK_SECONDS = 1.0


@app.command()
def webhooks(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file of the webhooks.")],
    undelivered: Annotated[
        bool, typer.Option("--undelivered", help="List what receivers did not take.")
    ] = False,
    again: Annotated[bool, typer.Option("--redrive", help="Try each of these once more.")] = False,
    redis: Redis = None,
) -> None:
    """At least once, in order, signed. Each webhook goes on where it stopped."""
    settings = settings_of(redis=redis)
    hooks = read_webhooks(file)
    if undelivered or again:
        with UndeliveredChanges(settings) as kept:
            if again:
                taken, left = redrive(hooks, kept)
                out.print(f"{plural(taken, 'change')} taken, {left} not.")
                return
            for one in kept.read():
                out.print(
                    f"{one.hook}  {one.change['customer']} {one.change['change']} "
                    f"{one.change['segment']}: {one.problem}",
                    markup=False,
                )
        return
    set_up(settings, {})
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    deliverers = [Deliverer(hook, settings) for hook in hooks]
    for deliverer in deliverers:
        deliverer.start()
    out.print(f"Delivering to {plural(len(hooks), 'webhook')}. Ctrl-C stops.")
    while not ending.wait(_LOOK_SECONDS):
        dead = [deliverer.name for deliverer in deliverers if not deliverer.is_alive()]
        if dead:
            raise AgosError(f"{', '.join(dead)} ended with an error that is not expected")
    for deliverer in deliverers:
        deliverer.stop()
