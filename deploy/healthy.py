"""Exit code 0 if a worker of this host has reported to Redis within the last seconds, else 1."""

import socket
import sys

from stream.errors import AgosError
from stream.settings import load
from stream.store.reader import Reader


def main() -> int:
    """Exit code; says on stderr why it is 1. In a container, the host is the container."""
    try:
        with Reader(load()) as reader:
            workers = reader.overview(partitions=0, changes=1).workers
    except AgosError as error:
        print(error, file=sys.stderr)
        return 1
    host = socket.gethostname()
    if any(worker.host == host for worker in workers):
        return 0
    print(f"no worker of {host} has reported lately", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
