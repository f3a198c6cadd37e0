"""What a reader gives: recorded events in time order, and how their files are opened."""

import gzip
import heapq
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple, cast

from stream.errors import AgosError

_GZIP_MAGIC = b"\x1f\x8b"
#: Records that are held back to bring them into time order.
WINDOW = 100_000


class HistoryError(AgosError):
    """A file cannot be replayed: missing, damaged, or not of the format that was named."""


class Recorded(NamedTuple):
    """One recorded event, ready to send."""

    at_ms: int
    topic: str
    key: bytes
    value: bytes


@dataclass
class History:
    """Events of a file. `records` is read once.

    `total` is None where only reading on tells. `unreadable` fills up while records are read:
    (line number, what is wrong), the first hundred only; `unreadable_count` counts all.
    """

    records: Iterator[Recorded]
    total: int | None = None
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    unreadable_count: int = 0

    def report(self, line: int, what: str) -> None:
        """Note a line that is no event."""
        self.unreadable_count += 1
        if len(self.unreadable) < 100:
            self.unreadable.append((line, what))


def open_bytes(path: Path) -> IO[bytes]:
    """The file's content, decompressed if it is gzip (whatever its name).

    Raises
    ------
    HistoryError
        If it is missing or unreadable.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP_MAGIC
        if compressed:
            return cast(IO[bytes], gzip.open(path, "rb"))
        return path.open("rb")
    except OSError as error:
        raise HistoryError(f"{path}: {error.strerror}, expected a file to replay") from None


def lines(path: Path) -> Iterator[bytes]:
    """Lines of the file, in bounded memory.

    Raises
    ------
    HistoryError
        If it is missing, or damaged gzip.
    """
    with open_bytes(path) as file:
        try:
            yield from file
        except (EOFError, zlib.error, OSError) as error:
            raise HistoryError(f"{path}: {error}, expected an undamaged gzip file") from None


def in_time_order(records: Iterable[Recorded], window: int = WINDOW) -> Iterator[Recorded]:
    """`records` by time, stable; bounded memory.

    A record that comes more than `window` records after a later one cannot be brought forward;
    the order among one customer's records is kept as far as it was right.
    """
    held: list[tuple[int, int, Recorded]] = []
    for number, record in enumerate(records):
        if len(held) < window:
            heapq.heappush(held, (record.at_ms, number, record))
        else:
            yield heapq.heappushpop(held, (record.at_ms, number, record))[2]
    while held:
        yield heapq.heappop(held)[2]
