"""Recorded history → Kafka: readers of three formats, and the sender that paces them."""

from stream.replay.formats import FORMATS, open_history
from stream.replay.history import History, HistoryError, Recorded
from stream.replay.send import Summary, parse_speed, replay

__all__ = [
    "FORMATS",
    "History",
    "HistoryError",
    "Recorded",
    "Summary",
    "open_history",
    "parse_speed",
    "replay",
]
