"""What a trainer leaves alone: the event loop, and customers who were forgotten."""

import asyncio
import gc
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from redis import Redis

from models.lloyd import Partition
from models.panel import panel_hash
from models.panel_kmeans import PanelKMeans
from models.registry import register
from models.space import F64, Ints
from models.streams import PersonaStream
from stream.settings import Settings
from stream.store.marks import digest_of
from stream.store.model import ModelStore, TrainerPosition
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


async def test_learning_does_not_hold_up_the_loop(store: ModelStore) -> None:
    where: list[int] = []

    class Elsewhere(PanelKMeans):
        def learn(self, Z: F64, changed: Ints) -> Partition:
            where.append(threading.get_ident())
            return super().learn(Z, changed)

        def restore(self, state: dict[str, Any], Z: F64) -> None:
            where.append(threading.get_ident())
            super().restore(state, Z)

    register("elsewhere", lambda features, seed: Elsewhere(seed))
    one = training(store, clusterer="elsewhere")
    await one.assign(0)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await one.learn(samples(0, count=1000))
    # Ten parts of 100 samples, and others had their turn after each.
    assert turns >= 10
    assert await one.tick()
    task.cancel()
    learned = len(where)
    assert learned
    await training(store, clusterer="elsewhere").assign(0)
    assert len(where) > learned
    assert threading.get_ident() not in where


@pytest.mark.slow
async def test_the_loop_works_for_less_than_10_ms_at_a_time(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPU time of the loop's thread, which does not depend on what else the machine does."""
    spent: list[tuple[float, str]] = []
    run = vars(asyncio.Handle)["_run"]

    def timed(handle: asyncio.Handle) -> None:
        # A future is shown with all that it brought, which may take longer than to bring it.
        what = repr(handle)
        began = time.thread_time()
        run(handle)
        spent.append((time.thread_time() - began, what))

    # A panel that is nearly as large as it may be.
    stream, batches = PersonaStream(5, customers=20_000), []
    mine = [panel_hash(f"c{i}") < 0.25 for i in range(20_000)]
    for looks in [stream.first(), *(stream.updates(20_000) for _ in range(12))]:
        shown = zip(looks.customers.tolist(), looks.X.tolist(), strict=True)
        values = [sample(f"c{who}", x) for who, x in shown if mine[who]]
        end = batches[-1].end if batches else 0
        records = [record(end + i, value) for i, value in enumerate(values)]
        batches.append(Batch(MODEL_SAMPLES, 0, end, end + len(records), records))
    one = Training(Settings(), store, "id-1")
    await one.assign(0)
    # When garbage is looked for is the worker's concern.
    gc.collect()
    gc.disable()
    monkeypatch.setattr(asyncio.Handle, "_run", timed)
    for batch in batches:
        assert await one.learn(batch)
        assert await one.tick()
    monkeypatch.undo()
    gc.enable()
    assert (await store.snapshot(""))[1] is not None
    longest, what = max(spent)
    assert longest < 0.010, f"{1e3 * longest:.1f} ms: {what}"


async def test_nothing_is_kept_of_who_was_forgotten(
    store: ModelStore, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of nobody else anything is lost, and it does not take further samples."""
    monkeypatch.setattr("stream.training._FORGET_SECONDS", 0.0)
    one = training(store)
    await one.assign(0)
    for start in range(0, 360, 60):
        await one.learn(samples(start, seed=start, called="somebody-"))
        await one.tick()
    everybody = {f"somebody-{number}" for number in range(60)}
    assert known(await store.trainer()) == everybody
    redis.hset("agos:forgotten", digest_of("somebody-7"), "1")
    redis.hset("agos:forgotten", digest_of("somebody-44"), "1")
    assert await one.tick()
    assert known(await store.trainer()) == everybody - {"somebody-7", "somebody-44"}
    # The next trainer learns from who is left.
    two = training(store)
    assert await two.assign(0) == 360
    assert await two.learn(samples(360, seed=9, called="somebody-"))
    assert await two.tick()
    assert known(await store.trainer()) == everybody - {"somebody-7", "somebody-44"}


def known(stored: TrainerPosition) -> set[str]:
    """Customers whose names stand in the stored state, whatever its format is."""
    assert stored.state is not None
    return {name.decode() for name in re.findall(rb"somebody-\d+", stored.state)}
