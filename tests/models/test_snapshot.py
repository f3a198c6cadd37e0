"""Snapshots: scoring, explaining, storing."""

import json
from typing import Any

import numpy as np
import pytest

from models.errors import InvalidSnapshot
from models.snapshot import LARGEST_BYTES, UNASSIGNED, Segment, Snapshot


def segment(segment_id: int, centroid: tuple[float, ...], **more: Any) -> Segment:
    given = {"name": f"segment {segment_id}", "sentence": "", "weight": 0.5, "effects": ()} | more
    return Segment(id=segment_id, centroid=centroid, **given)


def snapshot(*segments: Segment, **more: Any) -> Snapshot:
    given: dict[str, Any] = {
        "version": 3, "features": ("a", "b"), "mean": np.zeros(2), "scale": np.ones(2),
        "segments": segments, "trained_on": 100, "logged": (False, False), "hysteresis": 0.2,
    }  # fmt: skip
    return Snapshot(**(given | more))


# On a line: 4 at 0, 9 at 4.
LINE = snapshot(segment(4, (0.0, 0.0)), segment(9, (4.0, 0.0)))


def at(*places: float) -> np.ndarray:
    return np.array([[place, 0.0] for place in places])


def test_new_customers_go_to_the_nearest() -> None:
    ids, confidence = LINE.assign(at(1.0, 3.0, 0.0), np.full(3, UNASSIGNED))
    assert ids.tolist() == [4, 9, 4]
    # Distances 1 and 3: 9 / (1 + 9).
    assert confidence == pytest.approx([0.9, 0.9, 1.0])
    assert confidence.dtype == np.float32


def test_a_customer_moves_only_when_it_is_clearly_nearer() -> None:
    # At 2.2 the new distance is 1.8 of 2.2 (.82), at 2.3 it is 1.7 of 2.3 (.74 < .8).
    ids, confidence = LINE.assign(at(2.2, 2.3), np.array([4, 4]))
    assert ids.tolist() == [4, 9]
    assert confidence[0] == pytest.approx(1.8**2 / (1.8**2 + 2.2**2))


def test_less_will_do_for_a_young_segment() -> None:
    # At 2.1 the new distance is 1.9 of 2.1 (.905), at 2.2 it is 1.8 of 2.2 (.82 < .85).
    rows = segment(4, (0.0, 0.0)), segment(9, (4.0, 0.0), born_version=2)
    young, old = snapshot(*rows, version=17), snapshot(*rows, version=18)
    first = snapshot(rows[0], segment(9, (4.0, 0.0), born_version=1))
    for many in (1, 20):
        X, current = at(*[2.1, 2.2] * many), np.array([4, 4] * many)
        assert young.assign(X, current)[0].tolist() == [4, 9] * many
        assert old.assign(X, current)[0].tolist() == [4, 4] * many
        assert first.assign(X, current)[0].tolist() == [4, 4] * many
    # The way back is as far as ever.
    assert young.assign(at(1.8), np.array([9]))[0].tolist() == [9]


def test_an_id_that_is_gone_counts_as_unassigned() -> None:
    assert LINE.assign(at(2.2, 2.2, 2.2), np.array([5, 12, -1]))[0].tolist() == [9, 9, 9]


def test_rows_do_not_influence_each_other() -> None:
    rng = np.random.default_rng(2)
    X, current = rng.normal(2.0, 2.0, (50, 2)), rng.choice([-1, 4, 9, 7], 50)
    together, sure = LINE.assign(X, current)
    for i in range(50):
        alone, confidence = LINE.assign(X[i : i + 1], current[i : i + 1])
        assert alone[0] == together[i]
        assert confidence[0] == pytest.approx(sure[i], abs=1e-6)


def test_no_customers_and_one_segment() -> None:
    ids, confidence = LINE.assign(np.zeros((0, 2)), np.zeros(0, dtype=np.int64))
    assert len(ids) == len(confidence) == 0
    lonely = snapshot(segment(4, (0.0, 0.0)))
    ids, confidence = lonely.assign(at(100.0), np.array([UNASSIGNED]))
    assert ids.tolist() == [4]
    assert confidence.tolist() == [1.0]


def test_two_segments_in_one_place_are_no_division_by_zero() -> None:
    twins = snapshot(segment(1, (0.0, 0.0)), segment(2, (0.0, 0.0)))
    assert twins.assign(at(0.0), np.array([2]))[0].tolist() == [2]


def test_explanation_names_what_speaks_for_it() -> None:
    model = snapshot(
        segment(1, (0.0, 2.0), name="big spenders"),
        segment(2, (0.0, -2.0), name="savers"),
        features=("views", "spend"),
    )
    text = model.explain(np.array([0.0, 1.8]))
    assert text == "nearest to big spenders because of very high spend; next nearest savers"
    assert model.explain(np.array([0.0, 0.1]), segment_id=2).startswith("stays in savers")


def random_model(rng: np.random.Generator, k: int) -> Snapshot:
    """Three features; names in an order of their own, so that rows and ids differ."""
    ids = rng.permutation(20)[:k].tolist()
    rows = [segment(i, tuple(rng.normal(0.0, 1.5, 3).tolist())) for i in ids]
    return snapshot(
        *rows, features=("views", "spend", "orders"), mean=rng.normal(0.0, 0.3, 3),
        scale=rng.uniform(0.5, 2.0, 3), logged=(False,) * 3,
    )  # fmt: skip


