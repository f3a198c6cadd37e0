"""Moves within each kind of segments, and how they are drawn."""

from stream.dashboard.charts import sankey
from stream.dashboard.history import Point
from stream.dashboard.pages.flows import busiest
from stream.store.records import Segment

KNOWN = {
    "cluster-1": Segment("cluster-1", "quiet", kind="discovered"),
    "cluster-2": Segment("cluster-2", "keen", kind="discovered"),
    "lead": Segment("lead", "Lead", kind="intent"),
}
POINTS = [
    Point(5, {}, {}, [("cluster-1", "cluster-2", 3), ("lead", "lost", 2)]),
    Point(10, {}, {}, [("cluster-1", "cluster-2", 4), ("cluster-9", "cluster-1", 5)]),
]


def test_moves_are_told_by_kind_and_a_segment_that_is_gone_goes_with_the_other():
    assert busiest(POINTS, KNOWN, discovered=True) == [
        ("cluster-1", "cluster-2", 7), ("cluster-9", "cluster-1", 5)
    ]  # fmt: skip
    assert busiest(POINTS, KNOWN, discovered=False) == [("lead", "lost", 2)]


def test_without_moves_there_is_no_empty_box():
    assert sankey([], KNOWN)["hidden"] is True
    assert sankey([("cluster-1", "cluster-2", 1)], KNOWN)["hidden"] is False


def test_names_of_many_segments_have_a_line_each():
    few = sankey([("cluster-1", "cluster-2", 1)], KNOWN)["series"][0]["nodeGap"]
    many = sankey([(f"s{n}", f"s{n + 1}", 1) for n in range(30)], KNOWN)["series"][0]["nodeGap"]
    # Lines of 12 pixels; 30 of them and what is between fit into a chart of 560.
    assert few >= 16
    assert 14 <= many
    assert 30 * many <= 536
