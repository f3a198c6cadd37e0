"""How the commands in a second terminal find what `agos up` runs: a file per instance.

Its lock tells whether the instance still runs, also after it was killed. The directory is the
user's own: a file in it names the servers that the user's commands will talk to.
"""

import fcntl
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from stream.errors import AgosError

_PREFIX = "AGOS_"


@dataclass(frozen=True)
class Instance:
    """A running `agos up` or `agos demo`, and the environment that its commands have."""

    pid: int
    command: str
    started_ms: int
    environment: Mapping[str, str]

    def overrides(self) -> dict[str, str]:
        """The environment as names of settings."""
        return {
            name.removeprefix(_PREFIX).lower(): value for name, value in self.environment.items()
        }


def directory() -> Path:
    """Where the instances of this user are announced."""
    return Path(tempfile.gettempdir()) / f"agos-{os.getuid()}"


@contextmanager
def announced(command: str, environment: Mapping[str, str]) -> Iterator[Path]:
    """Within, `running()` of any process of this user finds this instance."""
    place = directory()
    _make_own(place)
    _remove_stale(place)
    instance = Instance(os.getpid(), command, time.time_ns() // 1_000_000, environment)
    draft, path = place / f"{os.getpid()}.new", place / f"{os.getpid()}.json"
    with draft.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(instance), file)
        file.flush()
        draft.rename(path)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def running() -> Instance | None:
    """The instance of this user that was started last, None if none runs."""
    place = directory()
    if not _is_own(place):
        return None
    instances = [found for path in place.glob("*.json") if (found := _read(path)) is not None]
    return max(instances, key=lambda found: found.started_ms, default=None)


def _read(path: Path) -> Instance | None:
    try:
        with path.open() as file:
            if _unlocked(file.fileno()):
                return None
            return Instance(**json.load(file))
    except (OSError, ValueError, TypeError):
        return None


def _unlocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _make_own(place: Path) -> None:
    place.mkdir(mode=0o700, exist_ok=True)
    if not _is_own(place):
        raise AgosError(f"{place} belongs to somebody else, expected a directory of this user")


def _is_own(place: Path) -> bool:
    try:
        found = place.lstat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and not found.st_mode & 0o022 and place.is_dir()


def _remove_stale(place: Path) -> None:
    for path in place.glob("*.json"):
        if _read(path) is None:
            path.unlink(missing_ok=True)
