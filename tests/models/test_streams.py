"""Persona streams and the evaluation."""

import numpy as np
import pytest

from models.evaluation import evaluate, main, table
from models.space import Space
from models.streams import PersonaStream, Scenario


def test_the_same_seed_gives_the_same_stream() -> None:
    one, two = PersonaStream(4, customers=300), PersonaStream(4, customers=300)
    for stream in (one, two):
        stream.updates(50)
        stream.drift()
    assert np.array_equal(one.updates(100).X, two.updates(100).X)
    assert not np.array_equal(PersonaStream(5, customers=300).first().X, one.first().X)


def test_raw_features_look_like_customers() -> None:
    stream = PersonaStream(1, customers=2_000)
    X = stream.first().X
    named = dict(zip(stream.features, X.T, strict=True))
    assert all((named[name] >= 0).all() for name in stream.features)
    assert np.array_equal(named["views"], np.round(named["views"]))
    assert ((named["category_focus"] > 0) & (named["category_focus"] < 1)).all()
    spend = named["spend"]
    assert spend.mean() > 1.3 * np.median(spend)


@pytest.mark.parametrize(
    ("scenario", "personas"),
    [
        ("still", 6),
        ("move", 6),
        ("glide", 6),
        ("birth", 7),
        ("death", 5),
        ("split", 7),
        ("market", 7),
    ],
)
def test_scenarios(scenario: Scenario, personas: int) -> None:
    stream = PersonaStream(2, customers=2_000, scenario=scenario)
    before = stream.persona.copy()
    stream.updates(10)
    stream.drift()
    stream.updates(10)
    assert stream.personas == personas
    joined = (stream.persona == 6).mean()
    if scenario in ("birth", "market"):
        assert joined == pytest.approx(0.075)
    if scenario == "split":
        assert (before[stream.persona == 6] == 0).all()
    if scenario in ("still", "move", "glide"):
        assert np.array_equal(before, stream.persona)


def test_personas_are_where_they_are_said_to_be() -> None:
    """Customers of a persona are nearer to its mean than to any other's, mostly."""
    stream = PersonaStream(3, customers=3_000)
    batch = stream.first()
    Z, persona = Space.of(batch.X).project(batch.X), stream.persona[batch.customers]
    centres = np.array([Z[persona == p].mean(axis=0) for p in range(6)])
    nearest = ((Z[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert 0.8 < (nearest == persona).mean() < 0.99


def test_evaluation_on_a_small_stream() -> None:
    before, after = evaluate(
        "default", seed=3, scenario="birth", updates=10_000, after=10_000, customers=2_000
    )
    assert before.ari > 0.8
    assert before.ari_stateless > 0.95 * before.ari_batch
    assert before.inertia < 1.02
    assert abs(before.k - 6) <= 1
    assert before.live_churn < 0.05
    assert after.ari > 0.8
    assert "| default | 3 | birth |" in table([before, after])


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--customers", "300", "--updates", "2000", "--scenarios", "still", "--seeds", "1"])
    printed = capsys.readouterr().out
    assert printed.count("\n") == 3
    assert "| default | 1 | before | 6 |" in printed
