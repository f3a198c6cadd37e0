"""The panel of customers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.panel import OVERFLOW, Panel, panel_hash


@given(st.text())
def test_hash_lies_in_the_unit_interval_and_stays(customer: str) -> None:
    assert 0.0 <= panel_hash(customer) < 1.0
    assert panel_hash(customer) == panel_hash(str(customer))


def test_hash_is_even() -> None:
    tenths = np.bincount([int(10 * panel_hash(f"customer-{i}")) for i in range(20_000)])
    # 2,000 each, deviation 42.
    assert np.abs(tenths - 2_000).max() < 200


def test_latest_vector_counts() -> None:
    panel = Panel(2, 10)
    x = np.array([1.0, 2.0])
    panel.put("a", x)
    x[:] = 9.0
    assert panel.X.tolist() == [[1.0, 2.0]]
    panel.put("a", x)
    assert panel.X.tolist() == [[9.0, 9.0]]
    assert len(panel) == 1


def test_memory_is_bounded_and_the_share_halves() -> None:
    panel = Panel(1, 100)
    for i in range(5_000):
        panel.put(f"c{i}", np.array([float(i)]))
        assert len(panel) <= OVERFLOW * 100
    assert panel.rate in {2.0**-i for i in range(1, 10)}
    kept = {f"c{i}" for i in range(5_000) if panel_hash(f"c{i}") < panel.rate}
    assert set(panel) == kept
    assert dict(zip(panel, panel.X[:, 0], strict=True)) == {c: float(c[1:]) for c in kept}


@given(
    st.lists(st.integers(0, 30), max_size=40), st.lists(st.integers(0, 30), max_size=40),
    st.integers(1, 20),
)  # fmt: skip
def test_many_at_once_are_as_many_one_by_one(first: list[int], then: list[int], size: int) -> None:
    one, many = Panel(1, size), Panel(1, size)
    for number, batch in enumerate((first, then)):
        names = [f"c{i}" for i in batch]
        X = 100.0 * number + np.arange(len(names), dtype=np.float64)[:, None]
        many.put_many(names, X)
        for name, x in zip(names, X, strict=True):
            one.put(name, x)
    assert list(many) == list(one)
    assert many.X.tolist() == one.X.tolist()
    assert (many.rate, many.pending) == (one.rate, one.pending)


def test_a_forgotten_customer_leaves_the_others_alone() -> None:
    panel = Panel(1, 10)
    for i, name in enumerate("abcd"):
        panel.put(name, np.array([float(i)]))
    assert panel.drop("b")
    assert not panel.drop("b")
    assert dict(zip(panel, panel.X[:, 0], strict=True)) == {"a": 0.0, "c": 2.0, "d": 3.0}
    assert panel.rows(["a", "b", "d"]).tolist() == [0, -1, 1]


def test_changed_rows_are_told_once() -> None:
    panel = Panel(1, 10)
    for name in "abc":
        panel.put(name, np.array([0.0]))
    assert panel.take_changed().tolist() == [0, 1, 2]
    panel.put("b", np.array([1.0]))
    panel.put("b", np.array([2.0]))
    panel.put("c", np.array([2.0]))
    panel.drop("c")
    assert panel.changed == 1
    assert panel.take_changed().tolist() == [1]
    assert panel.take_changed().tolist() == []


def test_a_resized_panel_holds_about_as_many_as_asked_for() -> None:
    panel = Panel(1, 100)
    names = [f"c{i}" for i in range(4000)]
    for name in names:
        panel.put(name, np.ones(1))
    assert 87 <= len(panel) <= 175
    rate = panel.rate
    panel.resize(20)
    assert len(panel) <= 35
    assert panel.rate < rate
    assert all(panel_hash(name) < panel.rate for name in panel)
    panel.resize(1000)
    for name in names:
        panel.put(name, np.ones(1))
    assert 875 <= len(panel) <= 1750
    rate = panel.rate
    for name in list(panel)[:-10]:
        panel.drop(name)
    panel.resize(1000)
    assert panel.rate == rate < 1.0
    with pytest.raises(ValueError, match="size"):
        panel.resize(0)
