"""`agos up`."""

import time
from typing import Annotated

import typer

from stream.cli.common import err, new_app, out, plural
from stream.cli.dashboards import Dashboard, beside
from stream.cli.stack import Stack, stack
from stream.local import terminable
from stream.settings import Settings

app = new_app()

Workers = Annotated[int, typer.Option("--workers", min=1, max=64, help="Worker processes.")]
_POLL_SECONDS = 0.2
#: Always to be exported for other programs; the rest only where it is not the default.
_ADDRESSES = ("AGOS_KAFKA", "AGOS_REDIS")


@app.command()
def up(
    workers: Workers = 1,
    kafka_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the broker; 0: any free one.")
    ] = 0,
    redis_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the Redis; 0: any free one.")
    ] = 0,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="Stop by itself after so long.")
    ] = None,
    dashboard: Dashboard = True,
) -> None:
    """Needs no Docker and no Java. Everything is kept in memory and gone afterwards.

    Other agos commands of yours find it by themselves while it runs. Ctrl-C stops all of it.
    """
    with terminable():
        try:
            with (
                out.status("starting broker, Redis and topics") as status,
                stack(
                    "up", workers, _tell, kafka_port=kafka_port, redis_port=redis_port
                ) as running,
            ):
                _introduce(running, beside(running, dashboard))
                status.update("workers are joining")
                if running.wait_until_ready():
                    out.print(f"{plural(workers, 'worker')} ready. Ctrl-C stops everything.")
                status.stop()
                _keep(running, seconds)
        finally:
            out.print("Everything is stopped.")


def _keep(running: Stack, seconds: float | None) -> None:
    end_s = None if seconds is None else time.monotonic() + seconds
    while running.supervisor.check() and (end_s is None or time.monotonic() < end_s):
        time.sleep(_POLL_SECONDS)


def _tell(message: str) -> None:
    err.print(message, markup=False)


def _introduce(running: Stack, address: str) -> None:
    out.print(f"Kafka   [bold]{running.settings.kafka}[/]")
    out.print(f"Redis   [bold]{running.settings.redis}[/]")
    if address:
        out.print(f"Page    [bold]{address}[/] (agos dashboard)", soft_wrap=True)
    out.print(f"Logs    {running.logs}", soft_wrap=True)
    out.print("\nFor other programs:")
    for name, value in running.environment.items():
        default = Settings.model_fields[name.removeprefix("AGOS_").lower()].default
        if name in _ADDRESSES or (value and value != str(default) and "SESSION" not in name):
            out.print(f"  export {name}={value}", soft_wrap=True)
    out.print("\nIn a second terminal: `agos simulate`, `agos watch`, `agos segments`\n")
