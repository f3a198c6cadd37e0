"""Become another program that dies with its parent: `python launch.py PARENT_PID COMMAND…`.

Run as a file, isolated and without `site`, so that it costs a few milliseconds. The parent's
death signal is set here and not between fork and exec in the parent, where Python code is not
safe once there are threads. Elsewhere than on Linux there is no such signal: it only executes.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the signal, check that the parent still lives, execute."""
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the parent is gone")
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")


if __name__ == "__main__":
    main()
