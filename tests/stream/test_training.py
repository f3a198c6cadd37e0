"""The trainer: samples in, snapshots out, one at a time, and nothing lost at a restart."""

import json
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from redis import Redis

from models.league import SHADOW_ROUNDS
from models.lloyd import Partition
from models.panel_kmeans import PanelKMeans
from models.registry import register
from models.space import F64, Ints
from stream.errors import ConfigurationError, OffsetError
from stream.features import NAMES, VERSION
from stream.settings import Settings
from stream.store.learned import LearnedReader, ask_for
from stream.store.model import ModelStore
from stream.store.store import Store
from stream.topics import MODEL_SAMPLES
from stream.training import Training
from stream.transport import Batch
from tests.stream.lessons import record, sample, samples, training


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[ModelStore]:
    store = Store(Settings(redis=redis_url))
    yield ModelStore(store)
    await store.close()


async def test_nobody_is_the_trainer_before_the_assignment(store: ModelStore) -> None:
    idle = training(store)
    assert not idle.active
    assert await idle.learn(samples(0))
    assert await idle.tick()
    assert (await store.trainer()).offset is None


async def test_samples_become_a_published_model(store: ModelStore, redis: Redis) -> None:
    one = training(store)
    assert await one.assign(0) == 0
    assert one.active
    assert await one.learn(samples(0))
    assert await one.tick()
    token, snapshot = await store.snapshot("")
    assert snapshot is not None and snapshot.version == 1
    assert snapshot.features == NAMES
    public = redis.hgetall("agos:model")
    assert (public["version"], public["trained_on"]) == ("1", "60")
    ids = [f"cluster-{segment.id}" for segment in snapshot.segments]
    assert len(ids) >= 2
    assert list(json.loads(public["names"])) == ids
    assert list(json.loads(public["centroids"])) == ids
    described = {name: json.loads(text) for name, text in redis.hgetall("agos:segments").items()}
    assert set(described) == set(ids)
    assert all(entry["name"] and entry["description"] for entry in described.values())
    # Known already: nothing to read.
    assert await store.snapshot(token) == (token, None)


async def test_the_next_trainer_goes_on_with_what_was_learned(store: ModelStore) -> None:
    one = training(store)
    await one.assign(0)
    await one.learn(samples(0))
    await one.tick()
    two = training(store)
    assert await two.assign(0) == 60
    assert await two.learn(samples(60, seed=1))
    assert await two.tick()
    assert (await store.trainer()).offset == 120


async def test_an_old_trainer_is_fenced(store: ModelStore) -> None:
    old, new = training(store), training(store)
    await old.assign(0)
    await old.learn(samples(0))
    await new.assign(0)
    await new.learn(samples(0))
    assert await new.tick()
    position = await store.trainer()
    await old.learn(samples(60))
    assert not await old.tick()
    assert not old.active
    assert await store.trainer() == position
    # It reads what the other one has, and may go on from there.
    assert await old.assign(0) == 60
    assert await old.learn(samples(60))
    assert await old.tick()


async def test_samples_are_taken_once_and_missing_ones_asked_for(store: ModelStore) -> None:
    one = training(store)
    await one.assign(0)
    assert await one.learn(samples(0))
    assert await one.learn(samples(0))
    assert one.expected == 60
    assert not await one.learn(samples(70))
    unknown = Batch(MODEL_SAMPLES, 0, None, 80, samples(60, 20).records)
    assert not await one.learn(unknown)
    assert one.expected == 60


async def test_samples_that_have_expired_are_passed_over(store: ModelStore) -> None:
    assert await training(store).assign(17) == 17


async def test_a_sample_that_cannot_be_used_is_passed_over(
    store: ModelStore, caplog: pytest.LogCaptureFixture
) -> None:
    one = training(store)
    await one.assign(0)
    good = samples(0, 40)
    bad = [b"{", None, sample("x", [1.0]), sample("y", [1.0] * len(NAMES), VERSION + 1)]
    good.records.extend(record(40 + i, value) for i, value in enumerate(bad))
    batch = Batch(MODEL_SAMPLES, 0, 0, 44, good.records)
    assert await one.learn(batch)
    assert await one.tick()
    _, snapshot = await store.snapshot("")
    assert snapshot is not None and snapshot.trained_on == 40
    assert "offset 40" in caplog.text


