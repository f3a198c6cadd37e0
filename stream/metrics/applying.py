"""How long a worker's writes took, and how old the events were that they applied.

It stands between the pipeline and the store only where somebody asks for metrics or traces.
"""

import time
from collections.abc import Callable, Iterable, Sequence

from stream.metrics.histogram import Histogram
from stream.pipeline import Pipeline
from stream.settings import Settings
from stream.store.store import Applied, Store
from stream.store.write import Group, Write

#: Told what was written, which of it was applied, when that was known by the wall clock, and how
#: long it took.
Observer = Callable[[Sequence[Write], Sequence[Applied], int, float], None]

_LATENCY_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600)
_WRITE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)
#: Older events are history that is sent again: how old they are says nothing about the worker.
HISTORY_MS = 600_000


class Meters:
    """What was measured since the worker's start."""

    def __init__(self) -> None:
        self.latency = Histogram(_LATENCY_SECONDS)
        self.write = Histogram(_WRITE_SECONDS)

    def note(
        self, writes: Sequence[Write], done: Sequence[Applied], at_ns: int, took_seconds: float
    ) -> None:
        """Take in one call: when it was answered by the wall clock, and how long it took."""
        self.write.add([took_seconds])
        now_ms = at_ns // 1_000_000
        for write, applied in zip(writes, done, strict=True):
            if applied.ok:
                newest = [at_ms for group in write.groups for at_ms in newest_ms(group)]
                ages = [now_ms - at_ms for at_ms in newest]
                self.latency.add([max(age, 0) / 1000 for age in ages if age <= HISTORY_MS])


class WatchedStore(Store):
    """The same store, on the same connections; observers are told what each call brought."""

    def __init__(self, settings: Settings, store: Store) -> None:
        super().__init__(settings, store.redis)
        self.observers: list[Observer] = []

    async def apply(self, writes: Sequence[Write]) -> list[Applied]:
        began = time.monotonic()
        done = await super().apply(writes)
        took_seconds = time.monotonic() - began
        for observe in self.observers:
            observe(writes, done, time.time_ns(), took_seconds)
        return done


def watch_writes(pipeline: Pipeline, settings: Settings, observe: Observer) -> None:
    """Tell `observe` of every call that writes batches from now on."""
    if not isinstance(pipeline.store, WatchedStore):
        pipeline.store = WatchedStore(settings, pipeline.store)
    pipeline.store.observers.append(observe)


def newest_ms(group: Group) -> Iterable[int]:
    """Timestamp of the newest event of each customer; none where no event was the cause."""
    if not group.sourced:
        return ()
    # Customer and state come before the fields, and the source after them.
    width = 2 + len(group.fields) + 1
    return group.values[2 + list(group.fields).index("last_seen") :: width]
