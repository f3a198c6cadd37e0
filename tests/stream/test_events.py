"""What becomes of every kind of record: an event, or a refusal with its reason."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stream.errors import InvalidEvent
from stream.events import MAX_RECORD_BYTES, MODELS, DeadLetter, Money, read
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES

#: 2026-11-22T00:24:27.123Z
AT_MS = 1_795_307_067_123
NOW_MS = AT_MS + 1000
MONEY = Money({"USD": 1.0, "GBP": 1.25, "JPY": 0.0067})

BASE = {"event_id": "e1", "customer_id": "ana", "timestamp": AT_MS}
INTERACTION = {**BASE, "name": "Product Viewed"}
PURCHASE = {**BASE, "order_id": "o1", "total": 25.0, "currency": "USD"}
PROFILE = {**BASE, "traits": {"age": 34}}
VALID = {INTERACTIONS: INTERACTION, PURCHASES: PURCHASE, PROFILES: PROFILE}


#: Times of a busy machine say nothing about the code.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def encoded(record: Any, **changes: Any) -> bytes:
    return json.dumps({**record, **changes}).encode()


def refusal(topic: str, value: bytes | None, now_ms: int = NOW_MS) -> str:
    with pytest.raises(InvalidEvent) as refused:
        read(topic, value, now_ms, MONEY)
    assert refused.value.detail
    return refused.value.reason


class TestAccepted:
    def test_an_interaction(self) -> None:
        event = read(
            INTERACTIONS,
            b'{"event_id":"e1","customer_id":"ana","timestamp":"2026-11-22T00:24:27.123Z",'
            b'"name":"Product Viewed","properties":{"price":12.5},"context":{"ip":"::1"}}',
            NOW_MS,
            MONEY,
        )
        assert (event.event_id, event.customer_id, event.name) == ("e1", "ana", "Product Viewed")
        assert event.timestamp == AT_MS
        assert event.properties == {"price": 12.5}
        assert event.context == {"ip": "::1"}

    def test_what_may_be_left_out_is_empty(self) -> None:
        event = read(INTERACTIONS, encoded(INTERACTION), NOW_MS, MONEY)
        assert (event.properties, event.context) == ({}, {})
        assert read(PURCHASES, encoded(PURCHASE), NOW_MS, MONEY).items == []

    def test_defaults_are_not_shared(self) -> None:
        first = read(INTERACTIONS, encoded(INTERACTION), NOW_MS, MONEY)
        first.properties["seen"] = True
        assert read(INTERACTIONS, encoded(INTERACTION), NOW_MS, MONEY).properties == {}

    def test_a_purchase_in_minor_units_of_the_base_currency(self) -> None:
        items = [{"product_id": "p", "category": "toys", "price": 12.5, "quantity": 2}, {}]
        value = encoded(PURCHASE, total=25.04, currency="GBP", items=items)
        event = read(PURCHASES, value, NOW_MS, MONEY)
        assert event.total == 3130
        assert [(i.product_id, i.category, i.price, i.quantity) for i in event.items] == [
            ("p", "toys", 12.5, 2.0),
            (None, None, 0.0, 1.0),
        ]

    def test_a_refund_may_have_negative_quantities(self) -> None:
        value = encoded(PURCHASE, total=-5, items=[{"price": 5.0, "quantity": -1}])
        assert read(PURCHASES, value, NOW_MS, MONEY).total == -500

    def test_traits_of_every_kind(self) -> None:
        traits = {"a": "x", "b": True, "c": 3, "d": 1.5, "e": ["x", "y"], "f": None}
        event = read(PROFILES, encoded(PROFILE, traits=traits), NOW_MS, MONEY)
        assert event.traits == traits
        assert event.traits["b"] is True

    @pytest.mark.parametrize("topic", EVENT_TOPICS)
    def test_unknown_fields_are_ignored(self, topic: str) -> None:
        event = read(topic, encoded(VALID[topic], shoe_size=[{"x": None}]), NOW_MS, MONEY)
        assert not hasattr(event, "shoe_size")

    @pytest.mark.parametrize(
        "timestamp",
        [
            AT_MS,
            AT_MS + 0.9,
            "2026-11-22T00:24:27.123Z",
            "2026-11-22T00:24:27.123999Z",
            "2026-11-22T08:24:27.123+08:00",
            "2026-11-21T19:24:27.123-05:00",
            "2026-11-22 00:24:27.123Z",
        ],
    )
    def test_timestamps(self, timestamp: Any) -> None:
        value = encoded(INTERACTION, timestamp=timestamp)
        at = read(INTERACTIONS, value, NOW_MS, MONEY).timestamp
        assert at == AT_MS
        assert type(at) is int

    @pytest.mark.parametrize("customer_id", ["x", "x" * 256, "né 😀", "a,b{c}", "\u0000"])
    def test_customer_ids(self, customer_id: str) -> None:
        value = encoded(INTERACTION, customer_id=customer_id)
        assert read(INTERACTIONS, value, NOW_MS, MONEY).customer_id == customer_id

    def test_a_record_of_the_largest_size(self) -> None:
        value = encoded(INTERACTION).ljust(MAX_RECORD_BYTES)
        assert read(INTERACTIONS, value, NOW_MS, MONEY).event_id == "e1"


class TestTime:
    def test_five_minutes_ahead_are_allowed_and_no_more(self) -> None:
        limit = NOW_MS + 300_000
        assert read(PROFILES, encoded(PROFILE, timestamp=limit), NOW_MS, MONEY).timestamp == limit
        late = encoded(PROFILE, timestamp=limit + 1)
        assert refusal(PROFILES, late) == "timestamp-in-future"

    def test_1990_is_the_first_year(self) -> None:
        first = encoded(PROFILE, timestamp="1990-01-01T00:00:00Z")
        assert read(PROFILES, first, NOW_MS, MONEY).timestamp == 631_152_000_000
        before = encoded(PROFILE, timestamp="1989-12-31T23:59:59.999Z")
        assert refusal(PROFILES, before) == "timestamp-too-old"

    @given(st.integers(632_000_000_000_000, 1000 * AT_MS), st.integers(-1380, 1380))
    @patient
    def test_a_time_in_any_zone_is_floored_to_milliseconds(
        self, epoch_us: int, ahead_minutes: int
    ) -> None:
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=epoch_us)
        text = utc.astimezone(timezone(timedelta(minutes=ahead_minutes))).isoformat()
        value = encoded(PROFILE, timestamp=text)
        assert read(PROFILES, value, NOW_MS, MONEY).timestamp == epoch_us // 1000

    @pytest.mark.parametrize(
        ("timestamp", "reason"),
        [
            ("-1", "timestamp-too-old"),
            ("1795307067", "timestamp-too-old"),
            ('"0001-01-01T00:00:00+23:59"', "timestamp-too-old"),
            ('"9999-12-31T23:59:59-23:59"', "timestamp-in-future"),
            ("1e300", "timestamp-in-future"),
            ("1" + "0" * 400, "timestamp-in-future"),
            ("-1" + "0" * 400, "timestamp-too-old"),
        ],
    )
    def test_absurd_times(self, timestamp: str, reason: str) -> None:
        value = encoded(PROFILE, timestamp="?").replace(b'"?"', timestamp.encode())
        assert refusal(PROFILES, value) == reason

    @pytest.mark.parametrize(
        "timestamp",
        ["2026-11-22T00:24:27", "2026-11-22", "yesterday", "", "1795307067123", True, None, [1]],
    )
    def test_what_is_no_time(self, timestamp: Any) -> None:
        assert refusal(PROFILES, encoded(PROFILE, timestamp=timestamp)) == "invalid"


class TestRefused:
    @pytest.mark.parametrize("topic", EVENT_TOPICS)
    def test_tombstone(self, topic: str) -> None:
        assert refusal(topic, None) == "tombstone"

    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"hello",
            b"\x00\x01\xff",
            b'{"event_id":"\xff"}',
            b"{" * 50_000,
            b'{"a":' * 40_000,
            encoded(INTERACTION)[:-1],
            encoded(INTERACTION) + b"x",
            b"\xef\xbb\xbf" + encoded(INTERACTION),
            encoded(INTERACTION, properties={"a": float("nan")}),
            encoded(INTERACTION, properties={"a": float("-inf")}),
            encoded(INTERACTION).replace(b"ana", b"\\ud800"),
        ],
    )
    def test_not_json(self, value: bytes) -> None:
        assert refusal(INTERACTIONS, value) == "not-json"

    @pytest.mark.parametrize("value", [b"null", b"[]", b"17", b'"x"', b"true"])
    def test_no_object(self, value: bytes) -> None:
        assert refusal(INTERACTIONS, value) == "invalid"

    @pytest.mark.parametrize(
        ("topic", "field"),
        [(topic, field) for topic in EVENT_TOPICS for field in VALID[topic]],
    )
    def test_missing_fields(self, topic: str, field: str) -> None:
        record = {name: value for name, value in VALID[topic].items() if name != field}
        assert refusal(topic, encoded(record)) == "missing-field"

    @pytest.mark.parametrize(
        ("topic", "field"),
        [(topic, field) for topic in EVENT_TOPICS for field in VALID[topic]],
    )
    def test_wrong_types(self, topic: str, field: str) -> None:
        assert refusal(topic, encoded(VALID[topic], **{field: [{}]})) == "invalid"
        assert refusal(topic, encoded(VALID[topic], **{field: None})) == "invalid"

    @pytest.mark.parametrize("customer_id", ["", "x" * 257, "x" * 300, 7])
    def test_customer_ids(self, customer_id: Any) -> None:
        assert refusal(INTERACTIONS, encoded(INTERACTION, customer_id=customer_id)) == "invalid"

    @pytest.mark.parametrize("size", [MAX_RECORD_BYTES + 1, 1024 * 1024])
    def test_large_records(self, size: int) -> None:
        assert refusal(INTERACTIONS, encoded(INTERACTION).ljust(size)) == "too-large"

    @pytest.mark.parametrize("currency", ["XXX", "usd", "   "])
    def test_unknown_currencies(self, currency: str) -> None:
        assert refusal(PURCHASES, encoded(PURCHASE, currency=currency)) == "unknown-currency"

    @pytest.mark.parametrize("currency", ["", "US", "DOLLAR"])
    def test_what_is_no_currency(self, currency: str) -> None:
        assert refusal(PURCHASES, encoded(PURCHASE, currency=currency)) == "invalid"

    @pytest.mark.parametrize("total", [25.0, 0.0, -0.0])
    def test_negative_quantities_outside_a_refund(self, total: float) -> None:
        value = encoded(PURCHASE, total=total, items=[{"quantity": 1}, {"quantity": -0.5}])
        assert refusal(PURCHASES, value) == "negative-quantity"

    @pytest.mark.parametrize(
        "total", [float("nan"), float("inf"), 1.01e12, -1.01e12, "25", True, 10**400]
    )
    def test_totals(self, total: Any) -> None:
        assert refusal(PURCHASES, encoded(PURCHASE, total=total)) == "invalid"

    @pytest.mark.parametrize("field", ["price", "quantity"])
    @pytest.mark.parametrize("number", [float("nan"), float("inf"), "1", None])
    def test_numbers_of_items(self, field: str, number: Any) -> None:
        assert refusal(PURCHASES, encoded(PURCHASE, items=[{field: number}])) == "invalid"

    @pytest.mark.parametrize(
        "trait", [{"x": 1}, [1], [None], [["x"]], 2**63, -(2**63) - 1, 10**400]
    )
    def test_traits(self, trait: Any) -> None:
        assert refusal(PROFILES, encoded(PROFILE, traits={"a": trait})) == "invalid"

    def test_the_largest_whole_trait(self) -> None:
        traits = {"most": 2**63 - 1, "least": -(2**63)}
        assert read(PROFILES, encoded(PROFILE, traits=traits), NOW_MS, MONEY).traits == traits

    def test_the_detail_names_field_and_value(self) -> None:
        value = encoded(PURCHASE, items=[{"price": 1.0}, {"price": "cheap"}])
        with pytest.raises(InvalidEvent, match=r"items\.1\.price.*'cheap'"):
            read(PURCHASES, value, NOW_MS, MONEY)

    def test_the_detail_of_a_long_value_is_short(self) -> None:
        with pytest.raises(InvalidEvent) as refused:
            read(INTERACTIONS, encoded(INTERACTION, customer_id="x" * 9000), NOW_MS, MONEY)
        assert len(refused.value.detail) < 300


class TestMoney:
    @patient
    @given(
        st.integers(-(10**12), 10**12),
        st.integers(0, 4),
        st.sampled_from([1.0, 1.25, 0.0067, 1.2529]),
    )
    @example(5, 3, 1.0)
    @example(15, 3, 1.0)
    @example(-25, 3, 1.0)
    @example(1005, 3, 1.0)
    def test_halves_go_to_even_of_the_decimal_as_written(
        self, digits: int, places: int, rate: float
    ) -> None:
        amount = float(f"{digits}e-{places}")
        written = Decimal(digits).scaleb(-places)
        exact = (written * Decimal(str(rate)) * 100).to_integral_value(ROUND_HALF_EVEN)
        assert Money({"EUR": rate}).to_minor(amount, "EUR") == exact

    def test_an_unknown_currency_names_the_known(self) -> None:
        with pytest.raises(InvalidEvent, match=r"'XXX' has no rate.*GBP, JPY, USD"):
            MONEY.to_minor(1.0, "XXX")


_PIECES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["2026-11-22T00:24:27Z", "2026-11-22T00:24:27+05:30", "USD", "x" * 257]),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(-5, 5), max_size=2),
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "price": st.floats(0, 9),
                "quantity": st.integers(-2, 3),
                "category": st.none(),
            },
        ),
        max_size=2,
    ),
)


@st.composite
def bent_records(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A valid record with some fields replaced, added or taken away."""
    topic = draw(st.sampled_from(EVENT_TOPICS))
    fields = list(MODELS[topic].model_fields)
    record: dict[str, Any] = {**VALID[topic], **draw(
        st.dictionaries(st.sampled_from([*fields, "unknown"]), _PIECES, max_size=2)
    )}  # fmt: skip
    for name in draw(st.sets(st.sampled_from(fields), max_size=1)) if draw(st.booleans()) else ():
        record.pop(name, None)
    return topic, record


