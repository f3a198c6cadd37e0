"""events-jsonl: one event of DESIGN's wire format per line, json or gzip.

The topic is the line's field `topic` where it has one, else it follows from the shape: `traits`
→ profiles, `order_id` → purchases, `name` → interactions. Lines are sent as they are, byte for
byte. A line that is no event is reported with its number, and sent to `interactions` without a
customer all the same: it ends in the dead letters like anything else that cannot be read, so
that a replay loses nothing. Left out are only empty lines and, reported, those of a size that
Kafka does not take.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stream.events import MIN_TIMESTAMP_MS
from stream.replay.history import History, HistoryError, Recorded, in_time_order, lines
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES

_YEAR_2100_MS = 4_102_444_800_000
#: A little less than Kafka's default limit of a batch (1,048,588).
_MOST_BYTES = 1_000_000


class _Line(msgspec.Struct):
    customer_id: Any = None
    timestamp: Any = None
    topic: Any = None
    traits: Any = msgspec.UNSET
    order_id: Any = msgspec.UNSET
    name: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(_Line).decode


def read_jsonl(path: Path) -> History:
    """Streams the file; lines up to `history.WINDOW` out of place come in time order.

    Raises (while records are read)
    -------------------------------
    HistoryError
        If the first line is no event: then this is no such file.
    """
    history = History(iter(()))
    history.records = in_time_order(_records(path, history))
    return history


def _records(path: Path, history: History) -> Iterator[Recorded]:
    # A line without a usable time keeps its place: right behind the line before it.
    at_ms = 0
    for number, raw in enumerate(lines(path), 1):
        value = raw.strip()
        if not value:
            continue
        try:
            line = _decode(value)
            topic = _topic(line)
        except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
            if at_ms == 0:
                raise HistoryError(
                    f"{path}: line {number}: {error}, expected one Agos event per line"
                ) from None
            history.report(number, str(error))
            line, topic = _Line(), INTERACTIONS
        else:
            at_ms = _place(line, number, at_ms, history)
        if len(value) > _MOST_BYTES:
            history.report(
                number, f"{len(value)} bytes, at most {_MOST_BYTES} can be sent: left out"
            )
            continue
        yield Recorded(at_ms, topic, _key(line), value)


def _place(line: _Line, number: int, before_ms: int, history: History) -> int:
    """When the line happened; `before_ms` where that cannot be told."""
    try:
        if not isinstance(line.customer_id, str):
            raise ValueError(f"customer_id is {line.customer_id!r:.80}, expected text")
        return _to_ms(line.timestamp)
    except ValueError as error:
        history.report(number, str(error))
        return max(before_ms, 1)


def _key(line: _Line) -> bytes:
    return line.customer_id.encode() if isinstance(line.customer_id, str) else b""


def _topic(line: _Line) -> str:
    if line.topic is not None:
        if line.topic not in EVENT_TOPICS:
            raise ValueError(f"topic is {line.topic!r:.80}, expected one of {EVENT_TOPICS}")
        return str(line.topic)
    if line.traits is not msgspec.UNSET:
        return PROFILES
    if line.order_id is not msgspec.UNSET:
        return PURCHASES
    if line.name is not msgspec.UNSET:
        return INTERACTIONS
    raise ValueError("neither name, order_id nor traits, expected one of them")


def _to_ms(timestamp: Any) -> int:
    if isinstance(timestamp, str):
        at = datetime.fromisoformat(timestamp)
        timestamp = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000
    if isinstance(timestamp, bool) or not isinstance(timestamp, int | float):
        raise ValueError(f"timestamp is {timestamp!r:.80}, expected RFC 3339 or epoch ms")
    # What lies outside would make a paced replay wait for ages.
    if not MIN_TIMESTAMP_MS <= timestamp < _YEAR_2100_MS:
        raise ValueError(f"timestamp is {timestamp!r:.40} ms, expected 1990 to 2100")
    return int(timestamp)
