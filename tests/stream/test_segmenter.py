"""What one batch writes: the public fields, as seen by any reader of Redis."""

import json
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from models.panel import panel_hash
from stream.decoding import Decoded, decode
from stream.events import Money
from stream.segmenter import Rules, Segmenter
from stream.segmenter import compute as compute_all
from stream.store.write import Write
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import FAR_MS, Record
from tests.stream.test_review import model

BEGIN_MS = 1_700_000_000_000
WALL_MS = 1_800_000_000_000
USD = Money({"USD": 1.0})


def event(customer: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}",
        "customer_id": customer,
        "timestamp": BEGIN_MS + number,
        "name": "Product Viewed",
        "order_id": "o",
        "total": 2.5,
        "currency": "USD",
        "traits": {},
        **more,
    }


def taken_in(segmenter: Segmenter, topic: str, values: list[dict[str, Any]]) -> Decoded:
    """Events as the segmenter gets them, with every customer in its table."""
    records = [
        Record(topic, 0, 100 + i, None, json.dumps(value).encode())
        for i, value in enumerate(values)
    ]
    known = segmenter.table.index.__contains__
    decoded = decode(topic, records, FAR_MS, USD, known, (0, 1))
    if decoded.unknown:
        segmenter.load(decoded.unknown, [None] * len(decoded.unknown))
    return decoded


def compute(
    segmenter: Segmenter, topic: str, values: list[dict[str, Any]], **more: Any
) -> tuple[Write, list[Any]]:
    decoded = taken_in(segmenter, topic, values)
    rules = Rules(more.get("now_ms"), WALL_MS, more.get("snapshot"))
    (write,), samples = compute_all([(segmenter, [decoded])], rules)
    return write, samples


def written(write: Write) -> dict[str, dict[str, Any]]:
    """Customer → its fields, and the event that it was changed by."""
    found: dict[str, dict[str, Any]] = {}
    for group in write.groups:
        width = 2 + len(group.fields) + group.sourced
        assert len(group.values) == width * group.customers
        for i in range(group.customers):
            customer, state, *values = group.values[i * width : (i + 1) * width]
            assert isinstance(state, bytes) and customer not in found
            fields = (*group.fields, "source") if group.sourced else group.fields
            found[customer] = dict(zip(fields, values, strict=True))
    return found


def test_a_new_customer_gets_every_field() -> None:
    segmenter = Segmenter(0, 1_000)
    values = [event("a", 1), event("b", 2), event("a", 3)]
    write, _ = compute(segmenter, PURCHASES, values)
    found = written(write)
    assert set(found) == {"a", "b"}
    assert (
        found["a"].items()
        >= {
            "events": 2,
            "last_seen": BEGIN_MS + 3,
            "version": 1,
            "confidence": found["a"]["confidence"],
            "orders": 2,
            "spend": "500",
            "first_seen": BEGIN_MS + 1,
            "cluster": "UNASSIGNED",
            "cluster_name": "",
            "segments": "",
            "source": "purchases-0@102",
        }.items()
    )
    assert found["b"]["source"] == "purchases-0@101"
    assert float(found["a"]["confidence"]) == 0
    assert write.counters == {"applied": 3}
    assert write.constants["updated_at"] == WALL_MS


@pytest.mark.parametrize("topic", [INTERACTIONS, PROFILES, PURCHASES])
def test_a_known_customer_gets_what_may_have_changed(topic: str) -> None:
    segmenter = Segmenter(0, 1_000)
    compute(segmenter, INTERACTIONS, [event("a", 1)])
    write, _ = compute(segmenter, topic, [event("a", 2)])
    fields = set(written(write)["a"])
    assert fields >= {"events", "last_seen", "version", "confidence", "source"}
    assert ({"orders", "spend"} <= fields) == (topic == PURCHASES)
    # Nobody moved, and nobody was seen earlier.
    assert not fields & {"segments", "cluster", "first_seen"}
    assert written(write)["a"]["version"] == 2


def test_repeats_are_counted_and_not_written() -> None:
    segmenter = Segmenter(0, 1_000)
    compute(segmenter, INTERACTIONS, [event("a", 1)])
    write, samples = compute(segmenter, INTERACTIONS, [event("a", 1), event("b", 2)])
    assert set(written(write)) == {"b"}
    assert write.counters == {"applied": 1, "duplicates": 1}
    assert [name for name, _ in samples] == ["b"]


def test_a_batch_of_repeats_only_is_a_write_of_nothing() -> None:
    segmenter = Segmenter(0, 1_000)
    compute(segmenter, INTERACTIONS, [event("a", 1)])
    write, samples = compute(segmenter, INTERACTIONS, [event("a", 1)], snapshot=model(1, 1, 2))
    assert written(write) == {}
    assert write.counters == {"duplicates": 1}
    assert samples == []


def test_new_categories_are_told_once() -> None:
    segmenter = Segmenter(0, 1_000)
    shoes = {"properties": {"category": "shoes"}}
    first, _ = compute(segmenter, INTERACTIONS, [event("a", 1, **shoes)])
    assert first.categories[1::2] == ["shoes"]
    second, _ = compute(segmenter, INTERACTIONS, [event("a", 2, **shoes)])
    assert second.categories == []
    segmenter.distrust()
    third, _ = compute(segmenter, INTERACTIONS, [event("a", 3, **shoes)])
    assert third.categories[1::2] == ["shoes"]


