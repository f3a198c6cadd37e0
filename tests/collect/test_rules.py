"""What a request must be, and what is answered."""

import asyncio
import gzip
import json
import os
from pathlib import Path

import pytest

from stream.collect.body import MAX_BATCH_EVENTS, MAX_BODY_BYTES, MAX_EVENT_BYTES
from stream.collect.keyring import Keyring, digest
from stream.errors import ConfigurationError
from stream.events import Money, read
from tests.collect.harness import AUTHORIZED, KEY, Site, running

TRACK = {"userId": "ada", "event": "Song Played", "messageId": "m-1"}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/track", "track"),
        ("/v1/t", "track"),
        ("/v1/track/", "track"),
        ("/v1/page", "page"),
        ("/v1/p", "page"),
        ("/v1/screen", "screen"),
        ("/v1/s", "screen"),
        ("/v1/identify", "identify"),
        ("/v1/i", "identify"),
        ("/v1/group", "group"),
        ("/v1/g", "group"),
        ("/v1/alias", "alias"),
        ("/v1/a", "alias"),
    ],
)
async def test_each_route_says_what_is_called(site: Site, path: str, kind: str):
    call = {**TRACK, "groupId": "g-1", "previousId": "old", "type": "something else"}
    answer = await site.send(path, call)
    assert (answer.status, answer.json) == (200, {"success": True})
    ((_, event),) = site.kafka.events()
    assert event["type"] == kind
    assert event["customer_id"] == "ada"
    assert event["event_id"] == "m-1"


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
async def test_a_batch_is_taken_whole(site: Site, path: str):
    calls = [{**TRACK, "type": "track", "messageId": f"m-{i}"} for i in range(7)]
    answer = await site.send(f"{path}?writeKey={KEY}", {"batch": calls}, {})
    assert answer.status == 200
    assert [e["event_id"] for _, e in site.kafka.events()] == [f"m-{i}" for i in range(7)]


async def test_a_batch_with_one_wrong_event_is_refused_whole(site: Site):
    wrong = {"type": "track", "event": "x"}
    answer = await site.send("/v1/batch", {"batch": [{**TRACK, "type": "track"}, wrong]})
    assert answer.status == 400
    assert answer.json["message"].startswith("batch[1].userId")
    assert site.kafka.records == []


async def test_an_empty_batch_is_a_success(site: Site):
    assert (await site.send("/v1/batch", {"batch": []}, {})).status == 401
    assert (await site.send("/v1/batch", {"batch": [], "writeKey": KEY}, {})).status == 200


async def test_metrics_of_the_sdk_are_answered_and_ignored(site: Site):
    assert (await site.send("/v1/m", b"anything", {})).status == 200
    assert site.kafka.records == []


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json", "image/png", ""],
)
async def test_the_content_type_is_not_looked_at(site: Site, content_type: str):
    headers = {**AUTHORIZED, "content-type": content_type}
    assert (await site.send("/v1/track", TRACK, headers)).status == 200


@pytest.mark.parametrize("header", [{"content-encoding": "gzip"}, {}])
async def test_gzip_is_told_by_its_first_bytes(site: Site, header: dict[str, str]):
    body = gzip.compress(json.dumps(TRACK).encode())
    assert (await site.send("/v1/track", body, AUTHORIZED | header)).status == 200
    assert len(site.kafka.records) == 1


async def test_a_header_that_says_gzip_of_plain_json_is_forgiven(site: Site):
    headers = {**AUTHORIZED, "content-encoding": "gzip"}
    assert (await site.send("/v1/track", TRACK, headers)).status == 200


@pytest.mark.parametrize("damage", [slice(0, -3), slice(0, 10)])
async def test_broken_gzip_is_bad_input(site: Site, damage: slice):
    body = gzip.compress(json.dumps(TRACK).encode())[damage]
    answer = await site.send("/v1/track", body)
    assert (answer.status, answer.json["code"]) == (400, "invalid_request")


async def test_a_gzip_bomb_is_too_large(site: Site):
    assert (await site.send("/v1/batch", gzip.compress(b" " * 50_000_000))).status == 413


