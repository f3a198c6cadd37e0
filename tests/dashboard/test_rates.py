"""Rates, quantiles and moves against sums by hand."""

from stream.dashboard.rates import Latencies, Rate, moves
from stream.store.records import Change


def change(
    kind: str, segment: str, customer: str = "ada", version: int = 1, at: int = 1_000,
    written: int = 1_000, cause: str = "event",
) -> Change:  # fmt: skip
    return Change(
        f"{written}-0",
        "",
        customer,
        segment,
        kind,
        at,
        cause,
        "",
        version,  # type: ignore[arg-type]
    )


def test_a_rate_is_over_the_last_seconds():
    rate = Rate(window_ms=5_000)
    assert rate.per_second is None
    for second in range(11):
        # A thousand a second for five seconds, then a hundred a second.
        rate.add(second * 1_000, min(second, 5) * 1_000 + max(second - 5, 0) * 100)
    assert rate.per_second == 100.0


def test_a_counter_that_begins_anew_is_no_negative_rate():
    rate = Rate()
    rate.add(0, 500)
    rate.add(1_000, 900)
    rate.add(2_000, 10)
    assert rate.per_second is None
    rate.add(3_000, 30)
    assert rate.per_second == 20.0


def test_latency_is_from_the_event_to_the_entry_of_the_stream():
    latencies = Latencies()
    latencies.add(0, [change("entered", "a", at=1_000, written=1_000 + ms) for ms in range(1, 101)])
    assert latencies.quantiles(0.5, 0.99, 1.0) == [50.0, 99.0, 100.0]
    latencies.add(61_000, [])
    assert latencies.quantiles(0.5) is None


def test_history_and_the_passing_of_time_are_no_latency():
    latencies = Latencies()
    latencies.add(
        0,
        [
            change("entered", "a", at=0, written=86_400_000),
            change("entered", "a", at=0, written=50, cause="time"),
        ],
    )
    assert latencies.quantiles(0.5) is None
    assert latencies.old == 1


def test_a_clock_ahead_is_no_negative_latency():
    latencies = Latencies()
    latencies.add(0, [change("entered", "a", at=2_000, written=1_000)])
    assert latencies.quantiles(0.5) == [0.0]


def test_moves_pair_what_one_write_did():
    found = moves(
        [
            change("left", "cluster-1", "ada", 7),
            change("entered", "cluster-2", "ada", 7),
            change("entered", "loyal", "ada", 7),
            change("left", "cluster-1", "bob", 3),
            change("entered", "cluster-2", "bob", 4),
        ],
        {"cluster-1": True, "cluster-2": True, "loyal": False},
    )
    assert found.flows == {("cluster-1", "cluster-2"): 1}
    assert found.entered == {"cluster-2": 2, "loyal": 1}
    assert found.left == {"cluster-1": 2}
