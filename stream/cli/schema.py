"""`agos schema`."""

import json
from typing import Annotated

import typer

from stream.cli.common import UsageError, new_app
from stream.events import MODELS

app = new_app()


@app.command()
def schema(
    topic: Annotated[str | None, typer.Argument(help="Only the records of this topic.")] = None,
) -> None:
    """One JSON object: topic → JSON Schema (2020-12) of its records' values."""
    if topic is not None and topic not in MODELS:
        raise UsageError(f"topic is {topic!r}, expected one of {', '.join(MODELS)}")
    schemas = {name: model.model_json_schema() for name, model in MODELS.items()}
    print(json.dumps(schemas if topic is None else schemas[topic], indent=2, ensure_ascii=False))
