"""The job in Quix Streams.

python -m scripts.benches.quix_job SERVERS REDIS PARTITIONS EVENTS; prints `events`, `seconds`.

Chosen: the three topics concatenated, as they share their customers' state; a stateful `update`
with RocksDB and its changelog topic, which are the defaults; a sink that writes at each checkpoint,
which is how Quix wants a data base to be written, every second instead of every five so that Redis
is not further behind; each customer once per checkpoint, by pipeline. (A `BatchingSink` would write
one topic after the other, and an older state of a customer last.)
"""

import os
import sys
import tempfile
import time
from typing import Any

import redis
from quixstreams import Application, State
from quixstreams.sinks import BaseSink

from scripts.benches.job import Stopwatch, update
from stream.topics import EVENT_TOPICS

_CHECKPOINT_SECONDS = 1.0


class Hashes(BaseSink):
    """One hash per customer."""

    def __init__(self, url: str, watch: Stopwatch) -> None:
        super().__init__()
        self._url, self._watch = url, watch
        self._newest: dict[str, Any] = {}
        self._added = 0

    def setup(self) -> None:
        """Connect."""
        self._redis = redis.Redis.from_url(self._url, protocol=2)

    def add(self, value: Any, key: str, *_: Any, **__: Any) -> None:
        """Keep the customer's newest state for the next checkpoint."""
        self._newest[key] = value
        self._added += 1

    def flush(self) -> None:
        """Write what has come together."""
        begun = time.perf_counter()
        pipe = self._redis.pipeline(transaction=False)
        for customer, state in self._newest.items():
            pipe.hset(f"quix:{customer}", mapping=state)
        pipe.execute()
        added, self._added = self._added, 0
        self._newest.clear()
        self._watch.written(added, begun)


def main(servers: str, url: str, events: int) -> None:
    """Run until all events are in Redis."""
    watch = Stopwatch(events)
    app = Application(
        servers,
        consumer_group=f"quix-job-{os.getpid()}",
        auto_offset_reset="earliest",
        commit_interval=_CHECKPOINT_SECONDS,
        state_dir=tempfile.mkdtemp(prefix="quix-job-"),
        loglevel="ERROR",
    )

    def step(event: dict[str, Any], state: State) -> dict[str, Any]:
        watch.seen()
        changed = update(state.get("customer"), event)
        state.set("customer", changed)
        return changed

    first, *others = (
        app.dataframe(app.topic(name, key_deserializer="str", value_deserializer="json"))
        for name in EVENT_TOPICS
    )
    for other in others:
        first = first.concat(other)
    first.apply(step, stateful=True).sink(Hashes(url, watch))
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[4]))
