"""The dashboard beside `agos up` and `agos demo`, where what it needs is installed."""

import importlib.util
import webbrowser
from typing import Annotated

import typer

from stream.cli.common import out
from stream.cli.stack import Stack
from stream.local import free_port
from stream.local.servers import port_taken

Dashboard = Annotated[
    bool, typer.Option("--dashboard/--no-dashboard", help="Serve the web dashboard beside it.")
]
_NEEDED = ("nicegui", "prometheus_client")


def beside(running: Stack, wanted: bool) -> str:
    """Start it on this machine only; its address, empty where it is not wanted or not installed."""
    if not wanted or not all(importlib.util.find_spec(name) for name in _NEEDED):
        return ""
    port = int(running.settings.dashboard.rpartition(":")[2])
    if port_taken(port):
        port = free_port()
    running.start("dashboard", "dashboard", "--listen", f"127.0.0.1:{port}")
    return f"http://127.0.0.1:{port}"


def show(address: str) -> None:
    """Open it for a person at a desktop, who sees this terminal."""
    if not address or not out.is_terminal:
        return
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    # One that would take the terminal for itself is not wanted.
    if type(browser) is not webbrowser.GenericBrowser:
        browser.open(address)