class TestFastReaderAndContract:
    @patient
    @given(bent_records())
    def test_what_is_read_satisfies_the_model(self, bent: tuple[str, dict[str, Any]]) -> None:
        topic, record = bent
        value = json.dumps(record).encode()
        try:
            event = read(topic, value, NOW_MS, MONEY)
        except InvalidEvent as refused:
            if refused.reason in ("invalid", "missing-field"):
                self.assert_refused_by_model(topic, value, record)
            return
        model = MODELS[topic].model_validate_json(value, strict=True)
        for name in set(MODELS[topic].model_fields) - {"timestamp", "total", "items"}:
            assert getattr(event, name) == getattr(model, name)

    @staticmethod
    def assert_refused_by_model(topic: str, value: bytes, record: dict[str, Any]) -> None:
        if isinstance(record.get("timestamp"), str):
            return  # pydantic also takes forms that are not RFC 3339
        with pytest.raises(ValidationError):
            MODELS[topic].model_validate_json(value, strict=True)

    @patient
    @given(st.binary(max_size=200))
    def test_bytes_never_raise_anything_else(self, value: bytes) -> None:
        for topic in EVENT_TOPICS:
            with pytest.raises(InvalidEvent):
                read(topic, value, NOW_MS, MONEY)

    @patient
    @given(st.sampled_from(EVENT_TOPICS), st.data())
    def test_damaged_records_never_raise_anything_else(
        self, topic: str, data: st.DataObject
    ) -> None:
        value = bytearray(encoded(VALID[topic]))
        for _ in range(data.draw(st.integers(1, 4))):
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
        try:
            event = read(topic, bytes(value), NOW_MS, MONEY)
        except InvalidEvent:
            return
        assert type(event.timestamp) is int


