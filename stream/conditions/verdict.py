"""What an evaluation found."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Cause = Literal["event", "time", "model", "definition"]


class Change(NamedTuple):
    """A customer entered or left a segment.

    `at_ms` is exact: what time alone turned carries the moment it turned, not that at which it
    was noticed. `due_ms` is when an entry ends if nothing happens (None: never, or an exit).
    """

    segment: str
    change: Literal["entered", "left"]
    at_ms: int
    cause: Cause
    reason: str
    due_ms: int | None


class Verdict(NamedTuple):
    """Changes in the order in which they came about, and all memberships after them.

    `due_ms` is the moment at which the customer must be evaluated again though nothing
    happens; no membership turns by itself before it (None: none ever does).
    """

    changes: tuple[Change, ...]
    memberships: Mapping[str, int]
    due_ms: int | None

    @property
    def entered(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.change == "entered")

    @property
    def left(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if change.change == "left")
