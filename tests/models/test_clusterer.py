"""The default clusterer as River uses clusterers."""

import numpy as np
import pytest
from river import base, compose, preprocessing

from models import UNASSIGNED, LiveSegments, Trainer, default_clusterer
from models.checks import rows
from models.errors import InvalidState, ModelError
from stream.settings import Settings


class Frame:
    """The least that counts as a frame."""

    def __init__(self, columns: list[str], values: np.ndarray) -> None:
        self.columns, self._values = columns, values

    def to_numpy(self) -> np.ndarray:
        return self._values


def test_it_is_a_river_clusterer() -> None:
    model = default_clusterer(seed=3)
    assert isinstance(model, base.Clusterer)
    assert model.clone().seed == 3


def test_it_learns_from_as_many_as_a_worker_does() -> None:
    """What is measured with one of them holds for the others."""
    asked = Settings.model_fields["panel"].default
    assert default_clusterer().panel_size == asked
    assert LiveSegments().panel_size == asked
    assert Trainer(("orders",), seed=1).panel_size == asked


def test_it_works_in_a_pipeline() -> None:
    model = compose.Pipeline(preprocessing.StandardScaler(), default_clusterer())
    for x in rows(count=300):
        model.learn_one(x)
    assert model.predict_one(rows()[0]) != UNASSIGNED


def test_bulk_does_what_one_by_one_does() -> None:
    data = rows(count=300)
    names = sorted(str(name) for name in data[0])
    X = np.array([[x[name] for name in names] for x in data])
    customers = [f"c{i}" for i in range(300)]
    model = default_clusterer()
    model.learn_many(Frame(names, X), customers)
    assert model.n_clusters == 3
    turned = Frame(names[::-1], X[:, ::-1])
    assert model.predict_many(turned).tolist() == [model.predict_one(x) for x in data]
    single = default_clusterer()
    for customer, x in zip(customers, data, strict=True):
        single.update(customer, x)
    assert single.to_bytes() == model.to_bytes()


def test_customers_may_be_named_by_anything_that_reads_as_text() -> None:
    names = [f"c{i}" for i in range(40)]
    X = np.exp(np.random.default_rng(1).normal(size=(40, 2)))
    plain, other = default_clusterer(), default_clusterer()
    plain.learn_many(X, names)
    other.learn_many(X, np.array(names))
    plain.forget("c7")
    other.forget(np.str_("c7"))
    assert other.to_bytes() == plain.to_bytes()


def test_a_customer_counts_once() -> None:
    model = default_clusterer()
    for i, x in enumerate(rows(count=300)):
        model.update(f"c{i}", x)
    for _ in range(1_000):
        model.update("c0", dict.fromkeys(rows()[0], 1.0))
    assert model.snapshot is not None
    assert model.snapshot.trained_on == 300
    assert model.n_clusters == 3


def test_missing_columns_and_arrays() -> None:
    model = LiveSegments()
    assert model.predict_many(np.zeros((2, 3))).tolist() == [UNASSIGNED] * 2
    rng = np.random.default_rng(1)
    model.learn_many(np.exp(rng.normal(size=(100, 3))))
    assert UNASSIGNED not in model.predict_many(Frame(["1"], np.ones((2, 1))))
    assert model.predict_many(np.zeros((0, 3))).tolist() == []


def test_bad_rows_are_refused_by_name() -> None:
    model = LiveSegments()
    with pytest.raises(ModelError, match="country"):
        model.learn_one({"country": "PH"})
    with pytest.raises(ModelError, match="shape"):
        model.learn_many(np.zeros(3))


def test_stored_and_revived() -> None:
    model = default_clusterer(seed=4)
    for x in rows(count=200):
        model.learn_one(x)
    again = LiveSegments.from_bytes(model.to_bytes())
    assert [again.predict_one(x) for x in rows()[:20]] == [
        model.predict_one(x) for x in rows()[:20]
    ]
    for x in rows(count=300)[200:]:
        model.learn_one(x)
        again.learn_one(x)
    assert again.to_bytes() == model.to_bytes()


def test_stored_before_the_first_row() -> None:
    again = LiveSegments.from_bytes(default_clusterer(seed=4).to_bytes())
    assert (again.seed, again.snapshot) == (4, None)


def test_other_bytes_are_refused() -> None:
    whole = default_clusterer(seed=4).to_bytes()
    for data in (b"", b"something", whole[:-3]):
        with pytest.raises(InvalidState, match="segments"):
            LiveSegments.from_bytes(data)
