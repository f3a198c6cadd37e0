"""The commands that people type: one per file, each loaded only when it is called."""

from stream.cli.main import main

__all__ = ["main"]
