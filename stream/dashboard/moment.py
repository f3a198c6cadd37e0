"""What is known at one moment, put together from what was seen; pure."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stream.dashboard.figures import Thresholds, judge
from stream.dashboard.history import FINEST, MOST_FLOWS, MOST_SEGMENTS, Point
from stream.dashboard.logs import Place, lag_by_topic
from stream.dashboard.rates import Latencies, Moves, Rate, moves
from stream.dashboard.reporters import Collectors, CollectorView, Heard, WorkerView, collected
from stream.store.collectors import CollectorReport
from stream.store.records import Segment
from stream.store.watching import Seen

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Ends:
    """Kafka's answer: topic and partition → begin and end of the log, or why there is none."""

    logs: Mapping[Place, tuple[int, int]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything the pages show of now.

    Attributes
    ----------
    figures
        Figure → value, None where it is not known.
    lags
        Topic → events that wait, by Kafka's ends; empty while Kafka does not answer.
    per_minute
        Segment → entries and exits of the last minute.
    unowned
        Partitions that no living worker has.
    replaying
        The latest changes came of events of long ago.
    """

    at_ms: int
    seen: Seen
    figures: Mapping[str, float | None]
    workers: tuple[WorkerView, ...]
    lags: Mapping[str, int]
    kafka_problem: str
    per_minute: Mapping[str, tuple[int, int]]
    unowned: tuple[int, ...]
    replaying: bool
    collectors: tuple[CollectorView, ...] = ()

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments, the largest first, retired ones last."""
        return self.seen.segments

    @property
    def limited(self) -> bool:
        """Whether Redis has a limit of its own for its memory."""
        return bool(self.seen.memory.get("maxmemory"))

    @property
    def alive(self) -> tuple[WorkerView, ...]:
        """Workers that report."""
        return tuple(worker for worker in self.workers if worker.alive)

    def state(self, figure: str, limits: Thresholds) -> str:
        """`fine`, `watch` or `act`; without events nobody needs a model that learns."""
        value = self.figures.get(figure)
        if figure == "model_age_ms" and not self.figures.get("events_per_second"):
            return "fine"
        if figure == "workers":
            return "fine" if value else "act"
        return judge(figure, value, limits)


class Moments:
    """Makes moments of what is seen, one after the other."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._applied, self._dead, self._changed = Rate(), Rate(), Rate()
        self._latencies = Latencies()
        self._changes = 0
        self._heard = Heard()
        self._by_worker: dict[str, Rate] = {}
        self._collectors = Collectors()
        self._minute: deque[tuple[int, Moves]] = deque()
        self._entered: Counter[str] = Counter()
        self._left: Counter[str] = Counter()
        self._since_point: list[Moves] = []

    def add(
        self, at_ms: int, seen: Seen, ends: Ends, collectors: Sequence[CollectorReport] = ()
    ) -> Moment:
        """The moment of `at_ms`."""
        counters = seen.counters
        self._applied.add(at_ms, counters.get("applied", 0))
        dead = sum(n for name, n in counters.items() if name.startswith("rejected"))
        self._dead.add(at_ms, dead)
        self._changes += len(seen.changes)
        self._changed.add(at_ms, self._changes)
        self._latencies.add(at_ms, seen.changes)
        self._count_moves(at_ms, seen)
        workers = self._workers(at_ms, seen)
        owned = {p for w in workers if w.alive for p in w.status.partitions}
        unowned = tuple(p for p in range(self._partitions) if p not in owned)
        lags = lag_by_topic(ends.logs, seen.offsets) if ends.logs else {}
        collecting = self._collectors.add(at_ms, collectors)
        figures = self._figures(at_ms, seen, workers, lags, unowned) | collected(collecting)
        return Moment(
            at_ms, seen, figures, workers, lags, ends.problem, self._per_minute(), unowned,
            replaying=bool(self._latencies.old), collectors=collecting,
        )  # fmt: skip

    def point(self, moment: Moment) -> Point:
        """The moment as a point of the history, with all moves since the last one."""
        taken, self._since_point = self._since_point, []
        entered: Counter[str] = Counter()
        left: Counter[str] = Counter()
        flows: Counter[tuple[str, str]] = Counter()
        for part in taken:
            entered.update(part.entered)
            left.update(part.left)
            flows.update(part.flows)
        shown = moment.segments[:MOST_SEGMENTS]
        return Point(
            moment.at_ms // (FINEST * 1000) * FINEST * 1000,
            {name: value for name, value in moment.figures.items() if value is not None},
            {s.id: (s.size, entered[s.id], left[s.id]) for s in shown},
            [(a, b, n) for (a, b), n in flows.most_common(MOST_FLOWS)],
        )

    def _figures(
        self,
        at_ms: int,
        seen: Seen,
        workers: tuple[WorkerView, ...],
        lags: Mapping[str, int],
        unowned: tuple[int, ...],
    ) -> dict[str, float | None]:
        alive = [worker for worker in workers if worker.alive]
        p50, p99 = self._latencies.quantiles(0.5, 0.99) or (None, None)
        memory = seen.memory
        limit = memory.get("maxmemory") or memory.get("total_system_memory")
        reported = sum(w.status.lag for w in alive) if alive else None
        return {
            "events_per_second": self._applied.per_second,
            "lag": sum(lags.values()) if lags else reported,
            "latency_p50_ms": p50,
            "latency_p99_ms": p99,
            "workers": len(alive),
            "unowned": len(unowned),
            "dead_per_second": self._dead.per_second,
            "model_version": seen.model_version,
            "model_age_ms": max(at_ms - seen.learned_ms, 0) if seen.learned_ms else None,
            "redis_share": memory["used_memory"] / limit if memory and limit else None,
            "redis_bytes": memory.get("used_memory"),
            "redis_commands": seen.commands_per_second,
            "changes_per_second": self._changed.per_second,
            "undelivered": seen.undelivered,
            "segments": len(seen.segments),
        }

    def _workers(self, at_ms: int, seen: Seen) -> tuple[WorkerView, ...]:
        reports = {status.worker: status.at_ms for status in seen.workers}
        silent = self._heard.silent_ms(at_ms, reports)
        rates = {name: self._by_worker.get(name, Rate()) for name in reports}
        for status in seen.workers:
            rates[status.worker].add(status.at_ms, status.events)
        self._by_worker = rates
        found = [
            WorkerView(status, silent[status.worker], rates[status.worker].per_second)
            for status in seen.workers
        ]
        return tuple(sorted(found, key=lambda w: (w.status.host, w.status.started_ms)))

    def _count_moves(self, at_ms: int, seen: Seen) -> None:
        kind = {segment.id: segment.discovered for segment in seen.segments}
        found = moves(seen.changes, kind)
        self._since_point.append(found)
        self._minute.append((at_ms, found))
        self._entered.update(found.entered)
        self._left.update(found.left)
        while at_ms - self._minute[0][0] >= _MINUTE_MS:
            _, gone = self._minute.popleft()
            self._entered.subtract(gone.entered)
            self._left.subtract(gone.left)

    def _per_minute(self) -> dict[str, tuple[int, int]]:
        names = {*self._entered, *self._left}
        return {
            name: (self._entered[name], self._left[name])
            for name in names
            if self._entered[name] or self._left[name]
        }
