"""`agos webhooks`."""

import signal
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from stream.cli.common import Redis, new_app, out, plural, settings_of
from stream.collect.webhooks import Deliverer, Webhook, read_webhooks, redrive
from stream.errors import AgosError
from stream.logs import set_up
from stream.metrics.extras import optional
from stream.settings import Settings
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
        _undelivered(settings, hooks, again)
        return
    set_up(settings, {})
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    _deliver(settings, [Deliverer(hook, settings) for hook in hooks], ending)


def _undelivered(settings: Settings, hooks: Sequence[Webhook], again: bool) -> None:
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


def _deliver(settings: Settings, deliverers: Sequence[Deliverer], ending: threading.Event) -> None:
    """Until it is ended; one webhook that ends by itself ends all, to be started again."""
    with _metrics(settings, deliverers):
        for deliverer in deliverers:
            deliverer.start()
        out.print(f"Delivering to {plural(len(deliverers), 'webhook')}. Ctrl-C stops.")
        while not ending.wait(_LOOK_SECONDS):
            dead = [deliverer.name for deliverer in deliverers if not deliverer.is_alive()]
            if dead:
                raise AgosError(f"{', '.join(dead)} ended with an error that is not expected")
        for deliverer in deliverers:
            deliverer.stop()


def _metrics(settings: Settings, deliverers: Sequence[Deliverer]) -> AbstractContextManager[object]:
    if not settings.metrics:
        return nullcontext()
    serving = optional("stream.metrics.webhooks", "AGOS_METRICS", "dashboard")
    served: AbstractContextManager[object] = serving.serve_webhooks(settings, deliverers)
    return served
