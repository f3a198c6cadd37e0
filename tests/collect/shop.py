"""What every back-end client of the tests sends, and whether it is in Kafka."""

from typing import Any

from tests.collect.live import doubled

Events = list[tuple[str, dict[str, Any]]]

#: 2026-01-02T03:04:05.678Z
AT_MS = 1_767_323_045_678
#: What HTTP takes here: the correction of the clock takes it for an error of the clock.
SLACK_MS = 5_000
#: Events of one client, but for one all of the same customer, and what that one is in then.
SENT = 54
SEGMENTS = ("buyers", "manilans", "viewers")


def check_shop(events: Events, user: str) -> None:
    """Each event once, with the right customer, type and time."""
    assert doubled(events) == {}
    found = {event["event_id"]: (topic, event) for topic, event in events}
    expected = {f"{user}-view-{i}" for i in range(50)} | {
        f"{user}-{name}" for name in ("order", "identify", "page", "group")
    }
    assert found.keys() == expected
    for name, (_, event) in found.items():
        anonymous = name == f"{user}-page"
        assert event["customer_id"] == (f"{user}-anonymous" if anonymous else user)
        assert abs(event["timestamp"] - AT_MS) < SLACK_MS
    topic, event = found[f"{user}-view-7"]
    assert (topic, event["name"], event["type"]) == ("interactions", "Product Viewed", "track")
    assert event["properties"] == {"product_id": "p-7", "category": "shoes"}
    topic, event = found[f"{user}-order"]
    assert (topic, event["total"], event["order_id"]) == ("purchases", 25.0, "o-1")
    assert event["items"] == [{"product_id": "p-7", "price": 12.5, "quantity": 2.0}]
    topic, event = found[f"{user}-identify"]
    assert (topic, event["traits"]) == ("profiles", {"age": 34, "address.city": "Manila"})
    topic, event = found[f"{user}-page"]
    assert (topic, event["name"]) == ("interactions", "Page Viewed")
    assert event["properties"]["name"] == "Home"
    topic, event = found[f"{user}-group"]
    assert event["traits"] == {"company_id": "g-1", "industry": "logistics"}


def named(events: Events, user: str) -> Events:
    """The same with the ids that are expected, for a client that makes ids of its own."""
    assert len({event["event_id"] for _, event in events}) == len(events)
    return [(topic, {**event, "event_id": f"{user}-{_name(event)}"}) for topic, event in events]


def _name(event: dict[str, Any]) -> str:
    if event["type"] != "track":
        return str(event["type"])
    if "order_id" in event:
        return "order"
    return f"view-{event['properties']['product_id'].removeprefix('p-')}"