async def test_a_recreated_topic_is_refused(store: ModelStore) -> None:
    one = training(store, "id-1")
    await one.assign(0)
    await one.learn(samples(0))
    await one.tick()
    with pytest.raises(OffsetError, match="created anew"):
        await training(store, "id-2").assign(0)


@pytest.mark.parametrize("state", [b"nonsense", b"agos-trainer-1\n\xc1"])
async def test_a_state_that_cannot_be_read_is_begun_anew(
    store: ModelStore, redis_url: str, state: bytes
) -> None:
    one = training(store)
    await one.assign(0)
    await one.learn(samples(0))
    await one.tick()
    with Redis.from_url(redis_url) as raw:
        raw.hset("agos:trainer", "state", state)
    two = training(store)
    assert await two.assign(0) == 60
    assert await two.learn(samples(60))
    assert await two.tick()


async def test_a_redis_that_lost_everything_gets_a_model_again(
    store: ModelStore, redis: Redis
) -> None:
    one = training(store)
    await one.assign(0)
    await one.learn(samples(0))
    await one.tick()
    token, _ = await store.snapshot("")
    redis.flushall()
    await one.learn(samples(60))
    assert not await one.tick()
    assert await one.assign(0) == 0
    await one.learn(samples(0))
    assert await one.tick()
    again, snapshot = await store.snapshot(token)
    # Its version is 1 once more; its token tells it from the lost one.
    assert snapshot is not None and snapshot.version == 1
    assert again != token


async def test_segments_that_nobody_is_in_any_more_are_dropped(
    store: ModelStore, redis: Redis
) -> None:
    gone = json.dumps({"name": "old", "origin": "discovered"})
    defined = json.dumps({"name": "mine", "origin": "defined"})
    described = {"cluster-98": gone, "cluster-99": gone, "vip": defined}
    redis.hset("agos:segments", mapping=described)
    redis.zadd("agos:segment:cluster-98:members", {"still here": 1})
    one = training(store)
    await one.assign(0)
    await one.learn(samples(0))
    await one.tick()
    left = set(redis.hkeys("agos:segments"))
    assert {"cluster-98", "vip"} <= left
    # The first tick has no model yet whose segments could be compared.
    await one.learn(samples(60, seed=2))
    await one.tick()
    assert "cluster-99" not in redis.hkeys("agos:segments")


async def learned(one: Training, batch: Batch) -> None:
    assert await one.learn(batch)
    assert await one.tick()


async def ids_in_force(store: ModelStore) -> set[int]:
    _, snapshot = await store.snapshot("")
    assert snapshot is not None
    return set(snapshot.ids.tolist())


async def test_a_lost_trainer_goes_on_with_the_ids_in_force(
    store: ModelStore, redis: Redis
) -> None:
    one = training(store)
    await one.assign(0)
    await learned(one, samples(0))
    before = await ids_in_force(store)
    redis.delete("agos:trainer")
    two = training(store)
    assert await two.assign(0) == 0
    await learned(two, samples(0))
    assert await ids_in_force(store) == before
    _, snapshot = await store.snapshot("")
    assert snapshot is not None and snapshot.version == 2


@pytest.mark.parametrize("left", ["next_id", "segments"])
async def test_an_id_is_never_given_twice(store: ModelStore, redis: Redis, left: str) -> None:
    """The trainer and the model are lost, customers may still be in segment 40."""
    if left == "next_id":
        redis.hset("agos:model", "next_id", 41)
    else:
        entry = json.dumps({"name": "old", "origin": "discovered"})
        redis.hset("agos:segments", mapping={"cluster-40": entry, "cluster-x": entry})
    one = training(store)
    await one.assign(0)
    await learned(one, samples(0))
    used = await ids_in_force(store)
    assert min(used) == 41
    assert redis.hget("agos:model", "next_id") == str(max(used) + 1)


async def test_names_are_in_the_language_of_the_settings(store: ModelStore, redis: Redis) -> None:
    one = training(store)
    await one.assign(0)
    await learned(one, samples(0))
    english = json.loads(redis.hget("agos:model", "names"))
    two = training(store, language="fil")
    await two.assign(0)
    await learned(two, samples(60, seed=1))
    filipino = json.loads(redis.hget("agos:model", "names"))
    assert set(filipino) == set(english)
    assert not set(filipino.values()) & set(english.values())
    _, snapshot = await store.snapshot("")
    assert snapshot is not None
    x = np.ones(len(NAMES))
    assert snapshot.explain(x).startswith("pinakamalapit sa ")


