"""`agos forget`."""

from typing import Annotated

import typer

from stream.cli.common import Partitions, Redis, new_app, out, plural, settings_of
from stream.store.forget import Forgetter

app = new_app()


@app.command()
def forget(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    opt_out: Annotated[
        bool, typer.Option("--opt-out", help="Refuse the customer's later events too.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take the mark away: events are wanted again.")
    ] = False,
    redis: Redis = None,
    partitions: Partitions = None,
) -> None:
    """Removes state, record, memberships and changes from Redis, for good.

    A digest of the id stays, so that collectors and workers pass over the customer's events up to
    now. Records in Kafka stay until their topic's retention ends.
    """
    settings = settings_of(redis=redis, partitions=partitions)
    with Forgetter(settings) as forgetter:
        if undo:
            done = forgetter.pardon(customer_id)
            out.print("The events of this customer are wanted again." if done else "No mark.")
            return
        found = forgetter.forget(customer_id, for_ever=opt_out)
    out.print(
        f"Removed {plural(found.keys, 'key')}, {plural(found.memberships, 'membership')} and "
        f"{plural(found.changes, 'change')}. Events "
        + ("of this customer are not taken any more." if opt_out else "up to now are not taken.")
    )
