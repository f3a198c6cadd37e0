"""Who reports to Redis, workers and collectors: since when one is silent, and how fast it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stream.dashboard.rates import Rate
from stream.store.collectors import CollectorReport
from stream.store.records import WorkerStatus

#: Workers and collectors report every second; one is doubted after so long, and gone after twice
#: that.
SILENT_MS = 3_000


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker, its own rate, and for how long it has said nothing."""

    status: WorkerStatus
    silent_ms: int
    per_second: float | None

    @property
    def alive(self) -> bool:
        """Whether it still counts as running."""
        return self.silent_ms < 2 * SILENT_MS


@dataclass(frozen=True, slots=True)
class CollectorView:
    """A collector, for how long it has said nothing, and its rates; errors are its own (5xx)."""

    report: CollectorReport
    silent_ms: int
    requests_per_second: float | None
    errors_per_second: float | None

    @property
    def alive(self) -> bool:
        """Whether it still counts as running."""
        return self.silent_ms < 2 * SILENT_MS


class Heard:
    """When somebody was last heard, by what was seen of them: their clocks may differ from ours."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def silent_ms(self, at_ms: int, reports: Mapping[str, int]) -> dict[str, int]:
        """Name → for how long its report, of that time by its own clock, has been the same."""
        known = {}
        for name, told_ms in reports.items():
            before = self._known.get(name)
            if before is None:
                # Seen for the first time: only their clock can tell.
                known[name] = told_ms, min(told_ms, at_ms)
            else:
                known[name] = told_ms, at_ms if before[0] != told_ms else before[1]
        self._known = known
        return {name: at_ms - heard_ms for name, (_, heard_ms) in known.items()}


class Collectors:
    """Rates of collectors, each counted by itself: one that begins anew has another name."""

    def __init__(self) -> None:
        self._heard = Heard()
        self._rates: dict[str, tuple[Rate, Rate]] = {}

    def add(self, at_ms: int, reports: Sequence[CollectorReport]) -> tuple[CollectorView, ...]:
        """What there is to say of them at `at_ms`."""
        silent = self._heard.silent_ms(at_ms, {r.collector: r.at_ms for r in reports})
        self._rates = {r.collector: self._rates.get(r.collector, (Rate(), Rate())) for r in reports}
        views = []
        for report in sorted(reports, key=lambda r: (r.host, r.started_ms)):
            requests, errors = self._rates[report.collector]
            requests.add(report.at_ms, sum(report.requests.values()))
            errors.add(report.at_ms, sum(n for s, n in report.requests.items() if s[:1] == "5"))
            views.append(
                CollectorView(
                    report, silent[report.collector], requests.per_second, errors.per_second
                )
            )
        return tuple(views)


def collected(collectors: Sequence[CollectorView]) -> dict[str, float | None]:
    """Figures of all collectors together; None where none reports."""
    alive = [view for view in collectors if view.alive]
    return {
        "requests_per_second": _sum(view.requests_per_second for view in alive),
        "request_errors": _sum(view.errors_per_second for view in alive),
    }


def _sum(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None