async def test_standings_can_be_read(store: ModelStore, redis_url: str) -> None:
    one = training(store, challengers="river-streamkmeans, river-kmeans")
    with LearnedReader(redis_url) as reader:
        assert reader.league() is None
        await one.assign(0)
        await learned(one, samples(0))
        league = reader.league()
    assert league is not None
    assert (league.in_force, league.wanted, league.failures) == ("default", "default", 0)
    assert league.standings[0].name == "default"
    assert {s.name for s in league.standings[1:]} == {"river-streamkmeans", "river-kmeans"}
    assert all(s.rounds == 1 for s in league.standings)


async def test_a_clusterer_that_is_asked_for_runs_in_the_shadow_first(
    store: ModelStore, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.training._SHADOW_SHARE", 1e9)
    one = training(store, challengers="")
    await one.assign(0)
    ask_for(Settings(redis=redis_url), "river-kmeans")
    in_force = []
    with LearnedReader(redis_url) as reader:
        for round_ in range(SHADOW_ROUNDS + 2):
            await learned(one, samples(60 * round_, seed=round_))
            league = reader.league()
            assert league is not None and league.wanted == "river-kmeans"
            in_force.append(league.in_force)
    assert in_force == ["default"] * (SHADOW_ROUNDS - 1) + ["river-kmeans"] * 3
    # The setting still says `default`; what was asked for holds over a restart.
    two = training(store)
    await two.assign(0)
    redis.set("agos:model:wanted", "k-moans")
    start = two.expected
    await learned(two, samples(start, seed=3))
    with LearnedReader(redis_url) as reader:
        league = reader.league()
    assert league is not None
    assert (league.in_force, league.wanted) == ("river-kmeans", "default")


@pytest.mark.parametrize("name", ["clusterer", "challengers"])
async def test_unknown_clusterers_are_refused(store: ModelStore, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"AGOS_{name.upper()}.*k-moans.*river-kmeans"):
        training(store, **{name: "k-moans"})


async def test_what_moves_is_told(
    store: ModelStore, redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = training(store)
    await one.assign(0)
    rng = np.random.default_rng(1)
    hour_ms, offset = 3_600_000, 0
    for hour in range(24 * 4):
        mean = 20.0 if hour < 24 * 3 else 40.0
        records = [
            record(offset + i, sample(f"c{i}", x.tolist(), at=hour * hour_ms))
            for i, x in enumerate(rng.poisson(mean, (40, len(NAMES))).astype(float))
        ]
        batch = Batch(MODEL_SAMPLES, 0, offset, offset + 40, records)
        offset += 40
        await learned(one, batch)
    with LearnedReader(redis_url) as reader:
        alerts = reader.alerts(100)
    told = {alert.feature: alert for alert in alerts}
    assert set(told) >= set(NAMES)
    spend = told["spend"]
    # About ln(41/21) of a deviation of sqrt(20)/21.
    assert spend.shift > 2.0
    assert abs(spend.since_ms / hour_ms - 24 * 3) <= 2
    assert spend.noticed_ms > spend.since_ms
    assert spend.text.startswith("spend: ")
    assert spend.model_version >= 1
    assert f"drift: {spend.text}" in caplog.text
    # The newest is the first, and no more than asked for.
    with LearnedReader(redis_url) as reader:
        assert reader.alerts(2) == alerts[:2]


async def test_a_model_that_fails_does_not_stop_the_worker(
    store: ModelStore, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = True

    class Broken(PanelKMeans):
        def learn(self, Z: F64, changed: Ints) -> Partition:
            if broken:
                raise ZeroDivisionError("a bug")
            return super().learn(Z, changed)

    register("broken", lambda features, seed: Broken(seed))
    one = training(store, clusterer="broken", challengers="")
    await one.assign(0)
    await learned(one, samples(0))
    assert "a bug" in caplog.text
    assert await store.snapshot("") == ("", None)
    broken = False
    await learned(one, samples(60))
    with LearnedReader(redis_url) as reader:
        league = reader.league()
    assert league is not None and league.failures == 1


async def test_who_leaves_while_the_model_fails_does_not_come_back(store: ModelStore) -> None:
    class Leaving(PanelKMeans):
        def learn(self, Z: F64, changed: Ints) -> Partition:
            one.leave()
            raise ZeroDivisionError("a bug")

    register("leaving", lambda features, seed: Leaving(seed))
    one = training(store, clusterer="leaving", challengers="")
    await one.assign(0)
    await learned(one, samples(0))
    assert not one.active
