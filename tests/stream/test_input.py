"""What becomes of every kind of input."""

import base64
import json

import pytest
from redis import Redis

from stream.topics import INTERACTIONS, PROFILES, PURCHASES
from tests.stream.fake_log import Killed, Log, Worker, names
from tests.stream.shop import (
    BEGIN_MS,
    PARTITIONS,
    counted,
    figures,
    interaction,
    letters,
    purchase,
    settings_for,
)


async def test_a_customer_in_the_wrong_partition_is_sent_home(redis: Redis) -> None:
    log = Log(PARTITIONS)
    stranger, native = names(1, PARTITIONS, 1)[0], names(0, PARTITIONS, 1)[0]
    lost = json.dumps(interaction(stranger, 1)).encode()
    log.append(INTERACTIONS, 0, lost, b"some other key")
    log.publish(INTERACTIONS, interaction(native, 2))
    log.publish(INTERACTIONS, interaction(stranger, 3))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
        await worker.drain()
    assert [r.value for r in log.records[INTERACTIONS, 1]][-1] == lost
    assert log.records[INTERACTIONS, 1][-1].key == b"some other key"
    assert {name: f[0] for name, f in figures(redis).items()} == {stranger: 2, native: 1}
    assert counted(redis) == {"applied": 3, "misplaced": 1}


async def test_dead_letters_are_safe_before_the_offset_moves(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.append(INTERACTIONS, 0, b"{", None)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        worker.kill_at_send = True
        with pytest.raises(Killed):
            await worker.drain()
    assert redis.hgetall("agos:{0}:offsets") == {}
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        worker.kill_after_send = True
        with pytest.raises(Killed):
            await worker.drain()
    assert redis.hgetall("agos:{0}:offsets") == {}
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
    assert redis.hget("agos:{0}:offsets", INTERACTIONS) == "1"
    assert [letter["letter_id"] for letter in letters(log)] == ["interactions-0@0"] * 2
    assert counted(redis) == {"rejected:not-json": 1}


BAD = {
    "not JSON": (INTERACTIONS, b"{no", "not-json"),
    "not UTF-8": (INTERACTIONS, b'{"event_id": "\xff\xfe"}', "not-json"),
    "NaN": (
        INTERACTIONS,
        json.dumps(interaction("c", 1) | {"properties": {"price": float("nan")}}).encode(),
        "not-json",
    ),
    "infinite total": (PURCHASES, json.dumps(purchase("c", 1, float("inf"))).encode(), "invalid"),
    "wrong type": (PURCHASES, json.dumps(purchase("c", 1, 1) | {"total": "1"}).encode(), "invalid"),
    "missing field": (
        INTERACTIONS,
        b'{"event_id": "1", "customer_id": "c", "timestamp": 1700000000000}',
        "missing-field",
    ),
    "negative quantity": (
        PURCHASES,
        json.dumps(purchase("c", 1, 5) | {"items": [{"quantity": -1}]}).encode(),
        "negative-quantity",
    ),
    "future": (
        INTERACTIONS,
        json.dumps(interaction("c", 1, 4_000_000_000_000)).encode(),
        "timestamp-in-future",
    ),
    "before 1990": (
        INTERACTIONS,
        json.dumps(interaction("c", 1, 631_151_999_999)).encode(),
        "timestamp-too-old",
    ),
    "1 MB": (INTERACTIONS, b'{"x": "' + b"x" * 1_000_000 + b'"}', "too-large"),
    "currency": (
        PURCHASES,
        json.dumps(purchase("c", 1, 1) | {"currency": "XXX"}).encode(),
        "unknown-currency",
    ),
    "empty customer": (INTERACTIONS, json.dumps(interaction("", 1)).encode(), "invalid"),
    "long customer": (INTERACTIONS, json.dumps(interaction("c" * 300, 1)).encode(), "invalid"),
    "tombstone": (INTERACTIONS, None, "tombstone"),
    "huge trait": (
        PROFILES,
        json.dumps(interaction("c", 1) | {"traits": {"n": 2**70}}).encode(),
        "invalid",
    ),
    "half a surrogate": (
        INTERACTIONS,
        b'{"event_id": "1", "customer_id": "\\ud800", "timestamp": 1700000000000, "name": "x"}',
        "not-json",
    ),
}


@pytest.mark.parametrize("kind", BAD)
async def test_bad_input_becomes_a_dead_letter_and_nothing_else(redis: Redis, kind: str) -> None:
    topic, value, reason = BAD[kind]
    log = Log(PARTITIONS)
    good = names(1, PARTITIONS, 1)[0]
    event = purchase(good, 7, 3.25)
    if topic == INTERACTIONS:
        event = interaction(good, 7)
    elif topic == PROFILES:
        event = interaction(good, 7) | {"traits": {"age": 3}}
    log.append(topic, 1, value, b"key \xff")
    log.publish(topic, event)
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain()
        assert worker.pipeline.meter.rejected == 1
    (letter,) = letters(log)
    assert (letter["topic"], letter["partition"], letter["offset"]) == (topic, 1, 0)
    assert letter["reason"] == reason
    assert letter["detail"]
    assert base64.b64decode(letter["key"]) == b"key \xff"
    original = None if letter["value"] is None else base64.b64decode(letter["value"])
    assert original == value
    assert {name: f[0] for name, f in figures(redis).items()} == {good: 1}
    assert counted(redis) == {"applied": 1, f"rejected:{reason}": 1}
    assert redis.hget("agos:{1}:offsets", topic) == "2"


async def test_unknown_fields_and_repeated_ids_are_no_errors(redis: Redis) -> None:
    log = Log(PARTITIONS)
    for _ in range(3):
        log.publish(INTERACTIONS, interaction("c0", 1) | {"extra": [1, {"deep": None}]})
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(2)
    assert figures(redis)["c0"][0] == 1
    assert counted(redis) == {"applied": 1, "duplicates": 2}
    assert letters(log) == []


async def test_a_repeated_id_with_a_newer_time_is_counted_once(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    log.publish(INTERACTIONS, interaction("c0", 1, BEGIN_MS + 60_000))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(1)
    assert figures(redis)["c0"][0] == 1


async def test_a_late_event_moves_first_seen_everywhere(redis: Redis) -> None:
    log = Log(PARTITIONS)
    log.publish(INTERACTIONS, interaction("c0", 1))
    log.publish(INTERACTIONS, interaction("c0", 2, BEGIN_MS - 5_000))
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(1)
    assert figures(redis)["c0"][3:] == (BEGIN_MS - 5_000, BEGIN_MS + 1)
