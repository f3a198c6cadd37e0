"""`agos`: finds the command, and turns what goes wrong into one sentence and an exit code."""

import sys
from importlib import import_module
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from stream.cli.common import FAILED, INTERRUPTED, USAGE, UsageError
from stream.errors import AgosError

#: Command → its module in `stream.cli`, and what it does in one line.
COMMANDS = {
    "demo": ("demo", "See it run: a simulated shop (or a real file), live in this terminal."),
    "up": ("up", "Start everything on this machine: broker, Redis, topics and workers."),
    "watch": ("watch", "Watch segments, workers and changes live."),
    "dashboard": ("dashboard", "Serve the page that ops leave open: figures, segments, workers."),
    "customer": ("customer", "Show one customer: totals, segments, traits, recent changes."),
    "segments": ("segments", "List the segments, or the customers of one."),
    "check": ("check", "Check a file of segment definitions before it is used."),
    "preview": ("preview", "See whom a file of segment definitions would concern, before it does."),
    "analyze": ("analyze", "Tell which facts about customers are worth segmenting by."),
    "why": ("why", "Say why a customer is in a segment, or what is missing."),
    "evaluate": ("evaluate", "Measure how good the clusterers are, on simulated or recorded data."),
    "model": ("model", "Show the model: segments, challengers, drift; ask for a clusterer."),
    "topics": ("topics", "Create the Kafka topics, or check those that exist."),
    "repartition": ("repartition", "Move what Redis keeps to where AGOS_PARTITIONS wants it."),
    "worker": ("worker", "Run one worker: events in, segments out."),
    "collect": ("collect", "Take events over HTTP, as Segment's and RudderStack's SDKs send them."),
    "replay": ("replay", "Send recorded history from a file through Kafka."),
    "simulate": ("simulate", "Send the events of a simulated shop."),
    "dead-letters": ("dead_letters", "List rejected events by reason; send them back after a fix."),
    "webhooks": ("webhooks", "Send entries and exits to HTTP receivers, signed."),
    "forget": ("forget", "Forget a customer: everything in Redis, for good."),
    "export": ("export", "Print everything that is kept of one customer."),
    "schema": ("schema", "Print the JSON Schema of every record."),
    "settings": ("settings", "List every setting, its environment variable and its value."),
}


class Commands(TyperGroup):
    """Lists commands without loading them: some need a second or two of imports."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(cmd_name, help=COMMANDS[cmd_name][1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else command, rest


def load(name: str) -> Any:
    """The command itself."""
    module = import_module(f"stream.cli.{COMMANDS[name][0]}")
    command = get_command(module.app)
    command.help = f"{COMMANDS[name][1]}\n\n{command.help or ''}".strip()
    command.epilog = "More settings come from the environment: `agos settings` lists them."
    return command


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with `agos demo`. Settings come from environment variables: `agos settings`.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"agos {installed_version('agos')}")
        raise typer.Exit


@app.callback()
def agos(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Agos keeps every customer's segments live: Kafka events in, segments in Redis out."""


def main() -> None:
    """Run the command of the command line and exit: 0, 1 failed, 2 used wrongly, 130 Ctrl-C."""
    sys.exit(run())


def run() -> int:
    """Exit code of the command line's command."""
    try:
        get_command(app)(prog_name="agos")
    except UsageError as error:
        return _say(error, USAGE)
    except AgosError as error:
        return _say(error, FAILED)
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else FAILED
    return 0


def _say(error: AgosError, code: int) -> int:
    text = f"[red]agos:[/] {escape(str(error))}"
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)
    return code
