"""Memberships at an earlier moment, from those of now and the changes since. Pure."""

from collections.abc import Callable

from stream.events import MAX_FUTURE_MS
from stream.store.records import Change
from stream.topics import partition_of

#: Customer and segment.
Pair = tuple[str, str]


class WalkBack:
    """Takes changes from the newest to the oldest, and tells who was where at `at_ms`.

    Whoever is in a segment now and entered it until then was in it then; of all others the
    first change after that moment tells.

    Parameters
    ----------
    wanted
        Changes whose entries are worth remembering.
    """

    def __init__(self, at_ms: int, wanted: Callable[[Change], bool] = lambda change: True) -> None:
        self.at_ms = at_ms
        self._wanted = wanted
        self._after: dict[Pair, Change] = {}
        self._entries: dict[Pair, Change] = {}

    def add(self, change: Change) -> None:
        """The next older change."""
        pair = (change.customer_id, change.segment)
        if change.at_ms > self.at_ms:
            if self._wanted(change):
                self._after[pair] = change
        elif change.change == "entered" and pair not in self._entries and self._wanted(change):
            self._entries[pair] = change

    def passed(self, position: str) -> bool:
        """Whether no change that is older than `position` can be of after the moment.

        A change is written when it is known, so never before it is true but for the few minutes
        that events may be ahead.
        """
        return written_ms(position) + MAX_FUTURE_MS < self.at_ms

    def left_since(self) -> dict[Pair, Change]:
        """Who was in a segment then and has left it; with the exit."""
        return {pair: change for pair, change in self._after.items() if change.change == "left"}

    def entered_since(self) -> set[Pair]:
        """Who was not in a segment then and has entered it."""
        return {pair for pair, change in self._after.items() if change.change == "entered"}

    def entry(self, customer_id: str, segment: str) -> Change | None:
        """The last entry until the moment, as far as it was walked."""
        return self._entries.get((customer_id, segment))


def written_ms(position: str) -> int:
    """When an entry of the stream was written."""
    return int(position.partition("-")[0])


class Reach:
    """How far back changes tell everything where history was replayed.

    There a change carries the time of the events, which says nothing about when it was
    written. But the clock of a partition never goes back: all that was taken off the end is
    older than the first change by an event that is left of its partition.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._first_ms: dict[int, int] = {}

    def add(self, change: Change) -> None:
        """The next older change."""
        # A discovered segment's change has the time of the customer's newest event.
        if change.cause == "event" and not change.segment.startswith("cluster-"):
            partition = partition_of(change.customer_id, self._partitions)
            self._first_ms[partition] = change.at_ms

    def back_to_ms(self) -> int | None:
        """Everything is known from here on; None if some partition does not say."""
        if len(self._first_ms) < self._partitions:
            return None
        return max(self._first_ms.values())
