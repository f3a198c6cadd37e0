"""The live view for a terminal: what Redis says, once a second, as something to look at."""

from stream.watch.history import History
from stream.watch.lines import line
from stream.watch.view import view

__all__ = ["History", "line", "view"]
