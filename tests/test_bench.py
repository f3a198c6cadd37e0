"""The pure parts of scripts/bench: what is made of the figures, and the job of the others."""

import random
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benches import chart, table
from scripts.benches.costs import per_event
from scripts.benches.job import at_ms, nearest, update
from scripts.benches.quantiles import quantiles
from scripts.benches.reading import compared as compared_with_get
from scripts.benches.rebalance import judged
from scripts.benches.scale import rate_of
from scripts.benches.throughput import WORKER, compared, rotated

DAY_MS = 86_400_000
MACHINE = {"cores": 2, "versions": {"bytewax": "0.21.1"}}
NO_OP, BYTEWAX = "Faust agent that does nothing", "Bytewax"


def throughput() -> dict[str, Any]:
    rates = {WORKER: [40_000.0, 60_000.0, 50_000.0], NO_OP: [5_000.0, 5_000.0, 10_000.0]}
    return {
        "broker": "apache",
        "events": 200_000,
        "customers": 20_000,
        "seeds": [1, 2, 3],
        **compared(rates | {BYTEWAX: [20_000.0] * 3}),
        "missing": {"Quix Streams": "not installed"},
    }


def latency() -> dict[str, Any]:
    return {
        "events_per_second": 5_000,
        "to_redis_ms": {"p50": 12.0, "p99": 40.0, "samples": 100},
        "bare_round_trip_ms": {"p50": 6.0, "p99": 10.0, "samples": 100},
    }


def test_quantiles_are_values_that_were_measured():
    hundred = [float(value) for value in range(1, 101)]
    random.Random(1).shuffle(hundred)
    assert quantiles(hundred, {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}) == {
        "p50": 50.0,
        "p99": 99.0,
        "p99.9": 100.0,
    }
    assert quantiles([7.0]) == {"p50": 7.0, "p99": 7.0}
    with pytest.raises(ValueError, match="at least one"):
        quantiles([])


@given(st.lists(st.integers(0, 1000), min_size=1), st.floats(0.01, 1.0))
def test_a_quantile_is_the_smallest_that_so_many_do_not_exceed(values: list[int], share: float):
    found = quantiles([float(value) for value in values], {"q": share})["q"]
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6
    assert sum(value < found for value in values) < share * len(values) + 1e-6


def test_ratios_are_taken_run_by_run():
    figures = throughput()
    # 8, 12 and 5: the median of the ratios, not the ratio of the medians (10).
    assert figures["times_as_fast_as_runs"][NO_OP] == [8.0, 12.0, 5.0]
    assert figures["times_as_fast_as"] == {NO_OP: 8.0, BYTEWAX: 2.5}
    assert figures["events_per_second"] == {WORKER: 50_000, NO_OP: 5_000, BYTEWAX: 20_000}


def test_only_engines_that_do_the_job_count_as_the_fastest_of_it():
    limit = {WORKER: [1.0], "aiokafka, decodes only": [9.0], BYTEWAX: [2.0], "Quix Streams": [3.0]}
    assert compared(limit)["fastest_of_same_job"] == "Quix Streams"
    assert compared({WORKER: [1.0], NO_OP: [9.0]})["fastest_of_same_job"] is None


