"""Anonymous customers become known ones while workers are killed: totals are exact."""

import json
import random
import time
from pathlib import Path

import pytest

from stream.local import Server
from tests.live.harness import Sent, System, add_up, interaction, purchase

BEGIN_MS = int(time.time() * 1000) - 86_400_000
MERGES = 1_000


def visits(number: int) -> tuple[list[Sent], Sent, list[Sent]]:
    """What one person does anonymously, the identify, and what comes under either id later."""
    known, anonymous = f"known-{number}", f"anon-{number}"
    first, at_ms = 10 * number, BEGIN_MS + 1_000 * number
    before = [interaction(anonymous, first + i, at_ms + i) for i in range(number % 3)]
    before.append(purchase(anonymous, first + 4, at_ms + 4, number % 50 + 0.25))
    record = {"event_id": f"identify-{number}", "customer_id": known, "timestamp": at_ms + 5}
    record |= {"traits": {"number": number}, "anonymous_id": anonymous, "type": "identify"}
    after = [
        interaction(anonymous, first + 6, at_ms + 6),
        purchase(known, first + 7, at_ms + 7, 10.0),
        interaction(anonymous, first + 8, at_ms + 8),
    ]
    return before, ("profiles", known, json.dumps(record).encode()), after


def wanted(people: list[tuple[list[Sent], Sent, list[Sent]]]) -> dict[str, dict[str, int]]:
    """Each known customer's figures, whatever id the events came under."""
    everything = [record for before, named, after in people for record in (*before, named, *after)]
    return add_up(
        (topic, customer.replace("anon-", "known-"), value) for topic, customer, value in everything
    )


@pytest.mark.slow
def test_a_thousand_merges_under_worker_kills(
    broker: Server, redis_url: str, unique: str, tmp_path: Path
) -> None:
    dice = random.Random(5)
    people = [visits(number) for number in range(MERGES)]
    config = {"group": unique, "batch": "100"}
    with System(broker.address, redis_url, tmp_path, **config) as system:
        pair = [system.worker(), system.worker()]
        kills = 0
        for begin in range(0, MERGES, 200):
            some = people[begin : begin + 200]
            system.send(record for before, _, _ in some for record in before)
            late = [record for _, named, after in some for record in (named, *after)]
            dice.shuffle(late)
            system.send(late)
            under_way = system.applied() + 200
            system.wait(lambda at=under_way: system.applied() >= at, 60, "merges are under way")  # type: ignore[misc]
            time.sleep(dice.uniform(0, 0.4))
            pair.pop(0).kill()
            kills += 1
            pair.append(system.worker())

        def linked() -> bool:
            return sum(1 for _ in system.redis.scan_iter("agos:link:anon-*", 1_000)) == MERGES

        system.wait(linked, 120, "every anonymous id is a link")
        system.wait_figures(wanted(people), 60)
        assert kills == 5
