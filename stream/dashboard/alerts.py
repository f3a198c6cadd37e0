"""What ops should be told without looking: rules over the moments; pure."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from stream.dashboard.figures import BY_ID, State, Thresholds
from stream.dashboard.history import History
from stream.dashboard.moment import Moment
from stream.dashboard.text import plural

#: Rule → what it means; the names are the label of the metric `agos_alert`.
RULES: Mapping[str, str] = {
    "redis_away": "Redis does not answer",
    "kafka_away": "Kafka does not answer",
    "no_worker": "partitions have no worker",
    "lag_growing": "lag is at its threshold and grows",
    "no_progress": "events wait and none is applied",
    "latency": "latency is at its threshold for acting",
    "memory": "Redis' memory is at its threshold for acting",
    "dead_letters": "dead letters come in at their threshold",
    "request_errors": "collectors do not take events at their threshold",
    "size_jump": "a segment's size has jumped within ten minutes",
    "flapping": "customers enter and leave a segment again and again",
    "undelivered": "webhooks do not take changes",
}
#: A condition must hold for so long before it is an alert, and be gone for so long to be over.
_RAISE_MS = {"no_worker": 15_000, "no_progress": 15_000, "kafka_away": 15_000, "redis_away": 5_000}
_DEFAULT_RAISE_MS = 10_000
_SETTLE_MS = 30_000
_GROWING_MS = 60_000
_JUMP_SECONDS = 600
#: A size jumps when it has changed by this share, and by this many customers.
JUMP_SHARE, JUMP_CUSTOMERS = 0.3, 100
#: Everybody of a segment has entered and left so often within ten minutes.
FLAPPING_TIMES, FLAPPING_MOVES = 1.0, 200


class Alert(msgspec.Struct, frozen=True):
    """One alert; `subject` is the segment, where it is about one. `until_ms`: when it was over."""

    rule: str
    subject: str
    state: State
    text: str
    since_ms: int
    until_ms: int | None = None


@dataclass
class _Held:
    since_ms: int
    seen_ms: int
    alert: Alert | None = None


class Alerts:
    """Raises and settles alerts as moments come."""

    def __init__(self, limits: Thresholds) -> None:
        self._limits = limits
        self._held: dict[tuple[str, str], _Held] = {}
        self._lags: deque[tuple[int, float]] = deque()

    @property
    def active(self) -> tuple[Alert, ...]:
        """Those that are raised and not over, the oldest first."""
        raised = [held.alert for held in self._held.values() if held.alert is not None]
        return tuple(sorted(raised, key=lambda alert: alert.since_ms))

    def add(
        self, at_ms: int, moment: Moment | None, problem: str, history: History
    ) -> Sequence[Alert]:
        """What is new at this moment: alerts that were raised, and that are over."""
        found = dict(self._conditions(at_ms, moment, problem, history))
        new: list[Alert] = []
        for key, (state, text) in found.items():
            held = self._held.setdefault(key, _Held(at_ms, at_ms))
            held.seen_ms = at_ms
            wait_ms = _RAISE_MS.get(key[0], _DEFAULT_RAISE_MS)
            if held.alert is None and at_ms - held.since_ms >= wait_ms:
                held.alert = Alert(key[0], key[1], state, text, held.since_ms)
                new.append(held.alert)
            elif held.alert is not None:
                held.alert = msgspec.structs.replace(held.alert, state=state, text=text)
        for key in [k for k in self._held if k not in found]:
            held = self._held[key]
            if held.alert is None:
                del self._held[key]
            elif at_ms - held.seen_ms >= _SETTLE_MS:
                new.append(msgspec.structs.replace(held.alert, until_ms=held.seen_ms))
                del self._held[key]
        return new

    def _conditions(
        self, at_ms: int, moment: Moment | None, problem: str, history: History
    ) -> Iterable[tuple[tuple[str, str], tuple[State, str]]]:
        """(rule, subject) → state and sentence of what is not as it should be."""
        if problem:
            # Of the rest nothing is known.
            yield ("redis_away", ""), ("act", problem)
            yield from (
                (key, (held.alert.state, held.alert.text))
                for key, held in self._held.items()
                if held.alert is not None and key[0] != "redis_away"
            )
            return
        if moment is None:
            return
        if moment.kafka_problem:
            yield ("kafka_away", ""), ("act", moment.kafka_problem)
        if moment.unowned:
            count = plural(len(moment.unowned), "partition")
            yield ("no_worker", ""), ("act", f"without a worker: {count}")
        yield from self._progress(at_ms, moment)
        for rule, figure in (
            ("latency", "latency_p99_ms"), ("memory", "redis_share"),
            ("dead_letters", "dead_per_second"), ("undelivered", "undelivered"),
            ("request_errors", "request_errors"),
        ):  # fmt: skip
            state = moment.state(figure, self._limits)
            enough = state == "act" or (
                state == "watch" and rule in ("dead_letters", "request_errors", "undelivered")
            )
            if enough:
                shown = BY_ID[figure].shown(moment.figures[figure])
                yield (rule, ""), (_state(state), f"{RULES[rule]}: {shown}")
        yield from _segments(moment, history)

    def _progress(
        self, at_ms: int, moment: Moment
    ) -> Iterable[tuple[tuple[str, str], tuple[State, str]]]:
        lag = moment.figures.get("lag") or 0.0
        self._lags.append((at_ms, lag))
        while at_ms - self._lags[0][0] > _GROWING_MS:
            self._lags.popleft()
        watched = at_ms - self._lags[0][0] >= _GROWING_MS * 0.9
        state = moment.state("lag", self._limits)
        if watched and state != "fine" and lag > 1.2 * self._lags[0][1]:
            before = self._lags[0][1]
            yield (
                ("lag_growing", ""),
                (_state(state), f"lag is {lag:,.0f}, and was {before:,.0f} a minute ago"),
            )
        # Workers know which of the last offsets hold no events; Kafka's ends do not tell.
        waiting = sum(worker.status.lag for worker in moment.alive)
        if waiting and moment.figures.get("events_per_second") == 0:
            yield ("no_progress", ""), ("act", f"{waiting:,} events wait and none is applied")


def _segments(
    moment: Moment, history: History
) -> Iterable[tuple[tuple[str, str], tuple[State, str]]]:
    points = history.points(_JUMP_SECONDS, 10_000)
    span_ms = points[-1].at_ms - points[0].at_ms if points else 0
    if span_ms < _JUMP_SECONDS * 900:
        # Too little is known: at the beginning everything grows.
        return
    moved: dict[str, int] = {}
    for point in points:
        for name, (_, entered, left) in point.segments.items():
            moved[name] = moved.get(name, 0) + entered + left
    for segment in moment.segments:
        if segment.id not in points[0].segments or segment.retired:
            continue
        before, now = points[0].segments[segment.id][0], segment.size
        if abs(now - before) >= max(JUMP_SHARE * before, JUMP_CUSTOMERS):
            said = f"{segment.name}: {plural(before, 'customer')} ten minutes ago, {now:,} now"
            yield ("size_jump", segment.id), ("watch", said)
        moves = moved.get(segment.id, 0)
        if moves >= max(2 * FLAPPING_TIMES * max(now, 1), FLAPPING_MOVES):
            said = (
                f"{segment.name}: {moves:,} entries and exits in ten minutes, "
                f"{plural(now, 'customer')}"
            )
            yield ("flapping", segment.id), ("watch", said)


def _state(state: str) -> State:
    return "act" if state == "act" else "watch"
