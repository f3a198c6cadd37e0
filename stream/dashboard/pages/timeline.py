"""What became of the clusters, and what has drifted, on one line of time."""

from collections.abc import Sequence

from stream.dashboard.elements import Row
from stream.dashboard.structure import KINDS, Turn
from stream.store.learned import Alert
from stream.watch.times import ago, moment

DRIFT = "drift"
_MOST_ROWS = 50


def on_timeline(turns: Sequence[Turn], alerts: Sequence[Alert]) -> dict[str, list[tuple[int, str]]]:
    """Kind in words → when, and what to say of it."""
    found: dict[str, list[tuple[int, str]]] = {word: [] for word in KINDS.values()}
    for turn in turns:
        found[_kind(turn)].append((turn.at_ms, f"{moment(turn.at_ms)}  {told(turn)}"))
    found[DRIFT] = [(a.noticed_ms, f"{moment(a.noticed_ms)}  {a.text}") for a in alerts]
    return found


def rows(turns: Sequence[Turn]) -> list[Row]:
    """The newest, as rows of a table."""
    return [
        {
            "key": f"{turn.version}-{turn.kind}-{turn.segment}",
            "cells": [
                f"{'before ' if turn.about else ''}{moment(turn.at_ms)} ({ago(turn.at_ms)})",
                _kind(turn),
                turn.name,
                ", ".join(turn.others) or "-",
                f"{turn.version:,}",
                turn.segment,
            ],
        }
        for turn in list(turns)[:_MOST_ROWS]
    ]


def told(turn: Turn) -> str:
    """One sentence: `recent buyers: split off large-order buyers`."""
    others = ", ".join(turn.others)
    joint = {"split": "", "merged": "into "}.get(turn.kind, "from ")
    return f"{turn.name}: {_kind(turn)}{f' {joint}{others}' if others else ''}"


def _kind(turn: Turn) -> str:
    return KINDS.get(turn.kind, KINDS["born"])
