"""The job per event in Faust, with a Table.

python -m scripts.benches.faust_job SERVERS REDIS PARTITIONS EVENTS; prints `events`, `seconds`.

Chosen: one agent on the three topics, events decoded by Faust's JSON codec, state in a Table
with its changelog topic (the default) in memory, which is Faust's fastest store. `take()` would
save nothing, as Faust still makes its tasks per message, and would write the changelog of a whole
buffer to the partition of its last event. Redis gets changed customers by pipeline, every
500 of them or ten times a second, instead of a round trip per event.
"""

import os
import sys
import tempfile
import time
from typing import Any

import faust
from redis.asyncio import Redis

from scripts.benches.job import State, Stopwatch, update
from stream.topics import EVENT_TOPICS

brokers, url, partitions, events = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
_MOST_WAITING = 500

app = faust.App(
    f"faust-job-{os.getpid()}",
    broker=f"kafka://{brokers}",
    broker_session_timeout=6,
    broker_heartbeat_interval=2,
    broker_rebalance_timeout=6,
    topic_partitions=partitions,
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    producer_linger=0.05,
    store="memory://",
    datadir=tempfile.mkdtemp(prefix="faust-job-"),
)
customers = app.Table("customers", partitions=partitions)
redis = Redis.from_url(url, protocol=2)
watch = Stopwatch(events)
waiting: dict[str, State] = {}
counted = 0


@app.agent(app.topic(*EVENT_TOPICS, key_type=str, key_serializer="raw", value_serializer="json"))
async def job(stream: faust.StreamT[Any]) -> None:
    """One event at a time: state, Table, Redis."""
    global counted
    async for event in stream:
        watch.seen()
        customer = event["customer_id"]
        state = update(customers.get(customer), event)
        customers[customer] = waiting[customer] = state
        counted += 1
        if len(waiting) >= _MOST_WAITING:
            await write()


@app.timer(0.1)
async def write() -> None:
    """Write the changed customers."""
    global waiting, counted
    if not waiting:
        return
    changed, done, begun = waiting, counted, time.perf_counter()
    waiting, counted = {}, 0
    pipe = redis.pipeline(transaction=False)
    for customer, state in changed.items():
        pipe.hset(f"faust:{customer}", mapping=state)
    await pipe.execute()
    watch.written(done, begun)


if __name__ == "__main__":
    sys.argv = ["faust_job", "worker", "-l", "error"]
    app.main()
