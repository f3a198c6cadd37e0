"""`agos settings`."""

from typing import Any

from pydantic import SecretStr
from rich.markup import escape
from rich.table import Table

from stream.cli.common import new_app, out, settings_of
from stream.settings import Settings
from stream.store.connect import shown_url

app = new_app()


@app.command()
def settings() -> None:
    """Values are those that a command run here would use; secrets are not shown."""
    found = settings_of()
    table = Table(box=None, pad_edge=False)
    for title in ("environment variable", "value", "meaning"):
        table.add_column(title, overflow="fold")
    for name, field in Settings.model_fields.items():
        value = escape(_shown(name, getattr(found, name)))
        style = "bold" if name in found.model_fields_set else "dim"
        table.add_row(f"AGOS_{name.upper()}", f"[{style}]{value}[/]", field.description or "")
    out.print(table)
    out.print("\n[bold]Bold[/]: set, or of the running `agos up`. [dim]Dim[/]: the default.")


def _shown(name: str, value: Any) -> str:
    if isinstance(value, SecretStr):
        return "(set, not shown)" if value.get_secret_value() else "-"
    if name == "redis":
        return shown_url(value)
    if isinstance(value, dict):
        return ",".join(f"{key}={rate:g}" for key, rate in value.items()) or "-"
    return str(value) if value not in (None, "") else "-"
