"""How the worker's connections to Redis send."""

import asyncio

import pytest
import redis.exceptions
from redis.asyncio.connection import AbstractConnection

from stream.settings import Settings
from stream.store.async_connect import client


async def test_a_cancellation_that_comes_as_a_command_is_sent_is_not_lost(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    connected = client(Settings(redis=redis_url))
    await connected.ping()

    async def for_ever() -> None:
        while True:
            await connected.ping()
            await asyncio.sleep(0.01)

    task = asyncio.create_task(for_ever())
    send = AbstractConnection._send_packed_command  # noqa: SLF001
    times = 0

    async def send_and_cancel(self: AbstractConnection, command: object) -> None:
        nonlocal times
        await send(self, command)  # type: ignore[arg-type]
        if not times:
            task.cancel()
        times += 1

    monkeypatch.setattr(AbstractConnection, "_send_packed_command", send_and_cancel)
    try:
        await asyncio.wait([task], timeout=5)
        assert times == 1
        assert task.cancelled()
    finally:
        task.cancel()
        monkeypatch.undo()
        assert await connected.ping(), "the connection that was given up is made anew"
        await connected.aclose()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (TimeoutError(), redis.exceptions.TimeoutError),
        (ConnectionResetError("reset"), redis.exceptions.ConnectionError),
    ],
)
async def test_what_breaks_while_sending_is_an_error_of_redis(
    redis_url: str,
    monkeypatch: pytest.MonkeyPatch,
    broken: Exception,
    told: type[redis.exceptions.RedisError],
):
    connected = client(Settings(redis=redis_url))
    await connected.ping()

    async def send(*_: object) -> None:
        raise broken

    with monkeypatch.context() as patched:
        patched.setattr(AbstractConnection, "_send_packed_command", send)
        with pytest.raises(told):
            await connected.ping()
    assert await connected.ping()
    await connected.aclose()


async def test_a_redis_that_takes_nothing_is_given_up_in_time(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
):
    connected = client(Settings(redis=redis_url), timeout_seconds=0.2)
    await connected.ping()

    async def send(*_: object) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(AbstractConnection, "_send_packed_command", send)
        with pytest.raises(redis.exceptions.TimeoutError):
            await asyncio.wait_for(connected.ping(), 20)
    await connected.aclose()
