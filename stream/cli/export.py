"""`agos export`."""

import json
from typing import Annotated

import typer

from stream.cli.common import Kafka, Partitions, Redis, new_app, settings_of
from stream.collect.portrait import kept_in_kafka, kept_in_redis
from stream.errors import AgosError

app = new_app()


@app.command()
def export(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    events: Annotated[
        bool, typer.Option("--events", help="Also the records that Kafka keeps; reads a partition.")
    ] = False,
    kafka: Kafka = None,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """Everything that is kept of one customer, as JSON."""
    settings = settings_of(kafka=kafka, redis=redis, partitions=partitions)
    found = {"id": customer_id, **kept_in_redis(settings, customer_id)}
    if events:
        found["records"] = list(kept_in_kafka(settings, customer_id))
    if found["customer"] is None and not found["changes"] and not found.get("records"):
        raise AgosError(f"nothing is kept of customer {customer_id!r}")
    print(json.dumps(found, ensure_ascii=False))
