"""`agos repartition`."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stream import admin
from stream.cli.common import Kafka, Partitions, Redis, err, new_app, out, plural, settings_of
from stream.store.repartition import Repartitioner

app = new_app()


@app.command()
def repartition(kafka: Kafka = None, redis: Redis = None, partitions: Partitions = None) -> None:
    """No worker may run meanwhile, and the topics must have that many partitions already.

    What an earlier version of Agos left in Redis is brought to where this one looks for it. Where
    it is broken off nothing is lost: run it again and it goes on.
    """
    settings = settings_of(kafka=kafka, redis=redis, partitions=partitions)
    with out.status(f"asking {settings.kafka}"):
        topic_ids = admin.check(settings)
    with Repartitioner(settings, topic_ids) as mover:
        with out.status("looking at what there is"):
            total = mover.begin()
        if total is None:
            out.print(
                "Nothing to do: all that Redis keeps is where "
                f"{plural(settings.partitions, 'partition')} want it."
            )
            return
        try:
            _move(mover, total)
        except KeyboardInterrupt:
            err.print("Not at the end yet: run `agos repartition` again, and it goes on from here.")
            raise
    out.print(
        f"Redis is divided into {plural(settings.partitions, 'partition')}: "
        f"{plural(mover.moved, 'customer')} moved."
    )


def _move(mover: Repartitioner, total: int) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=err, transient=True) as progress:
        task = progress.add_task("states and due times", total=total)
        for count in mover.move():
            progress.advance(task, count)
