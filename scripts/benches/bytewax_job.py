"""The job in Bytewax.

python -m scripts.benches.bytewax_job SERVERS REDIS PARTITIONS EVENTS [forgetful]; prints `events`
and `seconds`.

Chosen: `KafkaSource` on the three topics, one `map` that decodes and keys, `stateful_map`, and a
sink that writes each batch it is given by pipeline, each customer of it once; one worker, started
as `bytewax.run` does it. State survives a crash by a recovery store, with the default of a
snapshot every ten seconds. `forgetful`: no recovery store; everything starts anew after a crash.
"""

import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
import redis
from bytewax.connectors.kafka import KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from scripts.benches.job import State, Stopwatch, update
from stream.topics import EVENT_TOPICS

_EPOCH = timedelta(seconds=10)

Keyed = tuple[str, State]


class _Partition(StatelessSinkPartition[Keyed]):
    def __init__(self, url: str, watch: Stopwatch) -> None:
        self._redis, self._watch = redis.Redis.from_url(url, protocol=2), watch

    def write_batch(self, items: list[Keyed]) -> None:
        """Write the newest state of each customer of the batch."""
        begun = time.perf_counter()
        pipe = self._redis.pipeline(transaction=False)
        for customer, state in dict(items).items():
            pipe.hset(f"bytewax:{customer}", mapping=state)
        pipe.execute()
        self._watch.written(len(items), begun)


class Hashes(DynamicSink[Keyed]):
    """One hash per customer."""

    def __init__(self, url: str, watch: Stopwatch) -> None:
        self._url, self._watch = url, watch

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _Partition:
        """The worker's connection."""
        return _Partition(self._url, self._watch)


def flow(servers: str, url: str, events: int) -> Dataflow:
    """Kafka → state → Redis."""
    watch = Stopwatch(events)
    decode = msgspec.json.Decoder().decode

    def keyed(message: KafkaSourceMessage[bytes, bytes]) -> tuple[str, dict[str, Any]]:
        watch.seen()
        return message.key.decode(), decode(message.value)

    def step(state: State | None, event: dict[str, Any]) -> tuple[State, State]:
        changed = update(state, event)
        return changed, changed

    dataflow = Dataflow("bytewax_job")
    source = KafkaSource([servers], EVENT_TOPICS)
    events_by_customer = op.map("decode", op.input("kafka", dataflow, source), keyed)
    states = op.stateful_map("job", events_by_customer, step)
    op.output("redis", states, Hashes(url, watch))
    return dataflow


def recovery() -> RecoveryConfig:
    """An empty recovery store of one partition."""
    directory = Path(tempfile.mkdtemp(prefix="bytewax-job-"))
    init_db_dir(directory, 1)
    return RecoveryConfig(directory)


if __name__ == "__main__":
    cli_main(
        flow(sys.argv[1], sys.argv[2], int(sys.argv[4])),
        workers_per_process=1,
        epoch_interval=_EPOCH,
        recovery_config=None if "forgetful" in sys.argv[5:] else recovery(),
    )
