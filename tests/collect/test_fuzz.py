"""Random bodies: every answer is one of the documented ones, and never 500."""

import gzip
import json
import random
from typing import Any

import pytest

from stream.collect.calls import ROUTES
from stream.errors import InvalidEvent
from stream.events import Money, read
from tests.collect.harness import AUTHORIZED, KEY, Site

DOCUMENTED = {200, 400, 401, 403, 405, 408, 413, 429, 503}
FIELDS = [
    "userId", "anonymousId", "event", "type", "messageId", "properties", "traits", "context",
    "timestamp", "originalTimestamp", "sentAt", "batch", "groupId", "previousId", "name",
    "category", "writeKey", "products", "total", "revenue", "currency", "order_id", "price",
    "quantity", "consent", "categoryPreferences", "specversion", "id", "subject", "data",
]  # fmt: skip
WORDS = [
    "track", "identify", "page", "group", "alias", "screen", "Order Completed", "Order Refunded",
    "ada", "", " ", "\x00", "\ud83d\ude00", "é" * 300, "2026-11-22T00:24:27.123Z", "1e400", "nan",
    "-1", "USD", "x" * 40_000, KEY, "0", "<script>",
]  # fmt: skip
NUMBERS = [0, -1, 1.5, 1e308, -1e308, 2**63, -(2**63) - 1, 10**400, 1795307067123, True, False]


def value_of(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.random()
    if kind < 0.35:
        return dice.choice(WORDS)
    if kind < 0.5:
        return dice.choice(NUMBERS)
    if kind < 0.6 or depth > 4:
        return None
    if kind < 0.75:
        return [value_of(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {
        dice.choice(FIELDS if dice.random() < 0.8 else WORDS): value_of(dice, depth + 1)
        for _ in range(dice.randrange(6))
    }


def likely(dice: random.Random) -> dict[str, Any]:
    """A call that is nearly right."""
    call = {
        "type": dice.choice(WORDS[:6]),
        "userId": "ada",
        "event": dice.choice(WORDS),
        "groupId": "g",
        "previousId": "p",
        "properties": {dice.choice(FIELDS): value_of(dice) for _ in range(3)},
    }
    call[dice.choice(FIELDS)] = value_of(dice)
    return call


def body_of(dice: random.Random) -> bytes:
    kind = dice.random()
    if kind < 0.1:
        return dice.randbytes(dice.randrange(200))
    if kind < 0.4:
        content: Any = likely(dice)
    elif kind < 0.6:
        content = {"batch": [likely(dice) for _ in range(dice.randrange(4))]}
    else:
        content = value_of(dice)
    body = bytearray(
        json.dumps(content, ensure_ascii=dice.random() < 0.5).encode("utf-8", "replace")
    )
    if body and dice.random() < 0.3:
        for _ in range(dice.randrange(1, 4)):
            body[dice.randrange(len(body))] = dice.randrange(256)
    packed = bytes(body)
    if dice.random() < 0.2:
        packed = gzip.compress(packed, 1)
        if dice.random() < 0.3:
            packed = packed[: dice.randrange(len(packed))]
    return packed


HEADERS = [
    AUTHORIZED,
    {},
    {"authorization": "Basic \xff\xfe"},
    {**AUTHORIZED, "content-encoding": "gzip", "content-type": "text/plain"},
    {**AUTHORIZED, "origin": "null", "content-length": "x"},
]
PATHS = [*ROUTES, "/v1/track/", "/v1/batch?writeKey=%00", f"/v1/batch?writeKey={KEY}"]


def check(topic: str, value: bytes) -> None:
    """What was taken is what workers read, but for impossible times: they are dead letters."""
    try:
        read(topic, value, 10**14, ANY)
    except InvalidEvent as error:
        assert error.reason in ("timestamp-too-old", "timestamp-in-future"), value


async def fuzz(site: Site, count: int, seed: int) -> dict[int, int]:
    """How often each status was answered."""
    dice = random.Random(seed)
    statuses: dict[int, int] = {}
    for i in range(count):
        path = dice.choice(PATHS)
        headers = HEADERS[0] if dice.random() < 0.8 else dice.choice(HEADERS)
        method = "POST" if dice.random() < 0.97 else dice.choice(["GET", "PUT", "DELETE", "HEAD"])
        body = body_of(dice)
        answer = await site.send(path, body, headers, method)
        assert answer.status in DOCUMENTED, (seed, i, path, body, answer)
        if answer.status != 200:
            assert answer.json.keys() == {"code", "message"}
            assert len(answer.json["message"]) < 300
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        for topic, _, _, value in site.kafka.records:
            check(topic, value)
        site.kafka.records.clear()
    return statuses


class _AnyCurrency(dict[str, float]):
    def get(self, key: str, default: Any = None) -> Any:
        return 1.0


ANY = Money(_AnyCurrency())


async def test_random_bodies(site: Site):
    statuses = await fuzz(site, 2_000, 1)
    assert statuses[200] > 100
    assert statuses[400] > 100


@pytest.mark.slow
async def test_a_hundred_thousand_random_bodies(site: Site):
    assert sum((await fuzz(site, 100_000, 2)).values()) == 100_000
