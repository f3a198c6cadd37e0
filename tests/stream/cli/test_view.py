"""The live view, from hand-made moments."""

from typing import Any

import pytest
from rich.console import Console

from stream.store.records import Change, Overview, Segment, WorkerStatus
from stream.watch import History, line, view
from stream.watch.history import TREND_MS, Move, Sizes, moves, sparkline
from stream.watch.times import ago, span, when


def segment(name: str, size: int, **fields: Any) -> Segment:
    return Segment(name, fields.pop("title", f"The {name}"), size=size, **fields)


def change(customer: str, segment_id: str, kind: Any, at_ms: int) -> Change:
    return Change("1-1", "id", customer, segment_id, kind, at_ms, "event", "why", 1)


def moment(at_ms: int, applied: int, **fields: Any) -> Overview:
    return Overview(at_ms, counters={"applied": applied}, **fields)


def test_a_sparkline_spans_from_least_to_greatest():
    assert sparkline([0, 7], 10) == "▁█"
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([5, 5, 5], 10) == "▁▁▁"
    assert sparkline([], 10) == ""
    assert sparkline([1, 2], 0) == ""


def test_a_sparkline_that_is_too_long_keeps_the_newest():
    drawn = sparkline([0] * 99 + [1], 5)
    assert drawn == "▁▁▁▁█"


def test_a_trend_is_the_difference_to_a_minute_ago():
    sizes = Sizes()
    assert sizes.trend() == 0
    sizes.add(0, 100)
    assert sizes.trend() == 0
    sizes.add(TREND_MS, 130)
    assert sizes.trend() == 30
    sizes.add(TREND_MS + 1, 90)
    assert sizes.trend() == 90 - 130, "the first moment is more than a minute ago"


def test_sizes_are_bounded_and_keep_the_whole_time():
    sizes = Sizes()
    for second in range(10_000):
        sizes.add(second * 1000, second)
    assert len(sizes.sizes) <= 240
    assert sizes.sizes[-1] == 9_999
    assert sizes.sizes[0] < 200
    assert sizes.sizes == [at_ms // 1000 for at_ms in sizes.at_ms]


def test_the_rate_is_that_of_the_last_seconds():
    history = History()
    history.add(moment(0, 0))
    assert history.rate == 0
    for second in range(1, 11):
        history.add(moment(second * 1000, second * 50))
    assert history.rate == 50
    for second in range(11, 15):
        history.add(moment(second * 1000, 500))
    assert history.rate == 0


def test_exit_and_entry_of_one_moment_are_one_move():
    found = moves(
        [
            change("ada", "new", "entered", 2),
            change("ada", "old", "left", 2),
            change("bob", "vip", "left", 2),
            change("eve", "vip", "entered", 1),
            change("ada", "old", "left", 1),
        ]
    )
    assert found == [
        Move(2, "ada", "old", "new"),
        Move(2, "bob", "vip", None),
        Move(1, "eve", None, "vip"),
        Move(1, "ada", "old", None),
    ]


def test_names_of_segments_that_are_gone_are_remembered_while_they_are_spoken_of():
    history = History()
    left = change("ada", "old", "left", 1)
    history.add(moment(0, 0, segments=(segment("old", 1, title="Old ones"),)))
    history.add(moment(1000, 0, changes=(left,)))
    assert history.name("old") == "Old ones"
    history.add(moment(2000, 0))
    assert history.name("old") == "old"
    assert history.sizes == {}


@pytest.fixture
def history() -> History:
    seen = History()
    found = {"kind": "discovered", "origin": "discovered"}
    for second, size in ((0, 10), (1, 30), (2, 25)):
        seen.add(
            Overview(
                second * 1000,
                workers=(WorkerStatus("w", lag=1234),),
                counters={"applied": second * 100, "rejected:not-json": 7},
                segments=(
                    segment("vip", 100 - size),
                    segment("cluster-1", size, **found),
                    segment("cluster-2", 3, retired=True, **found),
                    segment("cluster-3", 0, retired=True, **found),
                ),
                changes=(
                    change("ada", "cluster-1", "entered", 0),
                    change("ada", "cluster-2", "left", 0),
                ),
                model_version=5,
            )
        )
    return seen


def drawn(history: History, width: int, height: int, news: str = "") -> list[str]:
    console = Console(width=width, height=height, force_terminal=False, record=True)
    with console.capture() as capture:
        console.print(view(history, width, height, "a shop", news), height=height)
    return capture.get().splitlines()


@pytest.mark.parametrize(("width", "height"), [(200, 50), (120, 30), (80, 24), (60, 20), (40, 15)])
def test_the_view_fits_and_says_what_matters(history, width, height):
    lines = drawn(history, width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "100 events/s" in text
    for word in ("Defined", "Discovered", "The vip", "75", "▼15", "25", "▲15", "ada"):
        assert word in text, word
    assert text.index("Defined") < text.index("The vip") < text.index("Discovered")
    assert "cluster-3" not in text, "retired and empty"


def test_wide_and_narrow_say_the_rest(history):
    wide = "\n".join(drawn(history, 140, 30))
    for words in ("1,234 lag", "1 worker ", "7 dead letters", "5 model", "ending", "▁█▆", "a shop"):
        assert words in wide, words
    beside = next(text for text in wide.splitlines() if "Segments" in text)
    assert "Latest changes" in beside
    narrow = drawn(history, 80, 24)
    assert not any("Segments" in text and "Latest changes" in text for text in narrow)


def test_more_segments_than_lines_are_counted():
    history = History()
    many = tuple(segment(f"s{number}", 1) for number in range(50))
    history.add(moment(0, 0, segments=many))
    text = "\n".join(drawn(history, 80, 20))
    shown = sum(f"The s{number} " in text for number in range(50))
    assert 0 < shown < 50
    assert f"and {50 - shown} more" in text


def test_no_worker_and_no_segment_are_said():
    history = History()
    history.add(moment(0, 0))
    text = "\n".join(drawn(history, 100, 24))
    assert "no worker reports" in text
    assert "none yet: the model needs some customers first" in text
    assert "worker-1 ended" in "\n".join(drawn(history, 100, 24, "worker-1 ended"))


def test_markup_in_names_is_only_text():
    history = History()
    history.add(moment(0, 0, segments=(segment("x", 1, title="[red]A[/] [bold"),)))
    assert "[red]A[/] [bold" in "\n".join(drawn(history, 100, 24))


def test_a_plain_line(history):
    text = line(history)
    assert "| 200 events | 100/s | lag 1,234 | 1 worker | 7 rejected | 3 segments |" in text
    assert text.endswith("The vip: 75 | The cluster-1: 25 | The cluster-2: 3")


def test_spans_use_the_largest_unit_that_fits():
    assert [span(s * 1000) for s in (5, 60, 3_599, 3_600, 86_399, 86_400, 63_115_200)] == [
        "5 s", "1 min", "59 min", "1 h", "23 h", "1 d", "2 y",
    ]  # fmt: skip
    assert ago(1_000, 61_000) == "1 min ago"
    assert ago(7_200_000, 0) == "in 2 h"


def test_moments_of_another_day_are_shown_as_days():
    noon_ms = 1_700_000_000_000
    assert len(when(noon_ms, noon_ms + 60_000)) == len("12:00:00")
    assert when(noon_ms, noon_ms + 10 * 86_400_000).startswith("2023-11-1")
