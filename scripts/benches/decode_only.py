"""A bare aiokafka consumer that decodes JSON and does nothing else: the limit of one process.

python -m scripts.benches.decode_only SERVERS EVENTS; prints `events` and `seconds`.
"""

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from scripts.benches.job import tell
from stream.topics import EVENT_TOPICS


async def run(servers: str, total: int) -> None:
    """Read `total` events and tell how long it took from the first to the last."""
    decode = msgspec.json.Decoder().decode
    consumer = AIOKafkaConsumer(
        *EVENT_TOPICS, bootstrap_servers=servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    seen, first = 0, 0.0
    while seen < total:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=2_000)
        first = first or (time.perf_counter() if fetched else 0.0)
        for records in fetched.values():
            for record in records:
                decode(record.value)
            seen += len(records)
    tell(seen, time.perf_counter() - first)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
