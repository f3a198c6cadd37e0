"""Makes the secrets that are named and not there yet: a file each, where settings look for them."""

import os
import secrets
import sys
from pathlib import Path

from stream.settings import SECRETS


def make(name: str, folder: Path = SECRETS) -> bool:
    """Make one, readable by its owner only; False if there is one already."""
    new = folder / f".{name}.{os.getpid()}"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(16))
    try:
        # Never half written, never instead of another.
        os.link(new, folder / name)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    return True


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{SECRETS / name}: {'made' if make(name) else 'there already'}", flush=True)
