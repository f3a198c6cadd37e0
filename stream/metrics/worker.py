"""What a worker tells of itself, and whether it is alive: read when asked, nothing is counted
twice, and no batch waits for it."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream.metrics.applying import Meters
from stream.metrics.names import family, histogram

_BEAT_SECONDS = 0.5
#: An event loop that has not turned for so long is stuck.
_STUCK_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """A worker's counts since its start, and what it has now."""

    events: int = 0
    batches: int = 0
    rejected: int = 0
    misses: int = 0
    lag: int = 0
    partitions: int = 0
    model_version: int = 0
    rebalancing: bool = False
    #: Whether it was ever given its share of the partitions (which may be none).
    joined: bool = False
    #: What Faust's own sensor has.
    fetches: int = 0
    rebalances: int = 0
    rebalance_seconds: float = 0.0


class WorkerMetrics(Collector):
    """Collects when Prometheus asks; `beat` runs in the worker's event loop.

    Parameters
    ----------
    vitals
        Read from the metrics' thread: plain numbers only.
    stall_seconds
        As `AGOS_STALL_SECONDS`: events wait, none is applied.
    meters
        Of the pipeline's store.
    """

    def __init__(
        self,
        vitals: Callable[[], Vitals],
        stall_seconds: float,
        meters: Meters | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._vitals, self._stall_seconds, self._clock = vitals, stall_seconds, clock
        self._meters = meters or Meters()
        self._beat_s = self._moved_s = clock()
        self._batches = -1
        self._delay_seconds = 0.0
        self._joined = False

    async def beat(self) -> None:
        """Show that the event loop turns, until it is cancelled."""
        while True:
            self.note()
            begun = self._clock()
            await asyncio.sleep(_BEAT_SECONDS)
            self._delay_seconds = max(self._clock() - begun - _BEAT_SECONDS, 0.0)

    def note(self) -> None:
        """The event loop has turned once more."""
        vitals = self._vitals()
        self._beat_s = self._clock()
        self._joined = self._joined or vitals.joined
        if not vitals.lag or vitals.rebalancing or vitals.batches != self._batches:
            self._moved_s, self._batches = self._beat_s, vitals.batches

    def collect(self) -> Iterator[Metric]:
        """Every metric of a worker."""
        vitals = self._vitals()
        yield family("agos_worker_events_total", vitals.events)
        yield family("agos_worker_batches_total", vitals.batches)
        yield family("agos_worker_rejected_total", vitals.rejected)
        yield family("agos_worker_misses_total", vitals.misses)
        yield family("agos_worker_lag_events", vitals.lag)
        yield family("agos_worker_partitions", vitals.partitions)
        yield family("agos_worker_model_version", vitals.model_version)
        yield family("agos_worker_stalled_seconds", self._stalled_seconds())
        yield family("agos_worker_loop_delay_seconds", self._delay_seconds)
        yield histogram("agos_worker_latency_seconds", self._meters.latency)
        yield histogram("agos_worker_write_seconds", self._meters.write)
        yield family("agos_worker_fetches_total", vitals.fetches)
        yield family("agos_worker_rebalances_total", vitals.rebalances)
        yield family("agos_worker_rebalance_seconds", vitals.rebalance_seconds)

    def live(self) -> str:
        """What is wrong, so that it should be started again; empty if nothing is."""
        silent = self._clock() - self._beat_s
        if silent > _STUCK_SECONDS:
            return f"the event loop has not turned for {silent:.0f} s"
        stalled = self._stalled_seconds()
        if stalled > self._stall_seconds:
            return f"events wait and none was applied for {stalled:.0f} s"
        return ""

    def ready(self) -> str:
        """Why it does not work on its share (yet); empty if it does."""
        if problem := self.live():
            return problem
        if not self._joined:
            return "it has not joined its group yet"
        return "partitions are being given out anew" if self._vitals().rebalancing else ""

    def _stalled_seconds(self) -> float:
        stalled = self._clock() - self._moved_s
        # Up to a beat late is no stall.
        return stalled if stalled > 2 * _BEAT_SECONDS else 0.0
