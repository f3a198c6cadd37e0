"""Histograms of a worker: how old events are when they are applied, and how long writes take."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stream.local import EmbeddedBroker, free_port
from stream.metrics.applying import Meters, newest_ms
from stream.metrics.histogram import Histogram
from stream.store.store import Applied
from stream.store.write import Group, Write
from stream.writing import _ALL, _FIELDS, _FIELDS_WITH_MONEY
from tests.dashboard.test_metrics import families, get
from tests.live.harness import System

NOW_MS = 1_795_219_200_000
DONE = Applied(True, "", "w")


def test_values_are_in_the_bucket_whose_end_they_do_not_exceed():
    counted = Histogram((0.1, 1.0))
    counted.add([0.05, 0.1, 0.2, 1.0, 1.5])
    assert counted.cumulative() == [("0.1", 2), ("1", 4), ("+Inf", 5)]
    assert round(counted.sum, 9) == 2.85


@given(st.lists(st.integers(0, 70), max_size=60))
def test_many_at_once_are_counted_as_one_by_one(tenths: list[int]):
    bounds, values = (1.0, 2.0, 3.0, 5.0), [n / 10 for n in tenths]
    at_once, singly = Histogram(bounds), Histogram(bounds)
    at_once.add(values)
    for value in values:
        singly.add([value])
    assert at_once.cumulative() == singly.cumulative()
    for end, (_, count) in zip(bounds, at_once.cumulative(), strict=False):
        assert count == sum(value <= end for value in values)
    assert abs(at_once.sum - sum(values)) < 1e-9


def group(fields: Sequence[str], newest: Sequence[int], *, sourced: bool = True) -> Group:
    """Customers as the workers write them; every other value would be a wrong time."""
    values: list[object] = []
    for number, at_ms in enumerate(newest):
        values += [f"c{number}", b"state"]
        values += [at_ms if field == "last_seen" else number for field in fields]
        if sourced:
            values.append(f"purchases-1@{number}")
    return Group(fields, len(newest), values, sourced)


def test_the_newest_event_of_each_customer_is_found_in_every_kind_of_group():
    for fields in (_FIELDS, _FIELDS_WITH_MONEY, _ALL):
        assert list(newest_ms(group(fields, [NOW_MS - 7, NOW_MS - 9]))) == [NOW_MS - 7, NOW_MS - 9]
        assert list(newest_ms(group(fields, [NOW_MS], sourced=False))) == []


def test_latency_is_of_what_was_applied_and_is_no_history():
    meters = Meters()
    applied = Write(0, groups=[group(_FIELDS, [NOW_MS - 15, NOW_MS - 700, NOW_MS - 600_001])])
    refused = Write(1, groups=[group(_ALL, [NOW_MS - 15])])
    meters.note([applied, refused], [DONE, Applied(False, "x", "other")], NOW_MS * 1_000_000, 0.003)
    # 0.015 s and 0.7 s.
    found = dict(meters.latency.cumulative())
    assert (found["0.01"], found["0.02"], found["0.5"], found["1"], found["+Inf"]) == (
        0,
        1,
        1,
        2,
        2,
    )
    assert round(meters.latency.sum, 9) == 0.715
    assert dict(meters.write.cumulative())["0.002"] == 0
    assert dict(meters.write.cumulative())["0.005"] == 1


def test_an_event_of_the_future_took_no_time():
    meters = Meters()
    write = Write(0, groups=[group(_FIELDS, [NOW_MS + 40])])
    meters.note([write], [DONE], NOW_MS * 1_000_000, 0.001)
    assert meters.latency.cumulative()[0] == ("0.005", 1)


def test_a_real_worker_measures_what_it_applies(
    embedded_broker: EmbeddedBroker, redis_url: str, tmp_path: Path
):
    port = free_port()
    with System(
        embedded_broker.address, redis_url, tmp_path, metrics=f"127.0.0.1:{port}"
    ) as system:
        system.worker()
        system.wait(lambda: ready(port), 60, "a worker that is ready")
        sent_s = time.time()
        for number in range(3):
            event = {
                "event_id": f"e{number}", "customer_id": "ada", "name": "Product Viewed",
                "timestamp": int((sent_s - 3) * 1000), "properties": {}, "context": {},
            }  # fmt: skip
            system.send([("interactions", "ada", json.dumps(event).encode())])
            system.wait(lambda n=number: system.applied() == n + 1, 60, "an event applied")
        # Redis has the last write a moment before the worker has measured it.
        system.wait(lambda: measured(port) >= 3, 60, "three writes measured")
        found = families(get(port, "/metrics")[1])
        elapsed_s = time.time() - sent_s
        values = {s.name: s.value for s in found["agos_worker_latency_seconds"].samples}
        # One write for each, of events that were three seconds old when they were sent.
        assert values["agos_worker_latency_seconds_count"] == 3
        assert 9 <= values["agos_worker_latency_seconds_sum"] <= 3 * (3.001 + elapsed_s)
        assert found["agos_worker_write_seconds"].samples[-1].value > 0
        assert found["agos_worker_fetches_total"].samples[0].value >= 3
        assert found["agos_worker_rebalances_total"].samples[0].value >= 1
        assert found["agos_worker_rebalance_seconds"].samples[0].value > 0


def measured(port: int) -> float:
    found = families(get(port, "/metrics")[1])["agos_worker_latency_seconds"]
    return next((s.value for s in found.samples if s.name.endswith("_count")), 0.0)


def ready(port: int) -> bool:
    try:
        return get(port, "/health/ready")[0] == 200
    except OSError:
        return False
