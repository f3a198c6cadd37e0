"""`agos why`."""

from pathlib import Path
from typing import Annotated

import typer

from stream.cli.common import Redis, UsageError, new_app, settings_of
from stream.cli.scanning import Clock
from stream.conditions import did_you_mean
from stream.definitions import read_definitions
from stream.errors import AgosError
from stream.recall import recall
from stream.store.ranks import stored_ranks
from stream.store.reader import Reader
from stream.store.scan import StateScan

app = new_app()


@app.command()
def why(
    customer_id: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    segment: Annotated[str, typer.Argument(help="Id of a defined segment.")],
    segments: Annotated[
        Path | None, typer.Option(help="The definitions file (AGOS_SEGMENTS).")
    ] = None,
    redis: Redis = None,
) -> None:
    """Why a customer is in a defined segment, or which condition is missing.

    Worked out here from what is remembered of the customer. Percentiles are those that workers have
    shared; a condition that asks for one counts as not fulfilled while there are none.
    """
    settings = settings_of(redis=redis, segments=segments)
    if settings.segments is None:
        raise UsageError("no definitions file: give --segments FILE or set AGOS_SEGMENTS")
    definitions = read_definitions(settings.segments)
    if segment not in definitions.segments:
        hint = did_you_mean(segment, definitions.segments)
        ids = hint or f"it has {', '.join(definitions.segments)}"
        raise UsageError(f"segment {segment!r} is not defined in {settings.segments} ({ids})")
    with Reader(settings) as reader:
        found = reader.customer(customer_id)
        customer_id = found.customer_id if found is not None else customer_id
        stored = reader.state(customer_id)
    if stored is None:
        raise AgosError(f"customer {customer_id!r} is unknown: no event of it was applied")
    (known,) = recall([customer_id], [stored])
    facts = known.facts(stored_ranks(settings))
    with StateScan(settings) as scan:
        now_ms = Clock(settings, scan).now_ms(customer_id)
    print(definitions.why(known.memory, facts, now_ms, segment, known.memberships))
