"""Format names and their readers."""

from pathlib import Path

from stream.errors import ConfigurationError
from stream.replay.history import History
from stream.replay.jsonl import read_jsonl
from stream.replay.online_retail import read_online_retail
from stream.replay.otto import read_otto

#: Name on the command line → what it is.
FORMATS = {
    "online-retail": "CSV of the UCI data set Online Retail, plain or gzip",
    "events-jsonl": "one Agos event per line, plain or gzip",
    "otto": "JSON lines of the OTTO recommender data set, plain or gzip",
}


def open_history(path: Path, form: str, currency: str = "USD") -> History:
    """History in `path`. `currency` is for data without any (otto).

    Raises
    ------
    HistoryError
        If the file is missing, damaged or of another format; for the streaming formats also
        while the records are read.
    ConfigurationError
        If there is no such format.
    """
    if form == "online-retail":
        return read_online_retail(path)
    if form == "events-jsonl":
        return read_jsonl(path)
    if form == "otto":
        return read_otto(path, currency)
    raise ConfigurationError(f"format is {form!r}, expected one of {', '.join(FORMATS)}")
