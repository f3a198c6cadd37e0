"""Challengers, their standing and promotion."""

import numpy as np
import pytest

from models.errors import ModelError
from models.league import SHADOW_ROUNDS, League
from models.trainer import Trainer
from tests.models.test_trainer import FEATURES, feed


def league(*names: str) -> tuple[League, Trainer, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(1)
    trainer = Trainer(FEATURES, seed=1)
    persona = rng.integers(3, size=300)
    return League(trainer, names), trainer, persona, rng


def test_standings_measure_the_same_panel() -> None:
    found, trainer, persona, rng = league("river-kmeans", "river-dbstream")
    found.learn()
    assert found.standings() == []
    for _ in range(4):
        feed(trainer, persona, rng)
        found.learn()
    own, *others = found.standings()
    assert own.name == "default"
    assert own.segments == 3
    assert own.inertia == 1.0
    assert own.coverage == 1.0
    assert {s.name for s in others} == {"river-kmeans", "river-dbstream"}
    assert all(s.rounds == 4 and -1.0 <= s.silhouette <= 1.0 for s in others)
    assert own.silhouette >= others[0].silhouette


def test_unchanged_customers_do_not_churn() -> None:
    found, trainer, persona, rng = league("default")
    feed(trainer, persona, rng)
    for _ in range(3):
        found.learn()
    assert [s.churn for s in found.standings()] == [0.0, 0.0]


def test_promotion_needs_a_shadow_run_and_keeps_ids() -> None:
    found, trainer, persona, rng = league("default", "river-kmeans")
    feed(trainer, persona, rng)
    found.learn()
    with pytest.raises(ModelError, match="1 rounds"):
        found.promote("default")
    with pytest.raises(ModelError, match="nobody"):
        found.promote("nobody")
    for _ in range(SHADOW_ROUNDS):
        feed(trainer, persona, rng)
        found.learn()
    assert trainer.snapshot is not None
    before = set(trainer.snapshot.ids.tolist())
    found.promote("default")
    snapshot = feed(trainer, persona, rng)
    assert snapshot is not None
    assert set(snapshot.ids.tolist()) == before
    assert not snapshot.changes
