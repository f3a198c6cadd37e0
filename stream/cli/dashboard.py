"""`agos dashboard`."""

from typing import Annotated

import typer

from stream.cli.common import Kafka, Partitions, Redis, UsageError, new_app, settings_of

try:
    from stream.dashboard.app import serve
except ModuleNotFoundError as error:
    raise UsageError(
        f"the dashboard needs {error.name}, which is not installed: pip install 'agos[dashboard]'"
    ) from None

app = new_app()


@app.command()
def dashboard(
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen (AGOS_DASHBOARD).")
    ] = None,
    kafka: Kafka = None,
    redis: Redis = None,
    partitions: Partitions = None,
    log: Annotated[
        str | None, typer.Option(help="debug, info, warning or error (AGOS_LOG).")
    ] = None,
) -> None:
    """A page for ops to leave open: figures, segments, workers, alerts.

    It reads Redis and where Kafka's logs end. Only this machine reaches it, unless you set
    AGOS_DASHBOARD and a token.
    """
    settings = settings_of(
        kafka=kafka, redis=redis, partitions=partitions, log=log, dashboard=listen
    )
    raise typer.Exit(serve(settings))
