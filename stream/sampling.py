"""What a worker's customers look like, on its way to the trainer."""

import time

import numpy as np
from numpy.typing import NDArray

from stream.outbox import Send, sample
from stream.segmenter import Samples

#: Customers that wait to be sent, at most; and so long, unless there are so many or somebody
#: waits for them: who is seen several times meanwhile is sent once.
_MOST_WAITING, _WAIT_SECONDS = 5_000, 5.0


class Sampling:
    """Keeps the newest vector of each customer until it is sent; a crash loses only samples."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[str, tuple[int, NDArray[np.float64]]] = {}
        self._send_at = 0.0

    def take(self, samples: Samples, wall_ms: int) -> None:
        """Take samples in; no batch waits for a broker because of them."""
        for name, x in samples:
            if len(self._waiting) < _MOST_WAITING or name in self._waiting:
                self._waiting[name] = wall_ms, x

    async def send(self, *, at_once: bool = True) -> None:
        """Send what has come together, if it is time or `at_once`."""
        now = time.monotonic()
        if not at_once and now < self._send_at and len(self._waiting) < _MOST_WAITING:
            return
        self._send_at = now + _WAIT_SECONDS
        waiting, self._waiting = self._waiting, {}
        if waiting:
            await self._send([sample(name, at, x) for name, (at, x) in waiting.items()])
