"""A new file of definitions while a worker runs: what it asks about the past comes from Kafka."""

import json
import time
from pathlib import Path

from stream.local import Server
from stream.settings import Settings
from stream.store import keys
from stream.store.reader import Reader
from tests.live.harness import Sent, System, interaction

OLD = "version: 1\nsegments:\n  searchers: {when: {did: Search}}\n"
#: Sums that count an event twice, or not at all, are other than these.
NEW = (
    OLD
    + "  three: {when: {did: View, exactly: 3}}\n"
    + "  four: {when: {did: View, exactly: 4, within: 30d}}\n"
    + "  none: {when: {did_not: View}}\n"
)
CUSTOMERS = 1_200


def views(number: int, customers: range) -> list[Sent]:
    at_ms = int(time.time() * 1000)
    return [interaction(f"c{i}", number * CUSTOMERS + i, at_ms, "View") for i in customers]


def members(system: System, segment: str) -> set[str]:
    return {str(name) for name in system.redis.zrange(keys.members(segment), 0, -1)}


def complete(system: System) -> dict[str, float]:
    with Reader(Settings(redis=system.redis_url)) as reader:
        return {segment.id: segment.complete for segment in reader.segment_list()}


def test_a_new_condition_knows_the_past_exactly_with_a_worker_killed_on_the_way(
    broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    file = tmp_path / "segments.yaml"
    file.write_text(OLD)
    everybody, half = range(CUSTOMERS), range(CUSTOMERS // 2)
    config = {"group": unique, "segments": str(file)}
    with System(broker.address, redis_url, tmp_path, **config) as system:
        worker = system.worker()
        for number in range(3):
            system.send(views(number, everybody))
        silent = int(time.time() * 1000)
        system.send([interaction("quiet", 9 * CUSTOMERS, silent, "Search")])
        system.wait(lambda: system.applied() == 3 * CUSTOMERS + 1, 60, "the first views")
        file.write_text(NEW)
        system.wait(lambda: len(members(system, "three")) > 0, 60, "the first is filled in")
        worker.kill()
        system.worker()
        # Comes while the past is filled in.
        system.send(views(3, half))
        everyone = {segment: 1.0 for segment in ("searchers", "three", "four", "none")}
        system.wait(lambda: system.applied() == 3.5 * CUSTOMERS + 1, 60, "the last views")
        system.wait(lambda: complete(system) == everyone, 60, "everything is filled in")
        assert members(system, "four") == {f"c{i}" for i in half}
        assert members(system, "three") == {f"c{i}" for i in everybody} - members(system, "four")
        assert members(system, "none") == {"quiet"}
        known = json.loads(system.redis.hget(keys.SEGMENTS, "four") or "{}")
        assert known["complete"] == 1.0
