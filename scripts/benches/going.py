"""Counters and changes that grow by the clock, as if workers wrote them for ever."""

import threading
import time
from collections.abc import Callable
from typing import Any

import redis

from stream.store import keys


class Going:
    """So many events and changes a second, however late this thread is; a context.

    Parameters
    ----------
    change
        Fields of the change with this number.
    """

    def __init__(
        self,
        redis_url: str,
        change: Callable[[int], dict[Any, Any]],
        *,
        events_per_second: float,
        changes_per_second: float,
        step_seconds: float = 0.1,
    ) -> None:
        self._client = redis.Redis.from_url(redis_url, protocol=2)
        self._change = change
        self._events, self._changes = events_per_second, changes_per_second
        self._step_seconds = step_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        begun, events, changes = time.monotonic(), 0, 0
        while not self._ended.wait(self._step_seconds):
            passed = time.monotonic() - begun
            pipe = self._client.pipeline(transaction=False)
            pipe.hincrby(keys.counters(0), "applied", int(passed * self._events) - events)
            events = int(passed * self._events)
            while changes < int(passed * self._changes):
                changes += 1
                pipe.xadd(keys.CHANGES, self._change(changes), maxlen=1_000_000)
            pipe.execute()
