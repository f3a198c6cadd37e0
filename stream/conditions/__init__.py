"""The language of defined segments: from a YAML file to who belongs where, and why.

`parse` reads a file (source, document, syntax, grammar, phrases, details, fields; hints, spellings,
vocabulary and notes know what people write instead) into `Definitions`, which
fold events into a customer's memory (keepers, memory) and evaluate it at a moment (conditions,
occurrences, standing, view). Everything here is pure: time is passed in.
"""

from stream.conditions.definitions import Definitions
from stream.conditions.grammar import Examined, examine, parse
from stream.conditions.listening import Listening, States
from stream.conditions.memory import Memory, Point, copied, unknown_past
from stream.conditions.percentiles import Measure, Ranks
from stream.conditions.problems import DefinitionError, Problem, did_you_mean
from stream.conditions.segments import KINDS, Segment
from stream.conditions.selection import ORDER_COMPLETED, ORDER_REFUNDED, Happening, purchase_event
from stream.conditions.source import text_of
from stream.conditions.verdict import Change, Verdict
from stream.conditions.view import Changed, Facts, Percentiles

__all__ = [
    "KINDS",
    "ORDER_COMPLETED",
    "ORDER_REFUNDED",
    "Change",
    "Changed",
    "DefinitionError",
    "Definitions",
    "Examined",
    "Facts",
    "Happening",
    "Listening",
    "Measure",
    "Memory",
    "Percentiles",
    "Point",
    "Problem",
    "Ranks",
    "Segment",
    "States",
    "Verdict",
    "copied",
    "did_you_mean",
    "examine",
    "parse",
    "purchase_event",
    "text_of",
    "unknown_past",
]