def event_of(size: int) -> bytes:
    """A call of so many bytes."""
    empty = json.dumps({**TRACK, "properties": {"x": ""}}).encode()
    return json.dumps({**TRACK, "properties": {"x": "a" * (size - len(empty))}}).encode()


async def test_an_event_may_have_32_kib_and_not_more(site: Site):
    assert (await site.send("/v1/track", event_of(MAX_EVENT_BYTES))).status == 200
    answer = await site.send("/v1/track", event_of(MAX_EVENT_BYTES + 1))
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    batch = b'{"batch": [%s]}' % event_of(MAX_EVENT_BYTES + 1)
    assert (await site.send("/v1/batch", batch)).status == 413


async def test_a_body_may_have_500_kib_and_not_more(site: Site):
    batch = json.dumps({"batch": [{**TRACK, "type": "track"}]}).encode()
    assert (await site.send("/v1/batch", batch.ljust(MAX_BODY_BYTES))).status == 200
    assert (await site.send("/v1/batch", batch.ljust(MAX_BODY_BYTES + 1))).status == 413


async def test_a_batch_may_have_2500_events_and_not_more(site: Site):
    call = {"type": "track", "userId": "a", "event": "e"}
    for count, status in ((MAX_BATCH_EVENTS, 200), (MAX_BATCH_EVENTS + 1, 413)):
        assert (await site.send("/v1/batch", {"batch": [call] * count})).status == status
    assert len(site.kafka.records) == MAX_BATCH_EVENTS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"userId": "\xff", "event": "e"}',
        b'{"userId": {}, "event": "e"}',
        b'{"userId": true, "event": "e"}',
        b'{"userId": "a"}',
        b'{"userId": "a", "event": ""}',
        b'{"userId": "a", "event": 1}',
        b'{"userId": "", "anonymousId": null, "event": "e"}',
        b'{"userId": "  ", "event": "e"}',
        b'{"event": "e"}',
        b'{"userId": "a", "event": "e", "properties": [1]}',
        b'{"userId": "a", "event": "e", "properties": "text"}',
        b'{"userId": "a", "event": "e", "timestamp": "yesterday"}',
        b'{"userId": "a", "event": "e", "timestamp": {}}',
        b'{"userId": "%s", "event": "e"}' % (b"a" * 257),
        b'{"userId": "a", "event": "%s"}' % (b"e" * 257),
        b'{"userId": "a", "event": "e", "properties": %s1%s}' % (b'{"a":' * 5000, b"}" * 5000),
    ],
)
async def test_bad_input_is_refused_with_a_code(site: Site, body: bytes):
    answer = await site.send("/v1/track", body)
    assert answer.status == 400
    assert answer.json["code"] == "invalid_request"
    assert answer.headers["content-type"] == "application/json"
    assert site.kafka.records == []


async def test_an_error_does_not_repeat_what_was_sent(site: Site):
    bad = "<script>alert(1)</script>"
    for body in (
        {"userId": {bad: bad}, "event": bad},
        {"userId": "a", "event": bad, "timestamp": bad},
        {"userId": "a", "event": "Order Completed", "properties": {"currency": bad}},
        {"batch": [{"type": bad}]},
        {"userId": "a", "event": "e", "properties": {bad: 10}, "context": [bad]},
    ):
        for path in ("/v1/track", "/v1/batch", f"/v1/{bad}", f"/v1/projects/{bad}/settings"):
            answer = await site.send(path, body, {**AUTHORIZED, "x": bad})
            assert b"script" not in answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic d3Jvbmc6"},
        {"authorization": "Basic !!!"},
        {"authorization": "Basic /w=="},
        {"authorization": "Bearer " + KEY},
    ],
)
async def test_a_bad_key_is_unauthorized(site: Site, headers: dict[str, str]):
    answer = await site.send("/v1/track", TRACK, headers)
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert site.kafka.records == []


async def test_the_key_may_be_in_the_body(site: Site):
    assert (await site.send("/v1/track", {**TRACK, "writeKey": KEY}, {})).status == 200
    assert (await site.send("/v1/track", {**TRACK, "writeKey": "wrong"}, {})).status == 401


