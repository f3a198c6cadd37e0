"""A body that does not come holds nobody up, and ending the reader is not mistaken for that."""

import asyncio
from typing import Any

import pytest

from stream.collect import body as bodies
from stream.collect.body import read_body
from stream.collect.refusal import Refusal


def half() -> Any:
    """Receives the first part of a body at once, and never the second."""
    parts = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Any:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    return receive


async def test_a_body_that_stops_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "_READ_SECONDS", 0.05)
    with pytest.raises(Refusal) as caught:
        await read_body(half())
    assert (caught.value.status, caught.value.code) == (408, "too_slow")
    # The task goes on: nothing of the cancellation is left in it.
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_who_ends_the_reader_ends_it():
    reading = asyncio.create_task(read_body(half()))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_what_came_in_time_is_not_ended_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "_READ_SECONDS", 0.02)

    async def whole() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    assert await read_body(whole) == b"{}"
    await asyncio.sleep(0.05)
