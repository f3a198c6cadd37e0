"""What every clusterer must keep to, checked with real rows.

River's own `check_estimator` has no data for clusterers. Each check takes a function that makes a
new clusterer, and raises AssertionError (or whatever the clusterer raises) where it fails.
"""

import copy
import pickle
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from river.base import Clusterer

Make = Callable[[], Clusterer]
Row = dict[Hashable, Any]
Check = Callable[[Make], None]

ROWS = 400


def rows(seed: int = 7, count: int = ROWS) -> list[Row]:
    """Three groups of customers, of deviation about 1, in random order."""
    rng = np.random.default_rng(seed)
    centres = np.array([[2.0, -2.0, 0.0, 1.0], [-2.0, 0.0, 2.0, -1.0], [0.0, 2.0, -2.0, 0.0]])
    points = centres[rng.integers(3, size=count)] + rng.normal(0.0, 0.5, (count, 4))
    names = ("orders", "views", "spend", "tenure_days")
    return [dict(zip(names, point.tolist(), strict=True)) for point in points]


def _learned(make: Make, data: list[Row]) -> Clusterer:
    model = make()
    for x in data:
        model.learn_one(dict(x))
    return model


def _predicted(model: Clusterer, data: list[Row]) -> list[int]:
    return [model.predict_one(dict(x)) for x in data]


def check_cold_start(make: Make) -> None:
    """Asked before it has learned anything, and after one row, it answers with a number."""
    model, first = make(), rows()[0]
    assert isinstance(model.predict_one(dict(first)), int | np.integer)
    model.learn_one(dict(first))
    assert isinstance(model.predict_one(dict(first)), int | np.integer)


def check_feature_order(make: Make) -> None:
    """The order of a row's features makes no difference."""
    data = rows()
    turned = [dict(reversed(x.items())) for x in data]
    assert _predicted(_learned(make, data), data[:50]) == _predicted(
        _learned(make, turned), data[:50]
    )


def check_new_feature(make: Make) -> None:
    """A feature that was not there before is taken in."""
    model = _learned(make, rows())
    for x in rows(8, 50):
        model.learn_one(x | {"carts": 1.0})
        model.predict_one(x | {"carts": 1.0})


def check_missing_feature(make: Make) -> None:
    """A feature may be missing, in learning and in predicting."""
    model = _learned(make, rows())
    for x in rows(8, 50):
        del x["views"]
        model.learn_one(dict(x))
        model.predict_one(dict(x))


def check_no_aliasing(make: Make) -> None:
    """What the caller does with a row afterwards does not change the model."""
    data = rows()
    kept = _learned(make, data)
    model = make()
    for x in data:
        mine = dict(x)
        model.learn_one(mine)
        for name in mine:
            mine[name] = 1e6
    assert _predicted(model, data[:50]) == _predicted(kept, data[:50])


def check_rows_unchanged(make: Make) -> None:
    """Rows are not changed."""
    model = make()
    for x in rows():
        mine = dict(x)
        model.learn_one(mine)
        assert mine == x
    mine = rows()[0]
    model.predict_one(mine)
    assert mine == rows()[0]


def check_predict_is_pure(make: Make) -> None:
    """Predictions do not change the model: with and without them it learns the same."""
    data = rows()
    quiet = _learned(make, data)
    asked = make()
    for i, x in enumerate(data):
        asked.learn_one(dict(x))
        if i > ROWS // 2:
            asked.predict_one(dict(data[0]))
    assert _predicted(asked, data[:50]) == _predicted(quiet, data[:50])


def check_deterministic(make: Make) -> None:
    """The same rows give the same answers."""
    data = rows()
    first, second = _learned(make, data), _learned(make, data)
    assert _predicted(first, data[:50]) == _predicted(second, data[:50])


def check_pickle_and_copy(make: Make) -> None:
    """A copy answers as the original."""
    data = rows()
    model = _learned(make, data)
    expected = _predicted(copy.deepcopy(model), data[:50])
    assert _predicted(pickle.loads(pickle.dumps(model)), data[:50]) == expected
    assert _predicted(model, data[:50]) == expected


def check_extreme_values(make: Make) -> None:
    """Constant features, huge values and zeros break nothing."""
    model = make()
    for i, x in enumerate(rows()):
        x["constant"] = 3.0
        x["spend"] = 1e15 if i % 50 == 0 else x["spend"]
        model.learn_one(x)
    for x in rows(9, 50):
        assert isinstance(model.predict_one(x | {"constant": 3.0}), int | np.integer)


def check_finds_groups(make: Make) -> None:
    """Rows of the same of three plain groups mostly get the same answer, others another one."""
    data = rows(count=900)
    labels = _predicted(_learned(make, data), data[-200:])
    truth = [max(x, key=lambda name: x[name]) for x in data[-200:]]
    pairs = [(i, j) for i in range(0, 200, 3) for j in range(i)]
    agreed = [(labels[i] == labels[j]) == (truth[i] == truth[j]) for i, j in pairs]
    assert sum(agreed) / len(agreed) > 0.8


def check_bounded_memory(make: Make) -> None:
    """Ten times the rows do not take three times the memory."""
    few = len(pickle.dumps(_learned(make, rows(count=2_000))))
    many = len(pickle.dumps(_learned(make, rows(count=2_000) + rows(8, 18_000))))
    assert many < 3 * few + 10_000


CHECKS: tuple[Check, ...] = (
    check_cold_start,
    check_feature_order,
    check_new_feature,
    check_missing_feature,
    check_no_aliasing,
    check_rows_unchanged,
    check_predict_is_pure,
    check_deterministic,
    check_pickle_and_copy,
    check_extreme_values,
    check_finds_groups,
    check_bounded_memory,
)


def failures(make: Make) -> Iterator[tuple[str, str]]:
    """Names of the checks that a clusterer fails, each with what went wrong."""
    for check in CHECKS:
        try:
            check(make)
        except Exception as error:
            yield check.__name__, f"{type(error).__name__}: {error}"