async def test_only_post_is_taken(site: Site):
    refused = await site.send("/v1/track", TRACK, method="GET")
    assert (refused.status, refused.headers["allow"]) == (405, "POST, OPTIONS")
    refused = await site.send("/health", b"", method="PUT")
    assert (refused.status, refused.headers["allow"]) == (405, "GET")
    assert (await site.send("/v1/nowhere", TRACK)).status == 404


async def test_a_preflight_permits_what_sdks_send(site: Site):
    names = "authorization,content-type,anonymousid"
    asked = {
        "origin": "https://shop.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": names,
    }
    answer = await site.send("/v1/t", b"", asked, "OPTIONS")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == names
    answer = await site.send("/v1/t", TRACK, {**AUTHORIZED, "origin": "https://shop.example"})
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"


async def test_what_is_asked_for_in_a_preflight_is_not_echoed_blindly(site: Site):
    asked = {"origin": "https://a", "access-control-request-headers": 'x"; <script>'}
    answer = await site.send("/v1/t", b"", asked, "OPTIONS")
    assert "script" not in answer.headers["access-control-allow-headers"]


def keys_file(path: Path, line: str) -> str:
    place = path / "keys.yaml"
    place.write_text(f"keys:\n- {{source: web, sha256: {digest(KEY).hex()}, {line}}}\n")
    return f"@{place}"


async def test_a_key_with_origins_is_for_these_websites(tmp_path: Path):
    async with running(keys_file(tmp_path, "origins: ['https://shop.example']")) as site:
        for origin, permitted in (("https://shop.example", True), ("https://other.example", False)):
            answer = await site.send("/v1/t", TRACK, {**AUTHORIZED, "origin": origin})
            assert ("access-control-allow-origin" in answer.headers) == permitted
            assert (answer.status == 200) == permitted
        assert answer.json["code"] == "origin_not_allowed"
        # Not every request of a page needs a preflight.
        headers = {"origin": "https://other.example", "content-type": "text/plain"}
        answer = await site.send("/v1/t", {**TRACK, "messageId": "2", "writeKey": KEY}, headers)
        assert answer.status == 403
        assert len(site.kafka.records) == 1


async def test_a_key_with_a_list_of_events_may_send_no_other(tmp_path: Path):
    async with running(keys_file(tmp_path, "events: [Song Played]")) as site:
        assert (await site.send("/v1/track", TRACK)).status == 200
        answer = await site.send("/v1/track", {**TRACK, "event": "Order Completed"})
        assert (answer.status, answer.json["code"]) == (403, "event_not_allowed")
        # An `event` where it means nothing is no way round the list.
        assert (await site.send("/v1/identify", TRACK)).status == 403
        ((_, event),) = site.kafka.events()
        assert event["source"] == "web"


async def test_a_key_over_its_rate_is_told_when_to_come_again(tmp_path: Path):
    async with running(keys_file(tmp_path, "events_per_second: 1")) as site:
        calls = [{**TRACK, "messageId": f"m-{i}"} for i in range(4)]
        answers = [await site.send("/v1/track", call) for call in calls]
        assert [answer.status for answer in answers] == [200, 200, 429, 429]
        assert answers[2].headers["retry-after"] == "1"


async def test_events_without_consent_are_not_kept(tmp_path: Path):
    async with running(keys_file(tmp_path, "consent: [analytics]")) as site:
        for value, kept in ((False, 0), (True, 1)):
            consent = {"consent": {"categoryPreferences": {"analytics": value}}}
            assert (await site.send("/v1/track", {**TRACK, "context": consent})).status == 200
            assert len(site.kafka.records) == kept
        denied = {"consentManagement": {"deniedConsentIds": ["analytics"]}}
        assert (
            await site.send("/v1/track", {**TRACK, "messageId": "2", "context": denied})
        ).status == 200
        assert len(site.kafka.records) == 1


