"""The commands that people type: one per file, each loaded only when it is called."""

import signal
import threading

# Ctrl-C before there is anybody to handle it: end at once, without a traceback out of an import.
_in_main = threading.current_thread() is threading.main_thread()
_before = signal.signal(signal.SIGINT, signal.SIG_DFL) if _in_main else None

from stream.cli.main import main  # noqa: E402

if _in_main:
    signal.signal(signal.SIGINT, _before)

__all__ = ["main"]
