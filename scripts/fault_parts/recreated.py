"""A topic that is deleted and created anew: workers must stop and say so, and change nothing."""

import asyncio
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient

from scripts.fault_parts.run import Plan, world_of
from scripts.fault_parts.servers import offsets, until
from scripts.fault_parts.traffic import events
from scripts.fault_parts.verdict import Verdict
from stream import admin
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, PURCHASES
from tests.servers import delete_topics

_EVENTS = 5_000
_CLEAR = "deleted and created anew"


def run(plan: Plan) -> dict[str, Any]:
    """The report: a running worker and one that starts later must both end with the error."""
    plan = replace(plan, events=min(plan.events, _EVENTS), customers=500, workers=1, faults=1)
    begun, found = time.monotonic(), Verdict()
    with ExitStack() as stack:
        logs = plan.logs or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        logs.mkdir(parents=True, exist_ok=True)
        asyncio.run(_happen(plan, world_of(plan, logs, stack), found))
    return {
        "plan": {"seed": plan.seed, "broker": plan.broker, "events": plan.events},
        "clean": not found.deviations, "deviations": dict(found.deviations),
        "examples": dict(found.examples), "figures": found.figures,
        "faults": {"topic deleted and created anew": 1}, "faults in all": 1,
        "seconds": round(time.monotonic() - begun, 1),
    }  # fmt: skip


async def _happen(plan: Plan, world: Any, found: Verdict) -> None:
    def applied() -> dict[tuple[str, int], int]:
        return offsets(world.redis.port, plan.partitions, EVENT_TOPICS)

    def done() -> bool:
        now = applied()
        return all(now.get(place) == end for place, end in world.source.ends.items())

    worker = world.crew.start()
    world.source.start(events(plan.events, plan.customers, plan.seed, world.start_ms), 5_000.0)
    await asyncio.wrap_future(world.source.done)
    await until(done, 60, "all events applied")
    before, at = applied(), time.monotonic()
    client = KafkaAdminClient(bootstrap_servers=world.kafka_address)
    delete_topics(client, [PURCHASES])
    client.close()
    admin.create(Settings(kafka=world.kafka_address, partitions=plan.partitions))
    await until(lambda: not worker.running, 60, "the running worker's end")
    found.figures["running worker stopped after, s"] = round(time.monotonic() - at, 1)
    second, at = world.crew.start(), time.monotonic()
    await until(lambda: not second.running, 60, "the new worker's end")
    found.figures["new worker stopped after, s"] = round(time.monotonic() - at, 1)
    for process in (worker, second):
        text = process.log.read_text() if process.log else ""
        if process.returncode != 1 or _CLEAR not in text:
            found.wrong("no clear error", f"{process.returncode}: {process.log_tail()}")
    if applied() != before:
        found.wrong("offsets changed", applied())