async def test_a_page_needs_to_know_one_address_only(site: Site):
    answer = await site.send(f"/v1/projects/{KEY}/settings", b"", {"host": "c.example:8080"}, "GET")
    own = answer.json["integrations"]["Segment.io"]
    assert (own["apiHost"], own["protocol"]) == ("c.example:8080/v1", "http")
    assert (await site.send("/v1/projects/wrong/settings", b"", {}, "GET")).status == 401
    answer = await site.send(f"/sourceConfig/?writeKey={KEY}", b"", {}, "GET")
    assert answer.json["source"]["enabled"] is True


async def test_the_tracking_routes_are_in_the_openapi_document(site: Site):
    document = (await site.send("/openapi.json", b"", {}, "GET")).json
    assert {"/v1/track", "/v1/batch", "/health"} <= document["paths"].keys()
    schema = document["paths"]["/v1/track"]["post"]["requestBody"]["content"]["application/json"]
    assert schema["schema"] == {"$ref": "#/components/schemas/Track"}


async def test_metrics_count_requests_and_events(site: Site):
    await site.send("/v1/track", TRACK)
    await site.send("/v1/track", b"")
    text = (await site.send("/metrics", b"", {}, "GET")).body.decode()
    assert 'agos_collector_requests_total{status="200"} 1\n' in text
    assert 'agos_collector_requests_total{status="400"} 1\n' in text
    assert "agos_collector_accepted_total 1\n" in text


async def test_many_requests_at_once_are_all_answered(site: Site):
    calls = [{**TRACK, "messageId": f"m-{i}", "userId": f"u-{i % 7}"} for i in range(500)]
    answers = await asyncio.gather(*(site.send("/v1/track", call) for call in calls))
    assert {answer.status for answer in answers} == {200}
    events = [event for _, event in site.kafka.events()]
    assert sorted(event["event_id"] for event in events) == sorted(c["messageId"] for c in calls)
    for user in range(7):
        order = [e["event_id"] for e in events if e["customer_id"] == f"u-{user}"]
        assert order == [c["messageId"] for c in calls if c["userId"] == f"u-{user}"]


async def test_what_is_taken_is_what_the_workers_read(site: Site):
    bodies = [
        TRACK,
        {"userId": 7, "event": "Order Completed", "properties": {"revenue": "19.90"}},
        {"anonymousId": "b", "event": "Order Refunded", "properties": {"total": 5}},
    ]
    for body in bodies:
        assert (await site.send("/v1/track", body)).status == 200
    for topic, _, _, value in site.kafka.records:
        read(topic, value, 4_000_000_000_000, Money({"USD": 1.0}))


@pytest.mark.parametrize("text", ["", "keys: []\n", "keys: [{}]\n", "keys: [", "\xff"])
def test_a_keys_file_that_says_nothing_good_leaves_the_keys_in_force(tmp_path: Path, text: str):
    path = tmp_path / "keys.yaml"
    path.write_text(f"keys:\n  - {{source: shop, sha256: {digest('geheim').hex()}}}\n")
    keyring = Keyring(f"@{path}")
    path.write_text(text, encoding="latin-1")
    os.utime(path, ns=(1, 1))
    with pytest.raises(ConfigurationError, match=r"AGOS_WRITE_KEYS: .*keys\.yaml: "):
        keyring.refresh()
    assert keyring.find("geheim", 0.0).name == "shop"


@pytest.mark.parametrize(
    ("number", "status"),
    [
        ("1e400", 400),
        ("-1E+0400", 400),
        ("[1, 1.5e999]", 400),
        ("9" * 250 + "e99", 400),
        ("9" * 400, 200),
        ("1e99", 200),
        ("1.25e-400", 200),
        ("9" * 150, 200),
        ('"1e400"', 200),
        ('"8c1a3e400b"', 200),
    ],
)
async def test_a_number_that_no_worker_could_read_is_refused(site: Site, number: str, status: int):
    body = b'{"userId":"ada","event":"x","properties":{"n": %b}}' % number.encode()
    assert (await site.send("/v1/track", body)).status == status
    batch = b'{"batch":[{"type":"track","userId":"ada","event":"x","properties":{"n":%b}}]}'
    assert (await site.send("/v1/batch", batch % number.encode())).status == status
