"""`--at TIME`, and what the changes say of a customer, on a real Redis."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from redis import Redis

from stream.cli.common import UsageError
from stream.cli.moments import parse_moment
from stream.store import keys

SECOND = 1_000
HOUR = 3_600 * SECOND


class Shop:
    """Memberships and their records, as the script writes them, hours ago."""

    def __init__(self, client: Redis) -> None:
        self.client, self.now_ms, self.serial = client, time.time_ns() // 1_000_000, 0

    def at(self, hours_ago: float) -> int:
        return self.now_ms - round(hours_ago * HOUR)

    def change(self, customer: str, segment: str, kind: str, hours_ago: float, **more: str) -> None:
        at_ms = self.at(hours_ago)
        self.serial += 1
        fields = {
            "change_id": f"{customer}{at_ms}", "customer": customer, "segment": segment,
            "change": kind, "at": at_ms, "cause": "event", "reason": f"{kind} {segment}",
            "version": 1, **more,
        }  # fmt: skip
        self.client.xadd(keys.CHANGES, fields, id=f"{at_ms + 5}-{self.serial}")
        if kind == "entered":
            self.client.zadd(keys.members(segment), {customer: at_ms})
        else:
            self.client.zrem(keys.members(segment), customer)
        inside = [s for s in ("loyal", "hot") if self.client.zscore(keys.members(s), customer)]
        self.client.hset(keys.customer(customer), "segments", ",".join(inside))


@pytest.fixture
def shop(redis_url: str) -> Iterator[Shop]:
    with Redis.from_url(redis_url, decode_responses=True) as client:
        for segment in ("loyal", "hot", "secret"):
            about = {"name": segment.title(), "origin": "defined", "shadow": segment == "secret"}
            client.hset(keys.SEGMENTS, segment, json.dumps(about))
        shop = Shop(client)
        due = str(shop.at(-24))
        shop.change("ann", "loyal", "entered", 10, due_at=due)
        shop.change("bob", "loyal", "entered", 9)
        shop.change("ann", "hot", "entered", 8)
        shop.change("ann", "loyal", "left", 6)
        shop.change("cyd", "loyal", "entered", 4)
        shop.change("ann", "hot", "left", 3)
        shop.change("ann", "loyal", "entered", 2, due_at=due)
        yield shop


def sizes(agos, redis_url: str, at: str) -> dict[str, int]:
    result = agos("segments", "--at", at, "--json", "--redis", redis_url)
    assert result.code == 0, result.told
    return {row["id"]: row["size"] for row in json.loads(result.said)["segments"]}


@pytest.mark.parametrize(
    ("at", "loyal", "hot"),
    [("1h", 3, 0), ("210m", 2, 1), ("5h", 1, 1), ("7h", 2, 1), ("570m", 1, 0), ("30d", 0, 0)],
)
def test_sizes_then(agos, redis_url, shop, at, loyal, hot):
    assert sizes(agos, redis_url, at) == {"loyal": loyal, "hot": hot}


def test_members_then(agos, redis_url, shop):
    result = agos("segments", "loyal", "--at", "7h", "--json", "--redis", redis_url)
    found = json.loads(result.said)
    assert (found["size"], found["name"]) == (2, "Loyal")
    assert found["members"] == [
        {"customer_id": "bob", "entered_ms": shop.at(9)},
        {"customer_id": "ann", "entered_ms": shop.at(10)},
    ]
    said = agos("segments", "loyal", "--at", "7h", "--members", "1", "--redis", redis_url).said
    assert "2 customers" in said
    assert "bob" in said
    assert "ann" not in said


def test_a_customer_then(agos, redis_url, shop):
    result = agos("customer", "ann", "--at", "7h", "--json", "--redis", redis_url)
    found = json.loads(result.said)
    assert {s["id"]: (s["since_ms"], s["reason"]) for s in found["segments"]} == {
        "loyal": (shop.at(10), "entered loyal"),
        "hot": (shop.at(8), "entered hot"),
    }
    said = agos("customer", "ann", "--at", "5h", "--redis", redis_url).said
    assert "Hot" in said
    assert "Loyal" not in said
    assert (
        "In no segment then." in agos("customer", "ann", "--at", "11h", "--redis", redis_url).said
    )


def test_a_moment_before_what_is_kept_is_refused(agos, redis_url, shop):
    # The entries of ten and nine hours ago go.
    shop.client.xtrim(keys.CHANGES, maxlen=5, approximate=False)
    if shop.client.xinfo_stream(keys.CHANGES).get("entries-added") is None:
        # Redis 6.2 does not count what was added: what AGOS_CHANGES says must do.
        for i in range(1_000):
            shop.change(f"c{i}", "hot", "entered", 0)
    arguments = ("--redis", redis_url)
    for command in (["segments"], ["segments", "loyal"], ["customer", "ann"]):
        result = with_few_changes(agos, *command, "--at", "9h", *arguments)
        assert result.code == 1
        assert "agos:changes reaches back to" in result.told
        assert "AGOS_CHANGES" in result.told
    result = with_few_changes(agos, "segments", "--at", "7h", "--json", *arguments)
    assert json.loads(result.said)["segments"][0] == {"id": "loyal", "name": "Loyal", "size": 2}
    # That she was in is known from her exit; since when went with the entry.
    result = with_few_changes(agos, "customer", "ann", "--at", "7h", "--json", *arguments)
    found = {s["id"]: s["since_ms"] for s in json.loads(result.said)["segments"]}
    assert found == {"loyal": None, "hot": shop.at(8)}


def with_few_changes(agos, *arguments: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGOS_CHANGES", "1000")
        return agos(*arguments)


def test_replayed_history_reaches_as_far_as_every_partition_tells(
    agos, redis_url, shop, monkeypatch
):
    monkeypatch.setenv("AGOS_CLOCK", "events")
    monkeypatch.setenv("AGOS_PARTITIONS", "1")
    monkeypatch.setenv("AGOS_CHANGES", "1000")
    # Written today, of a year ago.
    year = 365 * 24
    shop.client.delete(keys.CHANGES)
    for i in range(1_010):
        shop.client.zadd(keys.members("hot"), {f"c{i}": shop.at(year - i / 100)})
    for i in range(10, 1_010):
        at_ms = shop.at(year - i / 100)
        fields = {
            "change_id": str(i), "customer": f"c{i}", "segment": "hot", "change": "entered",
            "at": at_ms, "cause": "event", "reason": "", "version": 1,
        }  # fmt: skip
        shop.client.xadd(keys.CHANGES, fields)
    if shop.client.xinfo_stream(keys.CHANGES).get("entries-added") is not None:
        shop.client.xtrim(keys.CHANGES, maxlen=999, approximate=False)
    then = str(shop.at(year - 5 + 0.001))
    assert sizes(agos, redis_url, then)["hot"] == 500
    result = agos("segments", "--at", str(shop.at(year)), "--redis", redis_url)
    assert result.code == 1
    assert "agos:changes reaches back to" in result.told


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "12", "1h 2m", ""])
def test_a_time_that_is_none_is_refused(agos, redis_url, text):
    result = agos("segments", "--at", text, "--redis", redis_url)
    assert result.code == 2
    assert "expected a time as 2026-11-21T14:00Z" in result.told


def test_moments():
    noon = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000)
    assert parse_moment("2026-11-21T10:30Z", noon) == noon - 90 * 60 * SECOND
    assert parse_moment("2026-11-21 13:00:00+02:00", noon) == noon - HOUR
    assert parse_moment("90m", noon) == parse_moment("90m ago", noon) == noon - 90 * 60 * SECOND
    assert parse_moment(str(noon), noon) == noon
    local = datetime(2026, 11, 20).astimezone()
    assert parse_moment("2026-11-20", noon) == local.timestamp() * 1000
    with pytest.raises(UsageError, match="still to come"):
        parse_moment("2026-11-21T12:00:01Z", noon)


def test_a_customer_shows_why_it_is_in_each_segment_and_until_when(agos, redis_url, shop):
    result = agos("customer", "ann", "--json", "--redis", redis_url)
    entry = json.loads(result.said)["entries"]["loyal"]
    assert (entry["cause"], entry["reason"]) == ("event", "entered loyal")
    assert (entry["at_ms"], entry["due_at_ms"]) == (shop.at(2), shop.at(-24))
    said = " ".join(agos("customer", "ann", "--redis", redis_url).said.split())
    assert "Loyal loyal since" in said
    assert "(2 h ago) (event) entered loyal if nothing happened, until" in said
    assert "(in 23 h)" in said
    assert "agos why ann SEGMENT" in said
