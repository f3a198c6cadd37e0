"""`agos collect`."""

from typing import Annotated

import typer

from stream.cli.common import Kafka, Partitions, Redis, new_app, out, settings_of
from stream.collect.app import serve
from stream.collect.keyring import new_key

app = new_app()


@app.command()
def collect(
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen (AGOS_COLLECTOR).")
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Keys file, instead of AGOS_WRITE_KEYS."),
    ] = None,
    new_key_for: Annotated[
        str | None,
        typer.Option("--new-key", metavar="SOURCE", help="Make a write key, and do nothing else."),
    ] = None,
    kafka: Kafka = None,
    redis: Redis = None,
    partitions: Partitions = None,
    log: Annotated[
        str | None, typer.Option(help="debug, info, warning or error (AGOS_LOG).")
    ] = None,
) -> None:
    """Point the SDK of a website here: Segment's and RudderStack's work as they are.

    An event is answered with 200 when Kafka has it on all replicas, and never before.
    """
    if new_key_for is not None:
        key, line = new_key(new_key_for)
        out.print(f"write key:    {key}", soft_wrap=True)
        out.print(f"in keys file: {line}", soft_wrap=True, markup=False)
        return
    settings = settings_of(
        kafka=kafka,
        redis=redis,
        partitions=partitions,
        log=log,
        collector=listen,
        write_keys=f"@{keys}" if keys else None,
    )
    raise typer.Exit(serve(settings))
