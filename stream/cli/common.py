"""What the commands share: options, consoles, and which broker and Redis they talk to."""

import logging
from importlib import import_module
from typing import Annotated, Any

import typer
from rich.console import Console

from stream.cli import runtime
from stream.errors import AgosError
from stream.settings import Settings, load

Kafka = Annotated[
    str | None,
    typer.Option("--kafka", metavar="HOST:PORT,…", help="Kafka's bootstrap servers (AGOS_KAFKA)."),
]
Redis = Annotated[
    str | None, typer.Option("--redis", metavar="URL", help="URL of the Redis (AGOS_REDIS).")
]
Partitions = Annotated[
    int | None,
    typer.Option("--partitions", help="Partitions of each event topic (AGOS_PARTITIONS)."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]

FAILED, USAGE, INTERRUPTED = 1, 2, 130

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class UsageError(AgosError):
    """The command cannot be run like this."""


def new_app(**options: Any) -> typer.Typer:
    """App of one command."""
    return typer.Typer(
        context_settings={"help_option_names": ["-h", "--help"]},
        add_completion=False,
        **options,
    )


def settings_of(**overrides: Any) -> Settings:
    """Settings of options and environment; where these name neither broker nor Redis, of the
    `agos up` or `agos demo` that this user runs.

    Raises
    ------
    UsageError
        Naming what is not as expected.
    """
    quiet_clients()
    try:
        settings = load(**overrides)
        if settings.model_fields_set.isdisjoint({"kafka", "redis"}):
            running = runtime.running()
            if running is not None:
                given = {name: value for name, value in overrides.items() if value is not None}
                settings = load(**{**running.overrides(), **given})
    except AgosError as error:
        raise UsageError(str(error)) from None
    return settings


def quiet_clients() -> None:
    """The clients' own log lines are no words for the person at the terminal."""
    for name in ("kafka", "redis", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def drawing(module: str) -> Any:
    """A module that draws, with what is not installed with the rest."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise UsageError(
            "--plots needs matplotlib, which is not installed: pip install 'agos[analyze]'"
        ) from None


def plural(number: int, word: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
