"""`agos topics`."""

from rich.table import Table

from stream import admin
from stream.cli.common import Kafka, Partitions, new_app, out, settings_of

app = new_app()


@app.command()
def topics(kafka: Kafka = None, partitions: Partitions = None) -> None:
    """Topics that exist stay as they are; one with another number of partitions is refused."""
    settings = settings_of(kafka=kafka, partitions=partitions)
    with out.status(f"asking {settings.kafka}"):
        created = admin.create(settings)
    table = Table(box=None, pad_edge=False)
    table.add_column("topic")
    table.add_column("partitions", justify="right")
    table.add_column("")
    for name, count in admin.wanted(settings).items():
        table.add_row(name, str(count), "created" if name in created else "was there")
    out.print(table)
