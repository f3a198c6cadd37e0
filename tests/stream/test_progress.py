"""When a partition counts as one that stands."""

from stream.progress import Progress, Waiting

A, B = ("interactions", 0), ("interactions", 1)


def test_one_that_stands_is_not_hidden_by_others_that_go_on() -> None:
    progress = Progress()
    for second in range(0, 31, 2):
        waiting = {A: Waiting(5, 7), B: Waiting(5, second)}
        stalled = progress.stalled(waiting, float(second))
    assert stalled == {A: 30.0, B: 0.0}


def test_where_nothing_waits_nothing_stands() -> None:
    progress = Progress()
    progress.stalled({A: Waiting(0, 7)}, 0.0)
    assert progress.stalled({A: Waiting(0, 7)}, 50.0) == {}
    # It counts from the first look that found something.
    assert progress.stalled({A: Waiting(3, 7)}, 60.0) == {A: 0.0}
    assert progress.stalled({A: Waiting(3, 7)}, 70.0) == {A: 10.0}
    assert progress.stalled({A: Waiting(1, 9)}, 80.0) == {A: 0.0}


def test_an_offset_that_goes_back_is_something_that_happened() -> None:
    progress = Progress()
    progress.stalled({A: Waiting(5, 7)}, 0.0)
    assert progress.stalled({A: Waiting(7, 5)}, 20.0) == {A: 0.0}


def test_partitions_that_were_away_begin_anew() -> None:
    progress = Progress()
    progress.stalled({A: Waiting(5, 7)}, 0.0)
    progress.stalled({B: Waiting(5, 7)}, 20.0)
    assert progress.stalled({A: Waiting(5, 7)}, 40.0) == {A: 0.0}
    progress.reset()
    assert progress.stalled({A: Waiting(5, 7)}, 90.0) == {A: 0.0}