def by_hand(model: Snapshot, x: np.ndarray, current: int) -> tuple[int, float, str]:
    """Segment, confidence and reason of one customer, straight from the definitions."""
    z = [
        0.0 if np.isnan(v) else min(max((v - m) / s, -model.clip), model.clip)
        for v, m, s in zip(x.tolist(), model.mean.tolist(), model.scale.tolist(), strict=True)
    ]
    far = {s.id: float(sum((a - b) ** 2 for a, b in zip(z, s.centroid, strict=True)))
           for s in model.segments}  # fmt: skip
    own = nearest = min(far, key=lambda i: far[i])
    if current in far and not far[nearest] ** 0.5 < (1.0 - model.hysteresis) * far[current] ** 0.5:
        own = current
    if len(far) == 1:
        return own, 1.0, f"in segment {own}, the only segment"
    other = min((i for i in far if i != own), key=lambda i: far[i])
    sure = far[other] / (far[own] + far[other])
    if far[own] > far[other]:
        why = f"stays in segment {own}: segment {other} is a little nearer"
        return own, sure, why + ", but not by enough to move"
    here, there = model.segment(own), model.segment(other)
    assert here is not None and there is not None
    gain = [(a - o) ** 2 - (a - h) ** 2
            for a, h, o in zip(z, here.centroid, there.centroid, strict=True)]  # fmt: skip
    least = 0.05 * sum(g for g in gain if g > 0.0)
    best = sorted((g, i) for i, g in enumerate(gain) if g > least)[::-1]
    words = ("very low", "low", "average", "high", "very high")
    names = ("product views", "spend", "orders")
    said = [
        f"{words[(z[i] > -1.5) + (z[i] > -0.4) + (z[i] >= 0.4) + (z[i] >= 1.5)]} {names[i]}"
        for _, i in best
    ]
    reasons = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    why = f"nearest to segment {own} because of {reasons}; next nearest segment {other}"
    return own, sure, why


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 90])
@pytest.mark.parametrize("k", [1, 2, 6])
def test_few_and_many_customers_are_assigned_and_explained_by_the_definitions(
    count: int, k: int
) -> None:
    rng = np.random.default_rng(100 * count + k)
    model = random_model(rng, k)
    X = rng.normal(0.0, 2.0, (count, 3))
    X[rng.random((count, 3)) < 0.05] = np.nan
    X[rng.random((count, 3)) < 0.02] = np.inf
    current = rng.choice([UNASSIGNED, 99, *model.ids.tolist()], count)
    expected = [by_hand(model, x, int(i)) for x, i in zip(X, current, strict=True)]
    ids, confidence = model.assign(X, current)
    assert ids.tolist() == [i for i, _, _ in expected]
    assert confidence == pytest.approx([sure for _, sure, _ in expected], abs=1e-6)
    said = model.explain_many(X, ids)
    assert said == [why for _, _, why in expected]
    assert [model.explain(x, int(i)) for x, i in zip(X, ids, strict=True)] == said


def test_nobody_to_explain() -> None:
    assert LINE.explain_many(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)) == []


def test_json_gives_the_same_snapshot_back() -> None:
    text = LINE.to_json()
    again = Snapshot.from_json(text)
    assert again.to_json() == text
    assert again.segments == LINE.segments
    assert again.assign(at(2.2), np.array([4]))[0].tolist() == [4]


def test_a_large_snapshot_is_small_enough() -> None:
    rng = np.random.default_rng(1)
    names = tuple(f"a_rather_long_feature_name_{i}" for i in range(30))
    segments = [
        segment(
            i + 1, tuple(rng.normal(size=30).tolist()), sentence="x" * 400,
            effects=tuple((name, float(rng.normal())) for name in names[:5]),
        )
        for i in range(10)
    ]  # fmt: skip
    model = snapshot(
        *segments, features=names, mean=rng.normal(size=30), scale=np.ones(30), logged=(True,) * 30
    )
    assert len(model.to_json()) < LARGEST_BYTES


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"version": 0},
        {"segments": []},
        {"mean": [0.0]},
        {"mean": [0.0, None]},
        {"scale": [1.0, 0.0]},
        {"scale": [1.0, -1.0]},
        {"features": ["a", "a"]},
        {"hysteresis": 1.0},
        {"panel_rate": 0.0},
        {"language": "tlh"},
        {"surprise": 1},
        {"logged": [True]},
        {"clip": 0.0},
    ],
)
def test_bad_content_is_refused(change: dict[str, Any]) -> None:
    stored = json.loads(LINE.to_json()) | change
    with pytest.raises(InvalidSnapshot):
        Snapshot.from_json(json.dumps(stored))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", b"\xff\xfe", "1" * (LARGEST_BYTES + 1)])
def test_what_is_no_snapshot_is_refused(text: str | bytes) -> None:
    with pytest.raises(InvalidSnapshot):
        Snapshot.from_json(text)


def test_segments_must_fit() -> None:
    with pytest.raises(InvalidSnapshot, match="segment ids"):
        snapshot(segment(1, (0.0, 0.0)), segment(1, (1.0, 0.0)))
    with pytest.raises(InvalidSnapshot, match="centroids"):
        snapshot(segment(1, (0.0,)))
    with pytest.raises(InvalidSnapshot, match="weights"):
        snapshot(segment(1, (0.0, 0.0), weight=1.5))


def test_a_new_feature_weighs_nothing_at_first() -> None:
    wider = LINE.widened(["c"])
    ids, _ = wider.assign(np.array([[1.0, 0.0, 1e9], [3.0, 0.0, np.nan]]), np.full(2, UNASSIGNED))
    assert ids.tolist() == [4, 9]
