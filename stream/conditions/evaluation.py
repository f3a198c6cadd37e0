"""Bringing memberships up to a moment."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from stream.conditions.conditions import All
from stream.conditions.segments import Segment, dependents_of, upstream_of
from stream.conditions.verdict import Cause, Change
from stream.conditions.view import NEVER, View


@dataclass(frozen=True, slots=True)
class Held:
    """Places of segments that may not be entered, or left, while a customer's past is not known:
    it could prove the entry or exit wrong."""

    entries: frozenset[int] = frozenset()
    exits: frozenset[int] = frozenset()


NOTHING_HELD = Held()

#: Index of a segment → moment at which it must be looked at though nothing happens.
Dues = dict[int, int]


def earliest(dues: Dues) -> int:
    """The next moment of all, `NEVER` if there is none."""
    return min(dues.values(), default=NEVER)


class Evaluation:
    """Evaluates segments, which come in an order in which each follows those it needs."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = [(s, s.id, s.when.turn, s.stay_at_least_ms) for s in segments]
        self._dependents = dependents_of(segments)
        self._upstream = upstream_of(segments)

    def run(
        self,
        view: View,
        work: list[int],
        dues: Dues,
        changes: list[Change],
        cause: Cause,
        held: Held = NOTHING_HELD,
    ) -> None:
        """Look at the segments of `work` (ascending), and at those that need what changes."""
        now_ms = view.now_ms
        for i in work:
            segment, name, turn_of, stay_ms = self._segments[i]
            turn = turn_of(view)
            entered_ms = view.members.get(name)
            if turn > 0:
                if entered_ms is None and i not in held.entries:
                    view.enter(name, now_ms)
                    entered_ms = now_ms
                    changes.append(self._entered(segment, view, cause, turn))
                    self._spread(i, work)
                next_ms = max(turn, entered_ms + stay_ms) if stay_ms and entered_ms else turn
            elif entered_ms is None or i in held.exits:
                next_ms = -turn
            elif stay_ms and entered_ms + stay_ms > now_ms:
                next_ms = entered_ms + stay_ms
            else:
                view.leave(name)
                reason = "" if view.projecting else segment.when.reason(view)
                changes.append(Change(name, "left", now_ms, cause, reason, None))
                self._spread(i, work)
                next_ms = -turn
            if next_ms < NEVER:
                dues[i] = next_ms
            elif i in dues:
                del dues[i]

    def catch_up(
        self, view: View, dues: Dues, changes: list[Change], held: Held = NOTHING_HELD
    ) -> None:
        """Go through every moment up to the view's at which time alone turned something."""
        until_ms = view.now_ms
        while (due := earliest(dues)) <= until_ms:
            view.now_ms = due
            work = sorted(i for i, due_ms in dues.items() if due_ms == due)
            self.run(view, work, dues, changes, "time", held)
        view.now_ms = until_ms

    def _spread(self, i: int, work: list[int]) -> None:
        """Look at the segments that need this one as well; they all come later."""
        for dependent in self._dependents[i]:
            if dependent not in work:
                insort(work, dependent)

    def _entered(self, segment: Segment, view: View, cause: Cause, turn: int) -> Change:
        if view.projecting:
            return Change(segment.id, "entered", view.now_ms, cause, "", None)
        upstream = self._upstream[segment.id]
        alone = len(upstream) == 1
        end_ms = _end_alone(segment, view, turn) if alone else self._end(segment, view, upstream)
        when = segment.when
        # Every part of it holds: no need to ask them again.
        parts = when.parts if isinstance(when, All) else (when,)
        reason = "; ".join([part.reason(view) for part in parts])
        return Change(segment.id, "entered", view.now_ms, cause, reason, end_ms)

    def _end(self, segment: Segment, view: View, upstream: Sequence[int]) -> int | None:
        """When the customer leaves the segment if nothing but time goes on."""
        future = _future(view)
        dues: Dues = {}
        while True:
            # All that the segment needs, one by one: so nothing spreads beyond.
            for i in upstream:
                self.run(future, [i], dues, [], "time")
            if segment.id not in future.members:
                return future.now_ms
            future.now_ms = earliest(dues)
            if future.now_ms == NEVER:
                return None


def _end_alone(segment: Segment, view: View, turn: int) -> int | None:
    """The same for a segment that needs no other; it was entered now."""
    due = max(turn, view.now_ms + segment.stay_at_least_ms)
    if due >= NEVER:
        return None
    now_ms, view.projecting = view.now_ms, True
    while due < NEVER:
        view.now_ms = due
        turn = segment.when.turn(view)
        if turn < 0:
            break
        due = turn
    view.now_ms, view.projecting = now_ms, False
    return due if due < NEVER else None


def _future(view: View) -> View:
    return View(view.states, view.facts, view.now_ms, view.members, view.scope, projecting=True)