def test_everybody_begins_once():
    assert [rotated("abc", run) for run in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_a_call_is_compared_with_get():
    took = {"GET": [100.0, 200.0], "segments": [110.0, 300.0]}
    figures = compared_with_get(took)
    assert figures["us"]["GET"] == {"p50": 100.0, "p99": 200.0}
    assert figures["times_a_get"] == {"segments": {"p50": 1.1, "p99": 1.5}}


def test_a_join_is_judged_by_its_first_and_its_slowest_partition():
    old, new = {0: 9.9, 1: 9.5, 2: 11.0}, {0: 10.2, 1: 10.4}
    # Partition 2 was not given away.
    assert judged(10.0, [0, 1], old, new) == {
        "partitions": 2,
        "first_ms": 200,
        "last_ms": 400,
        "stood_ms": 900,
    }


def test_the_end_of_the_work_is_not_in_the_rate():
    samples = [(0.0, 100), (1.0, 400), (2.0, 800), (9.0, 1000)]
    # From 100 to 800 in two seconds; the last fifth is done by whoever has it.
    assert rate_of(samples, 1000) == 350.0
    with pytest.raises(RuntimeError, match="too fast"):
        rate_of([(0.0, 900), (1.0, 1000)], 1000)


def test_costs_are_per_event():
    names = ("worker_cpu_seconds", "redis_cpu_seconds", "redis_bytes_in", "redis_bytes_out")
    before = dict.fromkeys(names, 1.0)
    grown = {"worker_cpu_seconds": 2.0, "redis_cpu_seconds": 0.5, "redis_bytes_in": 60_000_000.0}
    after = {name: value + grown.get(name, 0.0) for name, value in before.items()}
    assert per_event(before, after, 100_000) == {
        "worker_cpu_us": 20.0,
        "redis_cpu_us": 5.0,
        "redis_bytes_in": 600,
        "redis_bytes_out": 0,
    }


def test_the_job_counts_sums_and_decays():
    view = {"timestamp": "2026-11-01T00:00:00.000Z", "name": "Product Viewed"}
    start = at_ms(view["timestamp"])
    # 1 November 2026 is 20,758 days after 1 January 1970.
    assert start == 20_758 * DAY_MS
    state = update(None, view)
    state = update(state, {"timestamp": start + 7 * DAY_MS, "total": 12.34})
    state = update(state, {"timestamp": start + 7 * DAY_MS, "total": -2.34})
    state = update(state, {"timestamp": start, "traits": {"age": 34}})
    assert (state["events"], state["orders"], state["spend"]) == (4, 1, 1_000)
    # The view has lost half its weight in seven days; the two purchases count one each.
    assert state["activity"] == pytest.approx(2.5)
    assert state["worth"] == pytest.approx(10.0)
    assert state["last_ms"] == start + 7 * DAY_MS


def test_the_nearest_centroid_is_found():
    # Centroid 0 is the origin. Far out along the first axis, the two that reach 3 there are left:
    # off that axis number 3 is at (0, 1.5, 0.75), number 7 at (1, 1, 0), which is nearer to it.
    assert nearest(0.0, 0.0, 0) == 0
    assert nearest(1e9, 0.0, 0) == 7


def test_every_part_becomes_a_table_with_its_machine_before_it():
    parts = {"throughput": throughput(), "latency": [latency()]}
    figures = {name: {"machine": MACHINE, "figures": part} for name, part in parts.items()}
    machine, fast, late = table.sections(figures)
    assert machine.title == "machine"
    assert ("versions", "bytewax 0.21.1") in machine.rows
    assert (NO_OP, "5,000", "5,000 5,000 10,000", "8.00") in fast.rows
    assert ("Quix Streams", "not installed", "", "") in fast.rows
    assert list(late.rows) == [
        ("p50 at 5,000/s", "12.0", "6.0", "2.00"),
        ("p99 at 5,000/s", "40.0", "10.0", "4.00"),
    ]


def test_bars_are_as_long_as_their_values():
    figures = {"throughput": {"figures": throughput()}, "latency": {"figures": [latency()]}}
    drawn = chart.groups(figures)
    assert [bar.label for bar in drawn[0].bars] == [WORKER, BYTEWAX, NO_OP]
    image = ElementTree.fromstring(chart.svg(drawn))
    shapes = image.findall("{http://www.w3.org/2000/svg}rect")[1:]
    lengths = [float(shape.attrib["width"]) for shape in shapes]
    # 50,000, 20,000 and 5,000 on one scale; 12, 6, 40 and 10 on another.
    assert [length / lengths[0] for length in lengths[:3]] == pytest.approx([1, 0.4, 0.1])
    assert [length / lengths[5] for length in lengths[3:]] == pytest.approx([0.3, 0.15, 1, 0.25])


def test_names_are_escaped_in_the_picture():
    image = chart.svg([chart.Group("a < b & c", [chart.Bar("<x>", 0.0, "0")])])
    texts = ElementTree.fromstring(image).findall("{http://www.w3.org/2000/svg}text")
    assert [text.text for text in texts] == ["a < b & c", "<x>", "0"]
