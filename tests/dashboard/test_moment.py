"""Moments of what was seen, by hand: workers, lag, entries, points."""

from stream.dashboard.figures import DEFAULTS
from stream.dashboard.logs import lag_by_topic
from stream.dashboard.moment import Ends, Moments
from stream.store.collectors import CollectorReport
from stream.store.records import Change, Segment, WorkerStatus
from stream.store.watching import Seen

BEGIN_MS = 1_795_219_200_000


def worker(name: str, at_ms: int, partitions: tuple[int, ...], **more: int) -> WorkerStatus:
    return WorkerStatus(name, "host", 1, at_ms, partitions=partitions, **more)


def test_a_worker_is_judged_by_our_clock_not_by_its_own():
    moments, hour_ms = Moments(2), 3_600_000
    for second in range(8):
        at_ms = BEGIN_MS + second * 1_000
        # Its clock is an hour ahead, and it reports every second until the third.
        report = worker("w", at_ms + hour_ms if second < 3 else BEGIN_MS + 2_000 + hour_ms, (0, 1))
        moment = moments.add(at_ms, Seen(workers=(report,)), Ends())
        silent_ms = max(second - 2, 0) * 1_000
        assert moment.workers[0].silent_ms == silent_ms
        assert bool(moment.alive) == (silent_ms < 6_000)
    assert moment.unowned == ()
    moment = moments.add(BEGIN_MS + 10_000, Seen(workers=(report,)), Ends())
    assert moment.unowned == (0, 1)
    assert moment.state("unowned", DEFAULTS) == moment.state("workers", DEFAULTS) == "act"


def test_an_old_report_at_the_start_is_of_a_worker_that_is_gone():
    report = worker("w", BEGIN_MS - 60_000, (0,))
    moment = Moments(1).add(BEGIN_MS, Seen(workers=(report,)), Ends())
    assert moment.alive == ()
    assert moment.figures["workers"] == 0


def test_lag_is_what_lies_between_redis_and_kafka():
    ends = {
        ("interactions", 0): (10, 100),
        ("interactions", 1): (0, 50),
        ("purchases", 0): (7, 7),
        ("profiles", 0): (5, 9),
    }
    # Nothing of the second partition is applied; of the last topic more than Kafka says.
    applied = {("interactions", 0): 40, ("purchases", 0): 7, ("profiles", 0): 11}
    assert lag_by_topic(ends, applied) == {"interactions": 110, "purchases": 0, "profiles": 0}


def test_without_kafka_lag_is_what_workers_say():
    seen = Seen(workers=(worker("a", BEGIN_MS, (0,), lag=3), worker("b", BEGIN_MS, (1,), lag=4)))
    moment = Moments(2).add(BEGIN_MS, seen, Ends(problem="Kafka does not answer"))
    assert moment.figures["lag"] == 7
    assert moment.kafka_problem == "Kafka does not answer"


def change(position: int, segment: str, kind: str, customer: str = "ada") -> Change:
    return Change(
        f"{BEGIN_MS + position}-0", "", customer, segment, kind,  # type: ignore[arg-type]
        BEGIN_MS, "event", "", position,
    )  # fmt: skip


def test_entries_are_of_the_last_minute_and_of_the_point():
    moments = Moments(1)
    segments = (Segment("a", "A", size=5),)
    seen = Seen(segments=segments, changes=(change(1, "a", "entered"), change(2, "a", "left")))
    first = moments.add(BEGIN_MS, seen, Ends())
    assert first.per_minute == {"a": (1, 1)}
    again = Seen(segments=segments, changes=(change(3, "a", "entered"),))
    second = moments.add(BEGIN_MS + 30_000, again, Ends())
    assert second.per_minute == {"a": (2, 1)}
    assert moments.point(second).segments == {"a": (5, 2, 1)}
    # The next point has only what came since.
    third = moments.add(BEGIN_MS + 61_000, Seen(segments=segments), Ends())
    assert third.per_minute == {"a": (1, 0)}
    assert moments.point(third).segments == {"a": (5, 0, 0)}


def test_what_is_not_known_is_none():
    moment = Moments(1).add(BEGIN_MS, Seen(), Ends())
    for figure in ("events_per_second", "latency_p50_ms", "redis_share", "model_age_ms", "lag"):
        assert moment.figures[figure] is None
        assert moment.state(figure, DEFAULTS) == "fine"


def test_a_model_that_does_not_learn_matters_while_events_come():
    moments = Moments(1)
    for second, applied in enumerate((0, 100, 200)):
        seen = Seen(counters={"applied": applied}, learned_ms=BEGIN_MS - 700_000)
        moment = moments.add(BEGIN_MS + second * 1_000, seen, Ends())
    assert moment.figures["events_per_second"] == 100.0
    assert moment.state("model_age_ms", DEFAULTS) == "act"
    for second in range(3, 12):
        moment = moments.add(BEGIN_MS + second * 1_000, seen, Ends())
    assert moment.figures["events_per_second"] == 0.0
    assert moment.state("model_age_ms", DEFAULTS) == "fine"


def collector(name: str, at_ms: int, **requests: int) -> CollectorReport:
    counted = {status.removeprefix("s"): count for status, count in requests.items()}
    return CollectorReport(name, "host", 1, at_ms, BEGIN_MS, counted)


def test_requests_of_collectors_are_added_up_and_errors_are_their_own():
    moments = Moments(1)
    for second, (first, second_ok, away) in enumerate([(100, 10, 0), (140, 15, 2), (180, 20, 4)]):
        at_ms = BEGIN_MS + second * 1_000
        reports = (
            collector("a", at_ms, s200=first, s400=7),
            collector("b", at_ms, s200=second_ok, s503=away),
        )
        moment = moments.add(at_ms, Seen(), Ends(), reports)
    # 40 of the first; 5 answers and 2 errors of the second.
    assert moment.figures["requests_per_second"] == 47
    assert moment.figures["request_errors"] == 2
    assert moment.state("request_errors", DEFAULTS) == "watch"


def test_a_collector_that_is_gone_counts_no_more_and_none_is_no_fault():
    moments = Moments(1)
    report = collector("a", BEGIN_MS, s200=5)
    for second in range(8):
        moment = moments.add(BEGIN_MS + second * 1_000, Seen(), Ends(), (report,))
        assert bool(moment.collectors[0].alive) == (second < 6)
    assert moment.figures["requests_per_second"] is None
    assert moments.add(BEGIN_MS + 9_000, Seen(), Ends()).state("request_errors", DEFAULTS) == "fine"
