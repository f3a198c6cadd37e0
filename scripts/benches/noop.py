"""A Faust agent that does nothing with each event: what per-event Faust can do at best here.

Prints `events seconds` from the first event to the last.
"""

import json
import os
import sys
import tempfile
import time

import faust

brokers, total, codec = sys.argv[1], int(sys.argv[2]), sys.argv[3]
app = faust.App(
    f"noop-{os.getpid()}",
    broker=f"kafka://{brokers}",
    broker_session_timeout=6,
    broker_heartbeat_interval=2,
    broker_rebalance_timeout=6,
    topic_disable_leader=True,
    topic_allow_declare=False,
    web_enabled=False,
    store="memory://",
    datadir=tempfile.mkdtemp(prefix="noop-"),
)
seen, first = 0, 0.0


@app.agent(app.topic("interactions", "purchases", "profiles", value_serializer=codec))
async def nothing(events: faust.StreamT) -> None:
    """Count, and say when all have come."""
    global seen, first
    async for _ in events:
        if seen == 0:
            first = time.perf_counter()
        seen += 1
        if seen == total:
            figures = {"events": seen, "seconds": time.perf_counter() - first}
            # Faust turns sys.stdout into a logger.
            print(json.dumps(figures), file=sys.__stdout__, flush=True)
            os._exit(0)


if __name__ == "__main__":
    sys.argv = ["noop", "worker", "-l", "error"]
    app.main()
