"""Challengers, their standing and promotion."""

import numpy as np
import pytest

from models.errors import ModelError, UnknownClusterer
from models.league import SHADOW_ROUNDS, League
from models.lloyd import Partition
from models.panel_kmeans import PanelKMeans
from models.registry import register
from models.space import F64, Ints
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
    found, trainer, persona, rng = league("river-kmeans")
    feed(trainer, persona, rng)
    for _ in range(3):
        found.learn()
    assert [s.churn for s in found.standings()] == [0.0, 0.0]


def test_promotion_needs_a_shadow_run_and_keeps_ids() -> None:
    # Not one of River's: what these find depends on string hashing.
    register("twin", lambda features, seed: PanelKMeans(seed + 1))
    found, trainer, persona, rng = league("twin")
    feed(trainer, persona, rng)
    found.learn()
    with pytest.raises(ModelError, match="1 rounds, 20 expected"):
        found.promote("twin")
    with pytest.raises(ModelError, match="nobody"):
        found.promote("nobody")
    for _ in range(SHADOW_ROUNDS):
        feed(trainer, persona, rng)
        found.learn()
    assert trainer.snapshot is not None
    before = set(trainer.snapshot.ids.tolist())
    found.promote("twin")
    snapshot = feed(trainer, persona, rng)
    assert snapshot is not None
    assert set(snapshot.ids.tolist()) == before
    assert not snapshot.changes
    assert trainer.clusterer == "twin"
    # There is a way back.
    assert found.names == ["default"]
    assert found.rounds("default") == 0


def test_a_round_learns_a_bounded_part_and_everybody_in_turn() -> None:
    seen: list[int] = []

    class Counting(PanelKMeans):
        def learn(self, Z: F64, changed: Ints) -> Partition:
            seen.append(len(changed))
            return super().learn(Z, changed)

    register("counting", lambda features, seed: Counting(seed))
    rng = np.random.default_rng(1)
    trainer = Trainer(FEATURES, seed=1)
    found = League(trainer, ["counting"])
    feed(trainer, rng.integers(3, size=700), rng)
    for _ in range(4):
        found.learn()
    assert seen == [300, 300, 100, 0]


def test_who_is_in_force_is_no_challenger() -> None:
    found, _, _, _ = league("default")
    assert found.names == []
    with pytest.raises(UnknownClusterer, match="river-kmeans"):
        found.enter("k-moans")
