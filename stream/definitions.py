"""The definitions file while the worker runs: read, taken up when it changes, never half."""

import logging
from pathlib import Path

from stream.conditions import DefinitionError, Definitions, Ranks, did_you_mean, parse, text_of
from stream.defined import Defined
from stream.errors import ConfigurationError

log = logging.getLogger(__name__)
_MOST_BYTES = 1_000_000
_MOST_NAMES = 1_000


def read_definitions(path: Path) -> Definitions:
    """Definitions of a file.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    DefinitionError
        With every problem of the file, by line and column.
    """
    return parse(read_text(path), str(path))


def read_text(path: Path) -> str:
    """Text of a definitions file.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    DefinitionError
        If it holds no text.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigurationError(f"{path}: larger than {_MOST_BYTES} bytes")
        return text_of(path.read_bytes(), str(path))
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        found = f"the segment definitions {path} cannot be read: {said}"
        raise ConfigurationError(found + _beside(path)) from None


def _beside(path: Path) -> str:
    """What else may be meant by the name of a file that there is not."""
    if path.exists() or not path.parent.is_dir():
        return ""
    names = [other.name for other in path.parent.glob("*.y*ml")][:_MOST_NAMES]
    hint = did_you_mean(path.name, names)
    return f" ({hint})" if hint else ""


class DefinitionsFile:
    """Looks whether the file has changed; a bad one is reported and the old stays in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self.ranks = Ranks()
        self.defined: Defined | None = None
        self._ranked = ""

    def load(self) -> Defined:
        """The definitions at the start; raises as `read_definitions` does."""
        self._seen = self._stamp()
        self.defined = Defined(read_definitions(self._path), self.ranks)
        return self.defined

    def changed(self) -> Defined | None:
        """New definitions, if the file has another meaning than the one in force."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen or self.defined is None:
            return None
        self._seen = stamp
        try:
            newer = read_definitions(self._path)
        except (DefinitionError, ConfigurationError) as error:
            log.error("the definitions in force stay: %s", error)
            return None
        old = self.defined.definitions
        self.defined = Defined(newer.after(old), self.ranks)
        log.info("definitions %s in force, %d segments", newer.version, len(newer.segments))
        return self.defined

    def turn_over(self) -> bool:
        """A pass over all customers is over: the percentiles of it are in force.

        Returns
        -------
        bool
            Whether these definitions had none before: customers are to be looked at again.
        """
        self.ranks.turn_over()
        found = self.defined.definitions if self.defined is not None else None
        first = found is not None and found.ranked and found.version != self._ranked
        self._ranked = found.version if found is not None else ""
        return first

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size
