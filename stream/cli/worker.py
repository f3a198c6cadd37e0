"""`agos worker`."""

from typing import Annotated

import typer

from stream import worker as workers
from stream.cli.common import Kafka, Partitions, Redis, new_app, settings_of

app = new_app()


@app.command()
def worker(
    kafka: Kafka = None,
    redis: Redis = None,
    partitions: Partitions = None,
    log: Annotated[
        str | None, typer.Option(help="debug, info, warning or error (AGOS_LOG).")
    ] = None,
) -> None:
    """Start as many as you like, on any machine: they share the partitions of the topics.

    Ctrl-C or SIGTERM stops it after what it is doing; nothing is lost or counted twice, however
    it ends. Where it fails it exits with 1, to be started again.
    """
    settings = settings_of(kafka=kafka, redis=redis, partitions=partitions, log=log)
    raise typer.Exit(workers.run(settings))
