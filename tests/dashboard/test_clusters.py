"""Scatter and timeline of clusters: the plane stays, and what happened is told once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from models.snapshot import Segment as Found
from models.snapshot import Snapshot
from stream import features
from stream.customer import LAYOUT, ROW, stored_forms
from stream.dashboard.charts import palette
from stream.dashboard.cluster_charts import scattered, timeline
from stream.dashboard.pages.timeline import on_timeline, rows, told
from stream.dashboard.sampled import renewed
from stream.dashboard.structure import Structure, Turn
from stream.extra import Extra
from stream.scatter import Plane, Scatter, scatter
from stream.store.learned import Alert
from stream.store.records import Segment
from stream.store.structure import Published

NOW_MS = 1_795_219_200_000
WIDTH = len(features.NAMES)
ORDERS, SPEND, VIEWS = (features.NAMES.index(name) for name in ("orders", "spend", "views"))


def model(*centroids: Mapping[int, float], weights: tuple[float, ...] = ()) -> Snapshot:
    """A model whose centroids have these coordinates, 0 elsewhere."""
    shares = weights or (1 / len(centroids),) * len(centroids)
    segments = tuple(
        Found(number, tuple(at.get(i, 0.0) for i in range(WIDTH)), f"n{number}", "", share, ())
        for number, (at, share) in enumerate(zip(centroids, shares, strict=True), 1)
    )
    return Snapshot(1, features.NAMES, np.zeros(WIDTH), np.ones(WIDTH), segments, 100)


#: Along views they lie up to 4 apart, along orders 2, and elsewhere nowhere.
CROSS = ({VIEWS: 2.0}, {VIEWS: -2.0}, {ORDERS: 1.0}, {ORDERS: -1.0})


def test_the_plane_is_that_in_which_centroids_differ_most():
    found, plane = scatter(model(*CROSS), {}, NOW_MS, None)
    assert found.centroids == {
        "cluster-1": (2.0, 0.0), "cluster-2": (-2.0, 0.0),
        "cluster-3": (0.0, 1.0), "cluster-4": (0.0, -1.0),
    }  # fmt: skip
    assert found.meanings == ("+views", "+orders")
    assert round(found.shown, 9) == 1.0
    assert plane.features == features.NAMES


def test_a_small_change_of_the_model_does_not_move_the_plane():
    _, plane = scatter(model(*CROSS), {}, NOW_MS, None)
    # Of 8.18 + 2 the old plane shows all but 0.18, which is spend's.
    moved = ({VIEWS: 2.0, SPEND: 0.3}, {VIEWS: -2.0, SPEND: -0.3}, *CROSS[2:])
    found, same = scatter(model(*moved), {}, NOW_MS, plane)
    assert same is plane
    assert found.centroids["cluster-1"] == (2.0, 0.0)
    assert 0.97 < found.shown < 1.0


def test_another_plane_is_taken_up_where_it_shows_more_and_lies_as_the_old_one():
    _, plane = scatter(model(*CROSS), {}, NOW_MS, None)
    # Now spend tells them apart, not orders; what went by views still does, and lies as it did.
    other = ({VIEWS: 2.0}, {VIEWS: -2.0}, {SPEND: 3.0}, {SPEND: -3.0})
    found, new = scatter(model(*other), {}, NOW_MS, plane)
    assert new is not plane
    assert np.allclose(new.axes @ new.axes.T, np.eye(2))
    first, second = found.centroids["cluster-1"], found.centroids["cluster-3"]
    assert abs(np.hypot(*first) - 2.0) < 0.02
    assert first[0] > 1.9
    assert abs(np.hypot(*second) - 3.0) < 0.02


def stored(**fields: Any) -> bytes:
    """A customer as the workers store it."""
    row = np.zeros(1, ROW)
    row["layout"] = LAYOUT
    for name, value in fields.items():
        row[name] = value
    return stored_forms(row, [Extra()])[0]


def test_customers_lie_where_the_model_sees_them_and_have_their_own_cluster():
    day_ms = 86_400_000
    state = stored(cluster=2, first_seen_ms=NOW_MS - day_ms, last_seen_ms=NOW_MS, events=3)
    # By hand: nothing counted, so views and orders are log(1 + 0) = 0; the plane shows only them.
    found, _ = scatter(model(*CROSS), {"ada": state}, NOW_MS, None)
    assert found.customers == {"cluster-2": [(0.0, 0.0)]}


def test_two_clusters_are_no_plane_and_customers_make_one():
    states = {
        f"c{n}": stored(cluster=1, first_seen_ms=NOW_MS - n * 86_400_000, last_seen_ms=NOW_MS)
        for n in range(5)
    }
    found, _ = scatter(model({VIEWS: 1.0}, {VIEWS: -1.0}), states, NOW_MS, None)
    # They differ by how long they have been there, and in nothing else.
    assert found.meanings[0] == "+tenure_days"
    lonely, _ = scatter(model({VIEWS: 1.0}), {}, NOW_MS, None)
    assert lonely.centroids["cluster-1"]


def test_a_model_of_other_features_is_refused():
    other = Snapshot(1, ("a",), np.zeros(1), np.ones(1), (Found(1, (0.0,), "n", "", 1.0, ()),), 9)
    with pytest.raises(ValueError, match="features"):
        scatter(other, {}, NOW_MS, None)


def test_most_of_the_sample_stays():
    before = {"a": [f"k{n}" for n in range(100)], "gone": ["x"]}
    drawn = {"a": [f"n{n}" for n in range(100)], "b": ["y", "z"]}
    found = renewed(before, {"a": 100, "b": 2}, drawn)
    assert found.keys() == {"a", "b"}
    assert len(set(found["a"])) == 100
    assert sum(name.startswith("k") for name in found["a"]) == 95
    assert found["b"] == ["y", "z"]
    # Nobody twice, and no more than there are.
    assert renewed({"a": ["p"]}, {"a": 9}, {"a": ["p", "q"]}) == {"a": ["p", "q"]}


def published(version: int, born: Mapping[str, int], *changes: Any, **more: Any) -> Published:
    names = {name: f"name of {name}" for name in born}
    parents = {name: more.get("parents", {}).get(name, ()) for name in born}
    return Published(version, names, parents, born, changes)


def test_what_a_model_says_is_told_once_and_with_names():
    structure = Structure()
    first = published(1, {"c1": 1}, ("born", "c1", ()))
    assert [t.kind for t in structure.add(NOW_MS, first)] == ["born"]
    assert structure.add(NOW_MS, first) == []
    second = published(2, {"c2": 2}, ("split", "c2", ("c1",)), ("merged", "c1", ("c2",)))
    found = structure.add(NOW_MS + 5, second)
    assert [told(turn) for turn in found] == [
        "name of c2: split off name of c1", "name of c1: merged into name of c2",
    ]  # fmt: skip
    assert [turn.kind for turn in structure.turns] == ["merged", "split", "born"]
    assert not any(turn.about for turn in structure.turns)


def test_what_happened_while_nobody_looked_is_told_as_far_as_it_can_be():
    structure = Structure()
    begun = {"c1": 1, "c2": 1, "c3": 1}
    structure.add(NOW_MS, published(1, begun, *(("born", name, ()) for name in begun)))
    later = Structure()
    later.restore(structure.turns)
    # Versions 2 to 8 were not seen: c1 went into c4, c2 ended, c5 came of itself.
    now = published(9, {"c3": 1, "c4": 5, "c5": 7}, parents={"c4": ("c1",)})
    found = later.add(NOW_MS + 9, now)
    assert [(t.kind, t.segment, t.others, t.about) for t in found] == [
        ("split", "c4", ("name of c1",), True), ("born", "c5", (), True),
        ("merged", "c1", ("name of c4",), True), ("died", "c2", (), True),
    ]  # fmt: skip
    assert rows(later.turns)[0]["cells"][0].startswith("before ")


def test_the_timeline_has_a_line_for_each_kind_and_for_drift():
    turns = [Turn(NOW_MS, 3, "died", "c1", "old ones"), Turn(NOW_MS, 3, "future kind", "c2", "n")]
    alert = Alert("spend", 1.5, NOW_MS - 9, NOW_MS - 1, "customers spend more", 3)
    found = on_timeline(turns, [alert])
    assert list(found) == ["born", "split off", "merged", "ended", "drift"]
    assert [len(found[kind]) for kind in found] == [1, 0, 0, 1, 1]
    options = timeline(found)
    assert [s["name"] for s in options["series"]] == options["yAxis"]["data"] == list(found)
    assert options["series"][-1]["data"][0]["value"] == [NOW_MS - 1, "drift"]


def cluster(number: int) -> Segment:
    return Segment(f"cluster-{number}", f"n{number}", kind="discovered")


def test_a_cluster_has_its_color_wherever_it_is_drawn():
    alone, both = palette([cluster(7)]), palette([cluster(7), cluster(3)])
    assert alone["cluster-7"] == both["cluster-7"] != both["cluster-3"]
    # 19 would have the color of 7 where there are 12: it has the next.
    crowd = palette([cluster(19), cluster(7), Segment("loyal", "Loyal", kind="value")])
    assert crowd["cluster-7"] == alone["cluster-7"]
    assert len(set(crowd.values())) == 3
    # More than there are colors.
    assert len(palette([cluster(n) for n in range(40)])) == 40


def test_a_scatter_has_dots_and_named_centroids():
    found = Scatter(
        {"cluster-3": [(0, 0)]}, {"cluster-3": (1, 1), "cluster-7": (2, 2)}, ("", ""), 1
    )
    colors = palette([cluster(3), cluster(7)])
    series = scattered(found, {"cluster-7": cluster(7)}, colors)["series"]
    assert [s["data"] for s in series[:-1]] == [[(0, 0)], []]
    assert [s["itemStyle"]["color"] for s in series[:-1]] == [*colors.values()]
    assert [point["name"] for point in series[-1]["data"]] == ["cluster-3", "n7"]


def test_axes_are_told_by_what_they_go_with():
    axes = np.zeros((2, WIDTH))
    axes[0, [ORDERS, SPEND]] = 0.8, -0.6
    axes[1, VIEWS] = 1.0
    assert Plane(features.NAMES, axes).meanings() == ("+orders -spend", "+views")