class TestSchemas:
    @pytest.mark.parametrize("topic", EVENT_TOPICS)
    def test_required_fields_and_bounds_are_in_the_schema(self, topic: str) -> None:
        schema = MODELS[topic].model_json_schema()
        assert set(schema["required"]) == set(VALID[topic])
        assert schema["properties"]["customer_id"] == {
            "maxLength": 256, "minLength": 1, "title": "Customer Id", "type": "string"
        }  # fmt: skip
        assert "RFC 3339" in schema["properties"]["timestamp"]["description"]

    @pytest.mark.parametrize("topic", MODELS)
    def test_every_model_has_a_schema_that_is_json(self, topic: str) -> None:
        schema = json.loads(json.dumps(MODELS[topic].model_json_schema()))
        assert schema["type"] == "object"
        assert schema["description"]
        assert set(schema["properties"]) == set(MODELS[topic].model_fields)

    def test_a_purchases_total_is_bounded(self) -> None:
        total = MODELS[PURCHASES].model_json_schema()["properties"]["total"]
        assert (total["minimum"], total["maximum"]) == (-1e12, 1e12)

    def test_dead_letters_carry_any_bytes(self) -> None:
        letter = {
            "letter_id": "purchases-3@7", "topic": "purchases", "partition": 3, "offset": 7,
            "reason": "not-json", "detail": "…", "rejected_at": AT_MS, "key": None,
            "value": "AP8=",
        }  # fmt: skip
        read_back = MODELS["dead-letters"].model_validate_json(msgspec.json.encode(letter))
        assert isinstance(read_back, DeadLetter)
        assert read_back.value == b"\x00\xff"
        assert json.loads(read_back.model_dump_json())["value"].strip() == "AP8="
