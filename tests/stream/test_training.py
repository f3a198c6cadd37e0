"""The trainer: samples in, snapshots out, one at a time, and nothing lost at a restart."""

import json
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from redis import Redis

from stream.errors import OffsetError
from stream.features import NAMES, VERSION
from stream.settings import Settings
from stream.store.model import ModelStore
from stream.store.store import Store
from stream.topics import MODEL_SAMPLES
from stream.training import Training
from stream.transport import Batch
from tests.stream.fake_log import Record


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[ModelStore]:
    store = Store(Settings(redis=redis_url))
    yield ModelStore(store)
    await store.close()


def training(store: ModelStore, topic_id: str = "id-1", **settings: object) -> Training:
    return Training(Settings(panel=100, **settings), store, topic_id)  # type: ignore[arg-type]


def record(offset: int, value: bytes | None) -> Record:
    return Record(MODEL_SAMPLES, 0, offset, None, value)


def sample(customer: str, x: list[float], version: int = VERSION) -> bytes:
    fields = {"customer": customer, "at": 1, "features_version": version, "x": x}
    return json.dumps(fields).encode()


def samples(start: int, count: int = 60, seed: int = 0) -> Batch:
    """Two kinds of customers, as plain as can be."""
    rng = np.random.default_rng(seed)
    records = []
    for number in range(start, start + count):
        kind = number % 2
        x = rng.poisson([1 + 40 * kind, 20, 3, *[30 * (1 - kind) + 1] * (len(NAMES) - 3)])
        records.append(record(number, sample(f"c{number % 60}", x.astype(float).tolist())))
    return Batch(MODEL_SAMPLES, 0, start, start + count, records)


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
