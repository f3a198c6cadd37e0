"""Births, deaths, splits and merges of clusters as they are seen; pure and bounded."""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from stream.store.structure import KEPT, Published

#: Kinds in the order of the timeline, and in words.
KINDS = {"born": "born", "split": "split off", "merged": "merged", "died": "ended"}
_MOST_NAMES = 2_000


class Turn(msgspec.Struct, frozen=True):
    """What became of one cluster.

    Attributes
    ----------
    others
        Names of those it came from (split) or went into (merged).
    about
        It was not seen: it happened at some time before.
    """

    at_ms: int
    version: int
    kind: str
    segment: str
    name: str
    others: tuple[str, ...] = ()
    about: bool = False


class Structure:
    """What has become of the clusters since the first model that was seen."""

    def __init__(self) -> None:
        #: Newest first.
        self.turns: deque[Turn] = deque(maxlen=KEPT)
        self.version = 0
        self._names: dict[str, str] = {}
        self._current: set[str] = set()

    def restore(self, turns: Iterable[Turn]) -> None:
        """Take in what was stored, newest first."""
        self.turns.extend(turns)
        # What ended stays ended; what lives is known again with the next model.
        for turn in reversed(self.turns):
            self._names[turn.segment] = turn.name
            self.version = max(self.version, turn.version)
            if turn.kind in ("born", "split"):
                self._current.add(turn.segment)
            else:
                self._current.discard(turn.segment)

    def add(self, at_ms: int, published: Published) -> list[Turn]:
        """What is new with this model, in order; of versions that were missed, what remains."""
        if published.version <= self.version:
            return []
        followed = published.version == self.version + 1
        changes = published.changes if followed else list(self._missed(published))
        self._names.update(published.names)
        new = [
            Turn(
                at_ms, published.version, kind, segment, self.name(segment),
                tuple(self.name(other) for other in others), about=not followed,
            )
            for kind, segment, others in changes
        ]  # fmt: skip
        self.version = published.version
        self._current = set(published.names)
        self.turns.extendleft(new)
        while len(self._names) > _MOST_NAMES:
            del self._names[next(iter(self._names))]
        return new

    def name(self, segment: str) -> str:
        """Its last name; its id where it never had one that was seen."""
        return self._names.get(segment, segment)

    def _missed(self, published: Published) -> Iterable[tuple[str, str, Sequence[str]]]:
        for segment, born in published.born.items():
            if born > self.version and segment not in self._current:
                parents = published.parents.get(segment, ())
                yield ("split" if parents else "born"), segment, parents
        for segment in sorted(self._current - published.names.keys()):
            heirs = [s for s, parents in published.parents.items() if segment in parents]
            yield ("merged" if heirs else "died"), segment, heirs
