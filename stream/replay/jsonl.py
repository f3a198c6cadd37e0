"""events-jsonl: one event of DESIGN's wire format per line, json or gzip.

The topic is the line's field `topic` where it has one, else it follows from the shape: `traits`
→ profiles, `order_id` → purchases, `name` → interactions. Lines are sent as they are, byte for
byte. A line that is no event is reported with its number, and sent to `interactions` without a
customer all the same: it ends in the dead letters like anything else that cannot be read, so
that a replay loses nothing. Only empty lines are skipped.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from stream.replay.history import History, Recorded, in_time_order, lines
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES


class _Line(msgspec.Struct):
    customer_id: Any = None
    timestamp: Any = None
    topic: Any = None
    traits: Any = msgspec.UNSET
    order_id: Any = msgspec.UNSET
    name: Any = msgspec.UNSET


_decode = msgspec.json.Decoder(_Line).decode


def read_jsonl(path: Path) -> History:
    """Streams the file; lines up to `history.WINDOW` out of place come in time order."""
    history = History(iter(()))
    history.records = in_time_order(_records(path, history))
    return history


def _records(path: Path, history: History) -> Iterator[Recorded]:
    at_ms = 0
    for number, raw in enumerate(lines(path), 1):
        value = raw.strip()
        if not value:
            continue
        try:
            line = _decode(value)
            topic, at_ms = _topic(line), _to_ms(line.timestamp)
            key = line.customer_id.encode() if isinstance(line.customer_id, str) else b""
            if not key:
                history.report(number, f"customer_id is {line.customer_id!r:.80}, expected text")
        except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
            # Keeps its place: right behind the line before it.
            history.report(number, str(error))
            topic, key = INTERACTIONS, b""
        yield Recorded(at_ms, topic, key, value)


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
    if isinstance(timestamp, int | float):
        return int(timestamp)
    at = datetime.fromisoformat(timestamp) if isinstance(timestamp, str) else None
    if at is None:
        raise ValueError(f"timestamp is {timestamp!r:.80}, expected RFC 3339 or epoch ms")
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
