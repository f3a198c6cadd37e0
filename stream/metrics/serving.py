"""Metrics and health of a worker process, from what its crew has."""

from stream.agents import Crew
from stream.metrics.applying import Meters, watch_writes
from stream.metrics.endpoint import Endpoint, registry
from stream.metrics.worker import Vitals, WorkerMetrics
from stream.settings import Settings


def serve_worker(settings: Settings, crew: Crew) -> Endpoint:
    """Serve at `AGOS_METRICS` as long as the process lives; the crew's app beats for it.

    Raises
    ------
    ConfigurationError
        If the address is none, or taken.
    """
    meters = Meters()
    watch_writes(crew.pipeline, settings, meters.note)
    metrics = WorkerMetrics(lambda: vitals(crew), settings.stall_seconds, meters)
    crew.app.task(metrics.beat)
    return Endpoint(settings.metrics, registry(metrics), metrics.live, metrics.ready)


def vitals(crew: Crew) -> Vitals:
    """The crew's counts; read from another thread, so nothing is walked through."""
    pipeline, meter = crew.pipeline, crew.pipeline.meter
    snapshot, sensor = pipeline.snapshot, crew.app.monitor
    return Vitals(
        events=meter.events,
        batches=meter.batches,
        rejected=meter.rejected,
        misses=meter.misses,
        lag=crew.report.lag,
        partitions=len(pipeline.segmenters),
        model_version=snapshot.version if snapshot else 0,
        rebalancing=bool(crew.app.rebalancing),
        joined=bool(pipeline.segmenters) or not crew.app.unassigned,
        fetches=sensor.events_total,
        rebalances=sensor.rebalances,
        rebalance_seconds=next(reversed(sensor.rebalance_end_latency), 0.0),
    )
