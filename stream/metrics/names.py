"""Every metric by name. The document, Prometheus' rules and Grafana's dashboard are held to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from stream.metrics.histogram import Histogram

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Name:
    """A metric. A counter's name ends with `_total`, any other with its unit."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    def family(self, values: Mapping[tuple[str, ...], float]) -> Metric:
        """The metric with a value for each combination of its labels."""
        family: CounterMetricFamily | GaugeMetricFamily
        if self.kind == "counter":
            family = CounterMetricFamily(self.name, self.help, labels=self.labels)
        else:
            family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for labels, value in values.items():
            family.add_metric(labels, value)
        return family


WORKER = (
    Name("agos_worker_events_total", "counter", "events applied since the worker's start"),
    Name("agos_worker_batches_total", "counter", "batches written to Redis"),
    Name("agos_worker_rejected_total", "counter", "events sent to the dead letters"),
    Name("agos_worker_misses_total", "counter", "writes that Redis refused: another came before"),
    Name("agos_worker_lag_events", "gauge", "events that wait in the worker's partitions"),
    Name("agos_worker_partitions", "gauge", "partitions that the worker has"),
    Name("agos_worker_model_version", "gauge", "version of the model that it scores with"),
    Name(
        "agos_worker_stalled_seconds", "gauge",
        "since when events wait and none was applied; 0 if all goes on",
    ),
    Name("agos_worker_loop_delay_seconds", "gauge", "how late the event loop last was"),
    Name(
        "agos_worker_latency_seconds", "histogram",
        "from a customer's newest event's timestamp to its state in Redis",
    ),
    Name("agos_worker_write_seconds", "histogram", "from a call of Redis' script to its answer"),
    Name("agos_worker_fetches_total", "counter", "fetches that Faust handed to the agents"),
    Name("agos_worker_rebalances_total", "counter", "rebalances that Faust saw"),
    Name("agos_worker_rebalance_seconds", "gauge", "how long the last one took; 0 before it"),
)  # fmt: skip

COLLECTOR = (
    Name("agos_collector_requests_total", "counter", "answers of the tracking routes", ("status",)),
    Name("agos_collector_accepted_total", "counter", "events that Kafka has acknowledged"),
    Name("agos_collector_duplicates_total", "counter", "events sent again, passed over"),
    Name(
        "agos_collector_not_deduplicated_total", "counter",
        "times that Redis did not say what was sent before",
    ),
    Name("agos_collector_without_consent_total", "counter", "events that lacked consent"),
    Name("agos_collector_forgotten_total", "counter", "events of customers that are forgotten"),
    Name("agos_collector_traits_left_out_total", "counter", "traits too long or too many"),
    Name("agos_collector_waiting_events", "gauge", "events that Kafka has not acknowledged yet"),
    Name("agos_collector_ready", "gauge", "1 if events would be taken now"),
)  # fmt: skip

WEBHOOKS = (
    Name(
        "agos_webhook_delivered_total", "counter", "changes that the receiver has taken",
        ("webhook",),
    ),
    Name(
        "agos_webhook_refused_total", "counter",
        "attempts that the receiver did not answer with 2xx", ("webhook",),
    ),
    Name(
        "agos_webhook_given_up_total", "counter", "changes kept after the last attempt",
        ("webhook",),
    ),
    Name(
        "agos_webhook_behind_seconds", "gauge",
        "since when the change under way waits; 0 while none does", ("webhook",),
    ),
)  # fmt: skip

SYSTEM = (
    Name("agos_redis_up", "gauge", "1 if Redis answers the dashboard"),
    Name("agos_kafka_up", "gauge", "1 if Kafka answers the dashboard"),
    Name("agos_workers", "gauge", "workers that report"),
    Name("agos_collectors", "gauge", "collectors that report"),
    Name("agos_partitions_unowned", "gauge", "partitions that no reporting worker has"),
    Name("agos_lag_events", "gauge", "events that wait in Kafka", ("topic",)),
    Name("agos_events_applied_total", "counter", "events applied since the beginning"),
    Name("agos_duplicates_total", "counter", "events with a known id, passed over"),
    Name("agos_misplaced_total", "counter", "events forwarded to their own partition"),
    Name("agos_dead_letters_total", "counter", "records that could not be applied", ("reason",)),
    Name(
        "agos_latency_seconds", "gauge",
        "from an event's timestamp to its change in Redis, last minute", ("quantile",),
    ),
    Name("agos_changes_per_second", "gauge", "entries and exits"),
    Name("agos_undelivered_changes", "gauge", "changes that a webhook did not take"),
    Name("agos_segments", "gauge", "segments", ("kind",)),
    Name("agos_segment_customers", "gauge", "customers in a segment", ("segment",)),
    Name("agos_segment_entered_per_minute", "gauge", "entries, last minute", ("segment",)),
    Name("agos_segment_left_per_minute", "gauge", "exits, last minute", ("segment",)),
    Name("agos_model_version", "gauge", "version of the model in force"),
    Name("agos_model_age_seconds", "gauge", "since the trainer last learned"),
    Name("agos_redis_used_bytes", "gauge", "memory that Redis uses"),
    Name("agos_redis_used_ratio", "gauge", "of maxmemory, or of the machine without one"),
    Name("agos_alert", "gauge", "1 while the dashboard raises the alert", ("alert",)),
)  # fmt: skip

NAMES: Sequence[Name] = (*WORKER, *COLLECTOR, *WEBHOOKS, *SYSTEM)
BY_NAME: Mapping[str, Name] = {name.name: name for name in NAMES}


def family(name: str, value: float) -> Metric:
    """A metric of the list above without labels."""
    return BY_NAME[name].family({(): value})


def histogram(name: str, counted: Histogram) -> Metric:
    """A histogram of the list above."""
    buckets = counted.cumulative()
    return HistogramMetricFamily(name, BY_NAME[name].help, buckets=buckets, sum_value=counted.sum)


def labelled(name: str, values: Mapping[str, float]) -> Metric:
    """A metric of the list above with one label: its value → the metric's."""
    return BY_NAME[name].family({(label,): value for label, value in values.items()})
