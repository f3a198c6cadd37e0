"""What a worker's customers look like, on its way to the trainer."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stream.outbox import Send, sample
from stream.segmenter import Samples

#: Customers that wait to be sent, at most.
_MOST_WAITING = 5_000
#: Of those who wait, one in so many is sent at a time: many at once would hold up the events, and
#: who is seen several times while waiting is sent once.
_SHARE = 20


class Sampling:
    """Keeps the newest vector of each customer until it is sent; a crash loses only samples."""

    def __init__(self, send: Send) -> None:
        self._send = send
        #: In the order in which they were first seen.
        self._waiting: dict[str, tuple[int, NDArray[np.float64]]] = {}

    def take(self, samples: Samples, wall_ms: int) -> None:
        """Take samples in; no batch waits for a broker because of them."""
        for name, x in samples:
            if len(self._waiting) < _MOST_WAITING or name in self._waiting:
                self._waiting[name] = wall_ms, x

    async def send(self, *, everybody: bool = True) -> None:
        """Send those who wait, or of many those who have waited longest."""
        count = len(self._waiting) if everybody else -(-len(self._waiting) // _SHARE)
        names = [*islice(self._waiting, count)]
        if names:
            await self._send([sample(name, *self._waiting.pop(name)) for name in names])
