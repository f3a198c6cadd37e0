"""The trainer: cold start, structure, ids, storage."""

import numpy as np
import pytest

from models.errors import InvalidState, UnknownClusterer
from models.measures import adjusted_rand
from models.panel import panel_hash
from models.snapshot import UNASSIGNED, WEIGHTLESS, Snapshot
from models.trainer import Trainer

FEATURES = ("orders", "views", "spend")
CENTRES = np.array([[3.0, 0.5, 5.0], [0.5, 4.0, 1.0], [1.0, 1.0, 8.0], [4.0, 4.0, 2.0]])


def customers(persona: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Raw vectors whose logarithms lie around the personas' centres."""
    return np.expm1(np.abs(CENTRES[persona] + rng.normal(0.0, 0.35, (len(persona), 3))))


def feed(trainer: Trainer, persona: np.ndarray, rng: np.random.Generator) -> Snapshot | None:
    names = [f"c{i}" for i in range(len(persona))]
    trainer.update_many(names, customers(persona, rng))
    return trainer.tick()


def agreement(snapshot: Snapshot, persona: np.ndarray, rng: np.random.Generator) -> float:
    X = customers(persona, rng)
    ids, _ = snapshot.assign(X, np.full(len(X), UNASSIGNED))
    return adjusted_rand(persona, ids)


def test_no_segments_before_there_are_customers() -> None:
    trainer = Trainer(FEATURES, seed=1)
    assert trainer.tick() is None
    trainer.update("a", np.array([1.0, 2.0, 3.0]))
    assert trainer.tick() is None
    assert trainer.snapshot is None


def test_a_dozen_customers_give_something() -> None:
    rng = np.random.default_rng(1)
    trainer = Trainer(FEATURES, seed=1)
    snapshot = feed(trainer, np.arange(12) % 2, rng)
    assert snapshot is not None
    assert snapshot.version == 1
    assert 1 <= len(snapshot.segments) <= 4
    assert sum(segment.weight for segment in snapshot.segments) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_plain_groups_are_found(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    persona = rng.integers(k, size=600)
    snapshot = feed(Trainer(FEATURES, seed=seed), persona, rng)
    assert snapshot is not None
    assert len(snapshot.segments) == k
    assert snapshot.natural
    assert agreement(snapshot, persona, rng) > 0.95


def test_no_groups_is_said_openly() -> None:
    rng = np.random.default_rng(5)
    trainer = Trainer(FEATURES, seed=1)
    trainer.update_many([f"c{i}" for i in range(800)], np.expm1(rng.normal(3.0, 0.5, (800, 3))))
    snapshot = trainer.tick()
    assert snapshot is not None
    assert not snapshot.natural
    assert len(snapshot.segments) == 4


def test_nothing_new_nothing_published() -> None:
    rng = np.random.default_rng(2)
    trainer = Trainer(FEATURES, seed=1)
    persona = rng.integers(3, size=500)
    assert feed(trainer, persona, rng) is not None
    assert trainer.tick() is None
    trainer.update("c0", customers(persona[:1], rng)[0])
    assert trainer.tick() is None


def test_a_new_persona_is_a_birth_and_the_others_keep_their_ids() -> None:
    rng = np.random.default_rng(3)
    trainer = Trainer(FEATURES, seed=1)
    persona = rng.integers(3, size=900)
    for _ in range(4):
        feed(trainer, persona, rng)
    assert trainer.snapshot is not None
    before = {s.id: np.array(s.centroid) for s in trainer.snapshot.segments}
    assert len(before) == 3
    persona[rng.choice(900, 120, replace=False)] = 3
    for _ in range(8):
        feed(trainer, persona, rng)
    after = trainer.snapshot
    assert len(after.segments) == 4
    assert set(before) < set(after.ids.tolist())
    newborn = next(s for s in after.segments if s.id not in before)
    assert newborn.born_version > 1
    assert newborn.weight == pytest.approx(120 / 900, abs=0.03)
    assert set(newborn.parents) <= set(before)


def test_a_dead_persona_loses_its_segment() -> None:
    rng = np.random.default_rng(4)
    trainer = Trainer(FEATURES, seed=1)
    persona = rng.integers(4, size=900)
    for _ in range(3):
        feed(trainer, persona, rng)
    assert trainer.snapshot is not None
    assert len(trainer.snapshot.segments) == 4
    persona[persona == 3] = rng.integers(3, size=(persona == 3).sum())
    gone = []
    for _ in range(8):
        snapshot = feed(trainer, persona, rng)
        gone += [c for c in snapshot.changes if c.kind == "died"] if snapshot else []
    assert len(trainer.snapshot.segments) == 3
    assert len(gone) == 1


def test_the_same_updates_give_the_same_snapshots() -> None:
    def run() -> list[str]:
        rng = np.random.default_rng(6)
        trainer, texts = Trainer(FEATURES, seed=9), []
        persona = rng.integers(4, size=400)
        for _ in range(4):
            snapshot = feed(trainer, persona, rng)
            texts.append(snapshot.to_json() if snapshot else "")
        return texts

    assert run() == run()


def test_a_restart_forgets_nothing() -> None:
    """A stored and revived trainer goes on exactly as the one that was not stopped."""
    rng = np.random.default_rng(7)
    persona = rng.integers(4, size=500)
    trainer = Trainer(FEATURES, seed=9, panel_size=200, hysteresis=0.3)
    for _ in range(3):
        feed(trainer, persona, rng)
    trainer.update("c1", np.array([1.0, np.nan, 3.0]))
    data = trainer.to_bytes()
    revived = Trainer.from_bytes(data)
    assert revived.to_bytes() == data
    assert revived.in_panel_rate == trainer.in_panel_rate < 1.0
    persona[:100] = 0
    rngs = np.random.default_rng(8), np.random.default_rng(8)
    for _ in range(6):
        feed(trainer, persona, rngs[0])
        feed(revived, persona, rngs[1])
    assert revived.to_bytes() == trainer.to_bytes()
    assert revived.snapshot is not None
    assert revived.snapshot.hysteresis == 0.3


@pytest.mark.parametrize("data", [b"", b"agos", b"agos-trainer-1\n", b"agos-trainer-1\n\x93\x01"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidState):
        Trainer.from_bytes(data)


def test_cut_bytes_are_refused() -> None:
    trainer = Trainer(FEATURES, seed=1)
    feed(trainer, np.arange(40) % 2, np.random.default_rng(1))
    data = trainer.to_bytes()
    for length in range(20, len(data), 97):
        with pytest.raises(InvalidState):
            Trainer.from_bytes(data[:length])


def test_a_forgotten_customer_is_not_stored() -> None:
    trainer = Trainer(FEATURES, seed=1)
    feed(trainer, np.arange(40) % 2, np.random.default_rng(1))
    trainer.update("somebody-unforgettable", np.ones(3))
    assert b"somebody-unforgettable" in trainer.to_bytes()
    trainer.forget("somebody-unforgettable")
    trainer.forget("nobody")
    assert b"somebody-unforgettable" not in trainer.to_bytes()


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownClusterer, match="default"):
        Trainer(FEATURES, seed=1, clusterer="k-moans")
    with pytest.raises(ValueError, match="language"):
        Trainer(FEATURES, seed=1, language="tlh")


def test_extreme_panels_are_survived() -> None:
    trainer = Trainer(FEATURES, seed=1)
    values = [0.0, -1e300, 1e300, np.nan, np.inf, -np.inf, 1e-300, 5.0]
    rng = np.random.default_rng(1)
    for round_ in range(3):
        for i in range(60):
            trainer.update(f"c{i}", rng.choice(values, 3))
        snapshot = trainer.tick()
        assert snapshot is None or np.isfinite(snapshot.centroids).all(), round_
    same = Trainer(FEATURES, seed=1)
    same.update_many([f"c{i}" for i in range(50)], np.ones((50, 3)))
    snapshot = same.tick()
    assert snapshot is not None
    assert same.snapshot is not None


@pytest.mark.parametrize("name", ["river-kmeans", "river-streamkmeans", "river-dbstream",
                                  "river-denstream", "river-clustream"])  # fmt: skip
def test_river_clusterers_plug_in(name: str) -> None:
    rng = np.random.default_rng(2)
    trainer = Trainer(FEATURES, seed=1, clusterer=name)
    persona = rng.integers(3, size=400)
    for _ in range(3):
        feed(trainer, persona, rng)
    assert trainer.snapshot is not None
    revived = Trainer.from_bytes(trainer.to_bytes())
    feed(revived, persona, rng)
    assert revived.snapshot is not None
    X = customers(persona, rng)
    ids, _ = revived.snapshot.assign(X, np.full(len(X), UNASSIGNED))
    assert set(ids.tolist()) <= set(revived.snapshot.ids.tolist())


def test_another_language_renames_the_same_segments() -> None:
    rng = np.random.default_rng(2)
    trainer = Trainer(FEATURES, seed=1)
    persona = rng.integers(3, size=300)
    english = feed(trainer, persona, rng)
    trainer.speak("fil")
    filipino = feed(trainer, persona, rng)
    assert english is not None and filipino is not None
    assert filipino.language == "fil"
    assert [s.id for s in filipino.segments] == [s.id for s in english.segments]
    assert [s.terms for s in filipino.segments] == [s.terms for s in english.segments]
    assert not {s.name for s in filipino.segments} & {s.name for s in english.segments}
    with pytest.raises(ValueError, match="tlh"):
        trainer.speak("tlh")


def test_workers_are_told_at_once_that_more_customers_are_asked_for() -> None:
    rng = np.random.default_rng(2)
    X, names = customers(rng.integers(3, size=400), rng), [f"c{i}" for i in range(400)]
    trainer = Trainer(FEATURES, seed=1, panel_size=100)
    for _ in range(10):
        trainer.update_many(names, X)
        trainer.tick()
    before = trainer.snapshot
    assert before is not None and before.panel_rate < 1.0
    mine = [i for i in range(400) if panel_hash(names[i]) < before.panel_rate]
    trainer.update_many([names[i] for i in mine], X[mine])
    assert trainer.tick() is None
    trainer.resize(400)
    trainer.update_many([names[i] for i in mine], X[mine])
    after = trainer.tick()
    assert after is not None
    assert (after.panel_rate, after.ids.tolist(), after.changes) == (1.0, before.ids.tolist(), ())


def test_a_trainer_that_lost_its_state_goes_on_from_what_is_published() -> None:
    rng = np.random.default_rng(2)
    persona = rng.integers(4, size=900)
    lost = Trainer(FEATURES, seed=1)
    published = feed(lost, persona, rng)
    assert published is not None
    new = Trainer(FEATURES, seed=1)
    new.adopt(published, next_id=40)
    # 500 of 900 are too few to replace it, before and after a restart.
    X = customers(persona, rng)
    new.update_many([f"c{i}" for i in range(500)], X[:500])
    assert new.tick() is None
    new = Trainer.from_bytes(new.to_bytes())
    new.update_many([f"c{i}" for i in range(600)], X[:600])
    assert new.tick() is None
    again = feed(new, persona, rng)
    assert again is not None
    assert again.version == published.version + 1
    assert set(again.ids.tolist()) == set(published.ids.tolist())
    before, after = agreed_ids(published, X), agreed_ids(again, X)
    assert (before == after).mean() > 0.97
    assert new.next_id == 40


def agreed_ids(snapshot: Snapshot, X: np.ndarray) -> np.ndarray:
    return snapshot.assign(X, np.full(len(X), UNASSIGNED))[0]


def test_ids_begin_where_others_ended() -> None:
    rng = np.random.default_rng(2)
    trainer = Trainer(FEATURES, seed=1)
    trainer.adopt(None, next_id=17)
    snapshot = feed(trainer, rng.integers(3, size=300), rng)
    assert snapshot is not None
    assert sorted(snapshot.ids.tolist()) == [17, 18, 19]
    assert trainer.next_id == 20


def test_a_feature_that_comes_later_weighs_once_most_customers_have_it() -> None:
    rng = np.random.default_rng(6)
    X, names = customers(rng.integers(2, size=400), rng), [f"c{i}" for i in range(400)]
    trainer = Trainer(FEATURES, seed=6)
    for _ in range(10):
        trainer.update_many(names, X)
        trainer.tick()
    wider = trainer.widened((*FEATURES, "visits"))
    visits = np.where(np.arange(400) % 2, 50.0, 5.0) + rng.uniform(0.0, 1.0, 400)
    for count, weighs in ((100, False), (300, True)):
        known = np.where(np.arange(400) < count, visits, np.nan)
        wider.update_many(names, np.column_stack([X, known]))
        wider.tick()
        assert wider.snapshot is not None
        assert (wider.snapshot.scale[3] < WEIGHTLESS) == weighs
