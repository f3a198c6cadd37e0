"""Who is idle for too long is removed, and nobody else."""

import time
from collections.abc import AsyncIterator, Iterator

import pytest
from redis import Redis

from stream.settings import Settings
from stream.store import retention as module
from stream.store.retention import Retention
from stream.store.store import Store
from stream.topics import partition_of
from tests.collect.test_forget import everything, remember

DAY_MS = 86_400_000


@pytest.fixture
def client(redis_url: str) -> Iterator["Redis[str]"]:
    with Redis.from_url(redis_url, encoding_errors="replace", decode_responses=True) as made:
        yield made


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    made = Store(Settings(redis=redis_url))
    yield made
    await made.close()


def seen(client: "Redis[str]", name: str, days_ago: float) -> None:
    """A customer whose last event was so long ago."""
    remember(client, name)
    at_ms = round(time.time() * 1000 - days_ago * DAY_MS)
    client.hset(f"agos:customer:{name}", "last_seen", str(at_ms))


def of_days(days: float | None, store: Store, **settings: str) -> Retention:
    return Retention(store, Settings(retention_days=days, **settings), lambda: True)


async def go_round(retention: Retention, steps: int = 20) -> None:
    for _ in range(steps):
        await retention.step()


async def test_the_idle_go_with_all_that_is_kept(client: "Redis[str]", store: Store):
    seen(client, "maria", 31)
    seen(client, "other", 29)
    retention = of_days(30, store)
    await go_round(retention)
    assert retention.removed == 1
    client.delete("agos:changes", "agos:undelivered")
    assert "maria" not in everything(client)
    assert client.zscore("agos:segment:loyal:members", "other") == 6
    # Nobody is marked: they may come back. The worker that remembers the customer has to forget.
    assert not client.exists("agos:forgotten")
    home = partition_of("maria", 8)
    assert str(client.hget(f"agos:{{{home}}}:offsets", "writer")).startswith("retention:")


async def test_who_stays_costs_no_worker_its_memory(client: "Redis[str]", store: Store):
    seen(client, "other", 29)
    await go_round(of_days(30, store))
    assert client.hget(f"agos:{{{partition_of('other', 8)}}}:offsets", "writer") == "w:1"


async def test_a_step_removes_a_bounded_number_and_all_go_in_the_end(
    client: "Redis[str]", store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_MOST", 3)
    for number in range(10):
        seen(client, f"c{number}", 40)
    retention = of_days(30, store)
    before = 0
    for _ in range(20):
        await retention.step()
        assert retention.removed - before <= 3
        before = retention.removed
    assert retention.removed == 10


async def test_who_came_back_in_between_stays(
    client: "Redis[str]", store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "_MOST", 1)
    for name in ("ada", "bob"):
        seen(client, name, 40)
    retention = of_days(30, store)
    while retention.removed == 0:
        await retention.step()
    (left,) = (name for name in ("ada", "bob") if client.exists(f"agos:customer:{name}"))
    client.hset(f"agos:customer:{left}", "last_seen", str(round(time.time() * 1000)))
    await go_round(retention)
    assert client.exists(f"agos:customer:{left}")
    assert retention.removed == 1


@pytest.mark.parametrize("settings", [{"days": None}, {"days": 30, "clock": "events"}])
async def test_it_is_off(client: "Redis[str]", store: Store, settings: dict[str, str]):
    seen(client, "maria", 4_000)
    await go_round(of_days(store=store, **settings))  # type: ignore[arg-type]
    inactive = Retention(store, Settings(retention_days=1), lambda: False)
    await go_round(inactive)
    assert client.exists("agos:customer:maria")
