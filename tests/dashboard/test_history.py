"""Points are bounded, merge by plain sums, and survive being stored."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.dashboard.history import KEPT, History, Hour, Point, hours, merged, packed, unpacked

BEGIN_MS = 1_795_219_200_000


def point(seconds: int, size: int = 10, entered: int = 1, left: int = 0, lag: float = 0.0) -> Point:
    at_ms = BEGIN_MS + seconds * 1000
    return Point(at_ms, {"lag": lag, "events_per_second": lag}, {"a": (size, entered, left)})


def test_merged_adds_moves_keeps_the_last_size_and_the_worst_lag():
    two = merged([point(5, 10, 3, 1, 4.0), point(10, 12, 2, 5, 2.0)], 10)
    assert two.at_ms == 10
    assert two.segments == {"a": (12, 5, 6)}
    assert two.figures == {"lag": 4.0, "events_per_second": 3.0}


def test_flows_add_up():
    one = Point(5, {}, {}, [("a", "b", 2), ("b", "a", 1)])
    two = Point(10, {}, {}, [("a", "b", 3)])
    assert sorted(merged([one, two], 10).flows) == [("a", "b", 5), ("b", "a", 1)]


def test_a_minute_closes_when_it_ends():
    history = History()
    new = [history.add(point(5 * i)) for i in range(1, 25)]
    minutes = {i + 1: added[60] for i, added in enumerate(new) if 60 in added}
    assert list(minutes) == [12, 24]
    assert [p.at_ms - BEGIN_MS for found in minutes.values() for p in found] == [60_000, 120_000]
    # Twelve points of five seconds, each with one entry.
    assert minutes[24][0].segments == {"a": (10, 12, 0)}


def test_ten_minutes_are_made_of_minutes():
    history = History()
    coarse = [p for i in range(1, 121) for p in history.add(point(5 * i)).get(600, [])]
    assert [p.at_ms - BEGIN_MS for p in coarse] == [600_000]
    assert coarse[0].segments["a"] == (10, 120, 0)


def test_every_resolution_is_bounded():
    history = History()
    for i in range(1, 900):
        history.add(point(5 * i))
    assert len(history.points(3_600, 10_000)) == KEPT[5]


def test_a_restart_goes_on_where_it_was():
    before, after = History(), History()
    stored: dict[int, list[bytes]] = {seconds: [] for seconds in KEPT}
    for i in range(1, 41):
        for seconds, points in before.add(point(5 * i)).items():
            stored[seconds] += [packed(p) for p in points]
    for seconds, texts in stored.items():
        after.restore(seconds, [unpacked(text) for text in texts])
    assert after.points(3_600, 1_000) == before.points(3_600, 1_000)
    for i in range(41, 60):
        assert after.add(point(5 * i)) == before.add(point(5 * i))


def test_what_cannot_be_read_is_left_out():
    assert unpacked(b"something else") is None
    history = History()
    history.restore(5, [None, point(10), point(15)])
    assert [p.at_ms - BEGIN_MS for p in history.points(60)] == [10_000, 15_000]


def test_the_past_may_come_late_and_what_is_there_stays():
    history = History()
    for i in (3, 4):
        history.add(point(5 * i, size=20))
    history.restore(5, [point(5), point(10), point(15)])
    found = [(p.at_ms - BEGIN_MS, p.segments["a"][0]) for p in history.points(60)]
    assert found == [(5_000, 10), (10_000, 10), (15_000, 20), (20_000, 20)]
    history.restore(5, [point(5 * i) for i in range(-1_000, 1)])
    assert len(history.points(3_600, 10_000)) == KEPT[5]
    assert history.newest_ms == BEGIN_MS + 20_000


@given(st.integers(1, 1_500), st.sampled_from([60, 3_600, 86_400]), st.integers(20, 200))
def test_thinned_out_points_keep_every_entry(count: int, span_seconds: int, most: int):
    history = History()
    for i in range(1, count + 1):
        history.add(point(5 * i))
    found = history.points(span_seconds, most)
    assert found
    assert len(found) <= most + 1
    assert [p.at_ms for p in found] == sorted({p.at_ms for p in found})
    if span_seconds == 3_600:
        assert sum(p.segments["a"][1] for p in found) == min(count, KEPT[5])


@pytest.mark.parametrize("segments", [200])
def test_a_point_of_many_segments_is_small(segments: int):
    chance = random.Random(1)
    sizes = {f"cluster-{i}": (chance.randrange(10**6), 7, 9) for i in range(segments)}
    assert len(packed(Point(BEGIN_MS, {"lag": 1.5}, sizes))) < 4_000


def test_the_hour_of_a_segment_is_its_sizes_and_how_many_moved():
    points = [
        Point(1, {}, {"a": (100, 10, 0), "empty": (0, 0, 0)}),
        Point(2, {}, {"a": (50, 0, 20), "new": (8, 8, 0)}),
    ]
    found = hours(points)
    # 30 entries and exits are 15 pairs, of 75 customers on average.
    assert found["a"] == Hour([100, 50], 0.2)
    assert found["empty"] == Hour([0], None)
    assert found["new"] == Hour([8], 0.5)
