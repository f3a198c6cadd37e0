"""`agos model`: the model, the league, what has moved."""

import json

import numpy as np
import pytest
from redis import Redis

from models.snapshot import Segment, Snapshot
from stream.settings import Settings
from stream.store.learned import League, Standing
from stream.store.model import Learned, ModelStore, TrainerPosition
from stream.store.store import Store

STANDINGS = (
    Standing("default", 40, 2, 0.41, 1.0, 0.0012, 1.0),
    Standing("river-kmeans", 7, 6, 0.25, 1.08, 0.031, 0.99),
)


@pytest.fixture
async def filled(redis_url, monkeypatch):
    """A Redis with a model of two segments, a league and two alerts."""
    monkeypatch.setenv("AGOS_REDIS", redis_url)
    snapshot = Snapshot(
        version=3, features=("orders", "spend"), mean=np.zeros(2), scale=np.ones(2),
        segments=(
            Segment(4, (1.0, 1.0), "big spenders", "a", 0.25, (("spend", 1.04),)),
            Segment(9, (-1.0, -1.0), "quiet customers", "b", 0.75, (("spend", -0.5),)),
        ),
        trained_on=1234,
    )  # fmt: skip
    league = League(1_700_000_000_000, "default", "river-kmeans", 20, 2, STANDINGS)
    alerts = [
        {"feature": "spend", "shift": "0.500", "since_ms": "1", "noticed_ms": "2",
         "text": f"spend: {i}", "model_version": "3"}
        for i in range(2)
    ]  # fmt: skip
    store = Store(Settings(redis=redis_url))
    empty = TrainerPosition(None, "", "", None)
    stored = TrainerPosition(1, "id", "w:1", b"state")
    learned = Learned(10, snapshot, (), alerts, league.to_json())
    assert await ModelStore(store).save(empty, stored, learned)
    await store.close()


def test_the_model_is_shown(agos, filled):
    result = agos("model")
    assert result.code == 0
    assert "model 3, learned from 1,234 customers" in result.said
    words = " ".join(result.said.split())
    # The larger segment first.
    assert words.index("cluster-9 75% quiet customers spend -0.5") < words.index("cluster-4 25%")
    assert "river-kmeans 7 6 0.250 1.080 3.10% 99.0%" in words
    assert "river-kmeans is asked for: 7 of 20 rounds in the shadow" in words
    assert "2 ticks failed" in words
    # The newest alert first.
    assert words.index("spend: 1") < words.index("spend: 0")


def test_the_model_as_json(agos, filled):
    record = json.loads(agos("model", "--json", "--alerts", "1").said)
    assert (record["version"], record["trained_on"]) == (3, 1234)
    assert record["segments"]["cluster-4"]["name"] == "big spenders"
    assert record["league"]["standings"][1]["name"] == "river-kmeans"
    assert [alert["text"] for alert in record["alerts"]] == ["spend: 1"]


def test_a_clusterer_is_asked_for(agos, filled, redis_url):
    assert agos("model", "--use", "river-dbstream").code == 0
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        assert redis.get("agos:model:wanted") == "river-dbstream"
        result = agos("model", "--use", "k-moans")
        assert result.code == 2
        assert "k-moans" in result.told
        assert redis.get("agos:model:wanted") == "river-dbstream"


def test_no_model_yet_is_said(agos, redis_url, monkeypatch):
    monkeypatch.setenv("AGOS_REDIS", redis_url)
    assert "No model yet" in agos("model").said
