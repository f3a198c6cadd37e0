"""The model, its challengers and the watch on drift, as one."""

import msgspec
import numpy as np
import pytest

from models.drift import HOUR_MS
from models.errors import InvalidState
from models.league import SHADOW_ROUNDS
from models.learning import Learning
from models.trainer import Trainer
from tests.models.test_trainer import FEATURES, customers


def taught(learning: Learning, persona: np.ndarray, rng: np.random.Generator, hour: int) -> None:
    names = [f"c{i}" for i in range(len(persona))]
    at_ms = np.full(len(persona), hour * HOUR_MS)
    learning.take(names, customers(persona, rng), at_ms)


def test_a_lesson_has_the_snapshot() -> None:
    rng = np.random.default_rng(1)
    learning = Learning(Trainer(FEATURES, seed=1))
    taught(learning, rng.integers(3, size=300), rng, 0)
    lesson = learning.tick()
    assert lesson.snapshot is learning.trainer.snapshot is not None
    assert lesson.alerts == ()


def test_what_moves_is_told_once_across_restarts() -> None:
    rng = np.random.default_rng(1)
    persona = rng.integers(3, size=200)
    learning = Learning(Trainer(FEATURES, seed=1))
    told = []
    for hour in range(24 * 5):
        # Half of the first group goes over to the second on the fourth day: fewer orders.
        if hour == 24 * 3:
            persona = np.where((persona == 0) & (np.arange(200) % 2 == 0), 1, persona)
        taught(learning, persona, rng, hour)
        told += learning.tick().alerts
        learning = Learning.from_bytes(learning.to_bytes())
    assert {alert.feature for alert in told} >= {"orders"}
    assert len(told) == len({alert.feature for alert in told})
    orders = next(alert for alert in told if alert.feature == "orders")
    assert orders.shift < 0
    assert abs(orders.since_ms / HOUR_MS - 24 * 3) <= 3


def test_samples_of_several_hours_at_once_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    persona = rng.integers(3, size=120)
    slow, fast = Learning(Trainer(FEATURES, seed=1)), Learning(Trainer(FEATURES, seed=1))
    for learning in (slow, fast):
        taught(learning, persona, np.random.default_rng(2), 0)
        learning.tick()
    X = [customers(persona, rng) for _ in range(3)]
    names = [f"c{i}" for i in range(120)]
    for hour, rows in enumerate(X, start=1):
        slow.take(names, rows, np.full(120, hour * HOUR_MS + 5))
    fast.take(names * 3, np.concatenate(X), np.repeat([1, 2, 3], 120) * HOUR_MS + 5)
    assert slow.to_bytes() == fast.to_bytes()


def test_the_wanted_clusterer_is_promoted_after_its_shadow_run() -> None:
    rng = np.random.default_rng(1)
    persona = rng.integers(3, size=300)
    learning = Learning(Trainer(FEATURES, seed=1))
    taught(learning, persona, rng, 0)
    learning.tick()
    for _ in range(SHADOW_ROUNDS - 1):
        assert not learning.compete("river-kmeans")
    assert learning.trainer.clusterer == "default"
    assert [s.name for s in learning.standings()] == ["default", "river-kmeans"]
    assert learning.compete("river-kmeans")
    assert learning.trainer.clusterer == "river-kmeans"
    # It stays, also over a restart, while it is wanted.
    learning = Learning.from_bytes(learning.to_bytes(), ["default"])
    assert learning.trainer.clusterer == "river-kmeans"
    assert not learning.compete("river-kmeans")
    assert learning.league.names == ["default"]


def test_a_trainer_stored_alone_is_taken_up() -> None:
    trainer = Trainer(FEATURES, seed=1)
    trainer.update("a", np.ones(3))
    assert Learning.from_bytes(trainer.to_bytes()).trainer.to_bytes() == trainer.to_bytes()


def test_other_bytes_are_refused() -> None:
    learning = Learning(Trainer(FEATURES, seed=1))
    taught(learning, np.zeros(20, dtype=np.int64), np.random.default_rng(1), 0)
    learning.tick()
    data = learning.to_bytes()
    magic = b"agos-learning-1\n"
    assert data.startswith(magic)
    for length in [0, 5, len(magic), *range(20, len(data), 211)]:
        with pytest.raises(InvalidState):
            Learning.from_bytes(data[:length])
    parts = msgspec.msgpack.decode(data[len(magic) :])
    other = Learning(Trainer(("x",), seed=1)).to_bytes()
    parts["watch"] = msgspec.msgpack.decode(other[len(magic) :])["watch"]
    with pytest.raises(InvalidState, match="watches"):
        Learning.from_bytes(magic + msgspec.msgpack.encode(parts))