def test_the_panel_decides_who_is_learned_from() -> None:
    segmenter = Segmenter(0, 100_000)
    snapshot = model(1, 1, 2)
    customers = [f"c{n}" for n in range(90)]
    _, everybody = compute(segmenter, INTERACTIONS, [event(c, n) for n, c in enumerate(customers)])
    assert sorted(name for name, _ in everybody) == sorted(customers)
    object.__setattr__(snapshot, "panel_rate", 0.25)
    later = [event(c, 1_000 + n) for n, c in enumerate(customers)]
    _, some = compute(segmenter, INTERACTIONS, later, snapshot=snapshot)
    assert {name for name, _ in some} == {c for c in customers if panel_hash(c) < 0.25}


def test_a_large_batch_sends_those_that_stay_in_the_panel_longest() -> None:
    segmenter = Segmenter(0, 100_000)
    customers = [f"c{n}" for n in range(3_000)]
    _, some = compute(segmenter, INTERACTIONS, [event(c, n) for n, c in enumerate(customers)])
    lowest = sorted(customers, key=panel_hash)[: len(some)]
    assert 50 <= len(some) < 3_000
    assert {name for name, _ in some} == set(lowest)


def test_of_a_settled_panel_everybody_is_heard_of() -> None:
    segmenter, snapshot = Segmenter(0, 100_000), model(1, 1, 2)
    object.__setattr__(snapshot, "panel_rate", 0.5)
    customers = [f"c{n}" for n in range(2_400)]
    heard: Counter[str] = Counter()
    for turn in range(40):
        events = [event(c, 2_400 * turn + n) for n, c in enumerate(customers)]
        _, some = compute(segmenter, INTERACTIONS, events, snapshot=snapshot)
        assert 400 <= len(some) <= 600
        heard.update(name for name, _ in some)
    assert heard.keys() == {c for c in customers if panel_hash(c) < 0.5}
    # 500 of about 1,200: each 17 times of 40, give or take five standard deviations.
    assert max(heard.values()) < 34


def test_leavers_and_newcomers_of_a_segment() -> None:
    segmenter = Segmenter(0, 1_000)
    snapshot = model(1, 10, 20)
    write, _ = compute(segmenter, PURCHASES, [event("a", 1, total=9)], snapshot=snapshot)
    assert write.memberships == ["a", "cluster-20", BEGIN_MS + 1]
    write, _ = compute(segmenter, PURCHASES, [event("a", 2, total=-9)], snapshot=snapshot)
    assert write.memberships == ["a", "cluster-20", "", "a", "cluster-10", BEGIN_MS + 2]
    assert [json.loads(text)["change"] for _, text in write.changes] == ["left", "entered"]
    assert set(written(write)["a"]) >= {"cluster", "cluster_name", "segments"}


def test_what_redis_says_is_believed() -> None:
    segmenter = Segmenter(0, 1_000)
    compute(segmenter, INTERACTIONS, [event("a", 1)])
    segmenter.reset({INTERACTIONS: 7}, segmenter.writer)
    assert "a" in segmenter.table.index
    segmenter.reset({INTERACTIONS: 9}, "somebody else")
    assert "a" not in segmenter.table.index
    assert (segmenter.ends, segmenter.writer) == ({INTERACTIONS: 9}, "somebody else")


@pytest.mark.parametrize("seed", range(5))
def test_partitions_computed_together_are_as_each_alone(seed: int) -> None:
    random = Random(seed)
    together, alone = ([Segmenter(p, 1_000) for p in range(3)] for _ in range(2))
    rules = Rules(random.choice([None, BEGIN_MS + 10**7]), WALL_MS, model(1, 10, 20))
    for number in range(12):
        pairs: list[list[tuple[Segmenter, list[Decoded]]]] = [[], []]
        for partition in range(3):
            # The same names everywhere: nothing may get from one partition into another.
            batches = {
                topic: [
                    event(
                        random.choice("abcd"),
                        random.randrange(40 * number, 40 * number + 30),
                        total=random.randrange(-20, 20),
                        traits={random.choice("xy"): random.random()},
                        properties={"category": random.choice(["hats", "shoes"])},
                        items=[{"category": random.choice(["hats", "toys"])}],
                    )
                    for _ in range(random.choice([0, 1, 5, 30]))
                ]
                for topic in random.sample(EVENT_TOPICS, random.randint(1, 3))
            }
            for segmenters, chosen in zip((together, alone), pairs, strict=True):
                segmenter = segmenters[partition]
                decoded = [taken_in(segmenter, *batch) for batch in batches.items()]
                chosen.append((segmenter, decoded))
        writes, samples = compute_all(pairs[0], rules)
        each = [compute_all([pair], rules) for pair in pairs[1]]
        assert writes == [write for (write,), _ in each]
        assert [name for name, _ in samples] == [name for _, some in each for name, _ in some]
    for one, other in zip(together, alone, strict=True):
        assert one.table.names == other.table.names
        rows = np.arange(len(one.table))
        assert one.table.dump(rows) == other.table.dump(rows)
        assert one.newest_ms == other.newest_ms
