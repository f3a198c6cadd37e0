"""Replays: what the readers make of files, and what the sender does with it."""

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.errors import KafkaTimeoutError

from stream import admin
from stream.errors import ConfigurationError
from stream.events import Money, read
from stream.local import Server
from stream.producer import producer
from stream.replay import History, HistoryError, Recorded, open_history, parse_speed, replay
from stream.replay.history import in_time_order
from stream.replay.send import SendError
from stream.settings import Settings
from stream.topics import EVENT_TOPICS, INTERACTIONS, PROFILES, PURCHASES, partition_of
from tests.oracle import events as oracle
from tests.oracle import online_retail as retail_oracle

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
RETAIL = DATA / "online_retail" / "online_retail_even_customers.csv.gz"
OTTO = DATA / "otto" / "train.jsonl"
needs_data = pytest.mark.skipif(not RETAIL.exists(), reason=f"no data at {DATA}")

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def retail(tmp_path: Path, *lines: str) -> History:
    path = tmp_path / "retail.csv"
    path.write_text(HEAD + "\n".join(lines) + "\n")
    return open_history(path, "online-retail")


def values(history: History) -> list[tuple[str, dict[str, Any]]]:
    return [(record.topic, json.loads(record.value)) for record in history.records]


class TestOnlineRetail:
    def test_an_invoice_is_one_purchase_and_the_country_a_profile(self, tmp_path: Path) -> None:
        history = retail(
            tmp_path,
            "536365,85123A,HEART,6,2010-12-01 08:26,2.55,17850,United Kingdom",
            "536365,POST,POSTAGE,1,2010-12-01 08:26,18.00,17850,United Kingdom",
        )
        assert history.total == 2
        at = "2010-12-01T08:26:00.000Z"
        assert values(history) == [
            (
                PROFILES,
                {
                    "event_id": "online-retail-country-536365",
                    "customer_id": "17850",
                    "timestamp": at,
                    "traits": {"country": "United Kingdom"},
                },
            ),
            (
                PURCHASES,
                {
                    "event_id": "online-retail-536365",
                    "customer_id": "17850",
                    "timestamp": at,
                    "order_id": "536365",
                    "total": 33.3,
                    "currency": "GBP",
                    "items": [
                        {"product_id": "85123A", "price": 2.55, "quantity": 6},
                        {"product_id": "POST", "price": 18.0, "quantity": 1},
                    ],
                },
            ),
        ]

    @pytest.mark.parametrize(
        ("london", "utc"),
        [
            ("2011-03-27 00:59", "2011-03-27T00:59:00.000Z"),
            ("2011-03-27 02:00", "2011-03-27T01:00:00.000Z"),
            ("2011-06-01 09:00", "2011-06-01T08:00:00.000Z"),
            ("2011-12-09 12:50", "2011-12-09T12:50:00.000Z"),
            ("12/9/2011 12:50", "2011-12-09T12:50:00.000Z"),
        ],
    )
    def test_times_are_londons(self, tmp_path: Path, london: str, utc: str) -> None:
        history = retail(tmp_path, f"1,A,x,1,{london},1,7,France")
        assert {record["timestamp"] for _, record in values(history)} == {utc}

    def test_a_split_invoice_is_one_purchase_at_its_earliest_line(self, tmp_path: Path) -> None:
        history = retail(
            tmp_path,
            "1,A,x,1,2011-01-01 10:01,1.00,7,France",
            "2,A,x,1,2011-01-01 10:01,2.00,8,France",
            "1,A,x,1,2011-01-01 10:00,0.50,7,France",
        )
        bought = [(r["order_id"], r["total"]) for topic, r in values(history) if topic == PURCHASES]
        assert bought == [("1", 1.5), ("2", 2.0)]

    def test_a_cancellation_is_a_negative_purchase(self, tmp_path: Path) -> None:
        history = retail(tmp_path, "C9,D,Discount,-1,2011-01-01 10:00,27.50,7,France")
        (_, _), (topic, bought) = values(history)
        assert (topic, bought["total"]) == (PURCHASES, -27.5)
        assert bought["items"] == [{"product_id": "D", "price": 27.5, "quantity": -1}]

    def test_a_returned_line_of_a_positive_invoice_keeps_its_amount(self, tmp_path: Path) -> None:
        history = retail(
            tmp_path,
            "1,A,x,2,2011-01-01 10:00,5.00,7,France",
            "1,B,y,-1,2011-01-01 10:00,3.00,7,France",
        )
        record = list(history.records)[1]
        bought = read(PURCHASES, record.value, 2_000_000_000_000, Money({"GBP": 1.0}))
        assert bought.total == 700
        assert [item.price * item.quantity for item in bought.items] == [10.0, -3.0]

    def test_a_country_is_told_when_it_changes(self, tmp_path: Path) -> None:
        history = retail(
            tmp_path,
            "1,A,x,1,2011-01-01 10:00,1,7,Cyprus",
            "2,A,x,1,2011-01-02 10:00,1,7,Cyprus",
            "3,A,x,1,2011-01-03 10:00,1,7,Austria",
            "4,A,x,1,2011-01-04 10:00,1,7,Cyprus",
        )
        told = [r["traits"]["country"] for topic, r in values(history) if topic == PROFILES]
        assert told == ["Cyprus", "Austria", "Cyprus"]

    def test_lines_of_nobody_are_reported(self, tmp_path: Path) -> None:
        history = retail(
            tmp_path,
            "1,A,x,1,2011-01-01 10:00,1,,France",
            "2,A,x,1,2011-01-01 10:00,1,7.0,France",
            "3,A,x,1,2011-01-01 10:00,1",
        )
        assert history.unreadable == [(2, "no CustomerID"), (4, "no CustomerID")]
        assert {record.key for record in history.records} == {b"7"}

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("1,A,x,many,2011-01-01 10:00,1,7,France", "line 2: Quantity is 'many', expected a nu"),
            ("1,A,x,1.5,2011-01-01 10:00,1,7,France", r"Quantity is '1\.5', expected a whole num"),
            ("1,A,x,1,2011-01-01 10:00,NaN,7,France", "UnitPrice is 'NaN', expected a finite"),
            ("1,A,x,1,tomorrow,1,7,France", "InvoiceDate is 'tomorrow', expected as in 2011"),
        ],
    )
    def test_a_broken_line_is_named(self, tmp_path: Path, line: str, message: str) -> None:
        with pytest.raises(HistoryError, match=message):
            retail(tmp_path, line)

    def test_a_missing_column_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "other.csv"
        path.write_text(HEAD.replace("UnitPrice", "Price"))
        with pytest.raises(HistoryError, match=r"other\.csv: column UnitPrice is missing"):
            open_history(path, "online-retail")

    @needs_data
    def test_the_whole_data_set_agrees_with_the_oracle(self) -> None:
        records = list(open_history(RETAIL, "online-retail").records)
        assert [r.at_ms for r in records] == sorted(r.at_ms for r in records)
        assert len({json.loads(r.value)["event_id"] for r in records}) == len(records)
        found = oracle.expected(((r.topic, r.value) for r in records), 2 * 10**12, {"GBP": 1.0})
        assert not found.dead
        assert not found.duplicates
        figures = {
            name: {"orders": c.orders, "spend": c.spend, "events": c.events}
            for name, c in found.customers.items()
        }
        assert figures == retail_oracle.expected(str(RETAIL))
        assert len(figures) == 2187


class TestOtto:
    def test_clicks_carts_and_orders(self, tmp_path: Path) -> None:
        events = [
            {"aid": 1, "ts": 1659304800025, "type": "clicks"},
            {"aid": 3, "ts": 1659304900000, "type": "orders"},
            {"aid": 4, "ts": 1659304900000, "type": "orders"},
            {"aid": 3, "ts": 1659304850000, "type": "carts"},
        ]
        path = tmp_path / "otto.jsonl"
        path.write_text(json.dumps({"session": 12, "events": events}))
        got = values(open_history(path, "otto", currency="EUR"))
        base = {"customer_id": "12"}
        assert got == [
            (INTERACTIONS, {
                **base, "event_id": "otto-12-1", "timestamp": "2022-07-31T22:00:00.025Z",
                "name": "Product Viewed", "properties": {"product_id": "1"},
            }),
            (INTERACTIONS, {
                **base, "event_id": "otto-12-2", "timestamp": "2022-07-31T22:00:50.000Z",
                "name": "Product Added", "properties": {"product_id": "3"},
            }),
            (PURCHASES, {
                **base, "event_id": "otto-12-3", "timestamp": "2022-07-31T22:01:40.000Z",
                "order_id": "12-1659304900000", "total": 0.0, "currency": "EUR",
                "items": [{"product_id": "3"}, {"product_id": "4"}],
            }),
        ]  # fmt: skip

    @needs_data
    def test_the_sample(self) -> None:
        records = list(open_history(OTTO, "otto").records)
        lines = OTTO.read_text().splitlines()
        events = [(s["session"], e) for s in map(json.loads, lines) for e in s["events"]]
        kinds = Counter(event["type"] for _, event in events)
        baskets = {(session, e["ts"]) for session, e in events if e["type"] == "orders"}
        topics = Counter(record.topic for record in records)
        assert topics == {
            INTERACTIONS: kinds["clicks"] + kinds["carts"], PURCHASES: len(baskets)
        }  # fmt: skip
        assert [r.at_ms for r in records] == sorted(r.at_ms for r in records)
        assert not oracle.expected(
            ((r.topic, r.value) for r in records), 2 * 10**12, {"USD": 1.0}
        ).dead

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl"
        path.write_text('{"event_id": "e"}\n')
        with pytest.raises(HistoryError, match=r"line 1: .*expected a session of the OTTO"):
            list(open_history(path, "otto").records)


def line(number: int, at: Any, **fields: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "customer_id": f"c{number}", "timestamp": at, **fields}


def jsonl(tmp_path: Path, *entries: Any) -> History:
    path = tmp_path / "events.jsonl"
    texts = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in entries]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return open_history(path, "events-jsonl")


class TestEventsJsonl:
    def test_topics_by_shape_or_name_in_time_order(self, tmp_path: Path) -> None:
        history = jsonl(
            tmp_path,
            line(1, "2026-01-01T00:00:03Z", name="Product Viewed"),
            line(2, "2026-01-01T00:00:02+00:00", order_id="o", total=1, currency="USD"),
            line(3, 1767225601000, traits={}),
            line(4, "2026-01-01T00:00:04Z", name="x", topic="profiles"),
        )
        assert [(r.topic, r.key) for r in history.records] == [
            (PROFILES, b"c3"), (PURCHASES, b"c2"), (INTERACTIONS, b"c1"), (PROFILES, b"c4")
        ]  # fmt: skip
        assert history.unreadable_count == 0

    def test_lines_are_sent_byte_for_byte(self, tmp_path: Path) -> None:
        raw = b'{"name" : "x",  "customer_id":"n\xc3\xa9","timestamp":1767225601000, "z":1}'
        (record,) = jsonl(tmp_path, raw).records
        assert record == Recorded(1767225601000, INTERACTIONS, "né".encode(), raw)

    def test_bad_lines_are_reported_and_sent_in_their_place(self, tmp_path: Path) -> None:
        history = jsonl(
            tmp_path,
            line(1, 1767225601000, name="x"),
            b"oops",
            b"",
            line(4, "some day", name="x"),
            line(5, 1767225602000, topic="orders"),
            line(6, 10**400, name="x"),
            {**line(7, 1767225601500, name="x"), "customer_id": 7},
            line(8, 1767225603000, name="x"),
        )
        records = list(history.records)
        assert [r.key for r in records] == [b"c1", b"", b"c4", b"", b"c6", b"", b"c8"]
        assert [number for number, _ in history.unreadable] == [2, 4, 5, 6, 7]
        assert history.unreadable_count == 5
        assert records[1].value == b"oops"

    def test_lines_that_kafka_cannot_take_are_left_out_and_reported(self, tmp_path: Path) -> None:
        large = line(2, 1767225601000, name="x", properties={"a": "x" * 1_000_000})
        history = jsonl(tmp_path, line(1, 1767225601000, name="x"), large)
        assert [record.key for record in history.records] == [b"c1"]
        assert [number for number, _ in history.unreadable] == [2]

    @pytest.mark.parametrize("first", [b"InvoiceNo,StockCode", b"\x89PNG", b"[]", b'{"a": 1}'])
    def test_another_format_is_refused(self, tmp_path: Path, first: bytes) -> None:
        with pytest.raises(HistoryError, match=r"line 1: .*expected one Agos event per line"):
            list(jsonl(tmp_path, first).records)

    def test_order_within_the_window(self) -> None:
        times = [5, 3, 4, 9, 1]
        records = [Recorded(at, INTERACTIONS, b"k", b"%d" % i) for i, at in enumerate(times)]
        assert [r.at_ms for r in in_time_order(records, window=3)] == [3, 1, 4, 5, 9]
        assert [r.at_ms for r in in_time_order(records)] == [1, 3, 4, 5, 9]

    def test_records_of_one_moment_keep_their_order(self) -> None:
        records = [Recorded(7, INTERACTIONS, b"k", b"%d" % i) for i in range(9)]
        assert list(in_time_order(records, window=2)) == records


class TestFiles:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        for form in ("online-retail", "events-jsonl", "otto"):
            with pytest.raises(HistoryError, match="nowhere: No such file"):
                list(open_history(tmp_path / "nowhere", form).records)

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(HistoryError, match="Is a directory"):
            list(open_history(tmp_path, "events-jsonl").records)

    def test_gzip_whatever_the_name(self, tmp_path: Path) -> None:
        path = tmp_path / "events"
        path.write_bytes(gzip.compress(json.dumps(line(1, 1767225601000, name="x")).encode()))
        assert [r.key for r in open_history(path, "events-jsonl").records] == [b"c1"]

    @pytest.mark.parametrize("damage", ["cut", "flipped"])
    def test_damaged_gzip(self, tmp_path: Path, damage: str) -> None:
        text = "".join(f"{json.dumps(line(i, 1767225601000, name='x'))}\n" for i in range(999))
        packed = bytearray(gzip.compress(text.encode()))
        if damage == "cut":
            del packed[-20:]
        else:
            packed[len(packed) // 2] ^= 0xFF
        path = tmp_path / "events.gz"
        path.write_bytes(packed)
        with pytest.raises(HistoryError, match=r"events\.gz: .*expected an undamaged gzip file"):
            list(open_history(path, "events-jsonl").records)

    def test_an_unknown_format(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match="format is 'xml', expected one of online-ret"):
            open_history(tmp_path, "xml")


@pytest.mark.parametrize(("text", "speed"), [("1000x", 1000.0), ("0.5", 0.5), ("max", math.inf)])
def test_speeds(text: str, speed: float) -> None:
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0x", "-3x", "nan", "inf", ""])
def test_what_is_no_speed(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected a factor as in 1000x, or max"):
        parse_speed(text)


class FakeFuture:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def get(self, timeout: float) -> None:
        if self.error is not None:
            raise self.error


class FakeProducer:
    """Takes records; can refuse one, and be interrupted at one."""

    def __init__(self, partitions: int = 8, fail_at: int = -1, interrupt_at: int = -1) -> None:
        self.sent: list[tuple[str, bytes, bytes, int]] = []
        self.partitions = partitions
        self.fail_at = fail_at
        self.interrupt_at = interrupt_at
        self.flushed = 0

    def partitions_for(self, topic: str) -> set[int]:
        return set(range(self.partitions))

    def send(self, topic: str, *, value: bytes, key: bytes, partition: int) -> FakeFuture:
        if len(self.sent) == self.interrupt_at:
            raise KeyboardInterrupt
        self.sent.append((topic, key, value, partition))
        failed = len(self.sent) - 1 == self.fail_at
        return FakeFuture(KafkaTimeoutError("no answer") if failed else None)

    def flush(self, timeout: float) -> None:
        self.flushed = len(self.sent)


class FakeClock:
    """Time that passes only when someone sleeps."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def some(count: int, step_ms: int = 1000) -> Iterator[Recorded]:
    for i in range(count):
        yield Recorded(i * step_ms, EVENT_TOPICS[i % 3], b"c%d" % (i % 7), b"%d" % i)


class TestSending:
    def test_everything_goes_in_order_to_the_owner_of_its_key(self) -> None:
        kafka = FakeProducer()
        summary = replay(some(2500), kafka, 8)
        assert [int(value) for _, _, value, _ in kafka.sent] == list(range(2500))
        assert all(p == partition_of(key.decode(), 8) for _, key, _, p in kafka.sent)
        assert kafka.flushed == 2500
        assert summary.sent == {INTERACTIONS: 834, PURCHASES: 833, PROFILES: 833}
        assert (summary.total, summary.interrupted) == (2500, False)

    def test_the_recorded_pace_times_speed(self) -> None:
        clock = FakeClock()
        times: list[float] = []

        class Watched(FakeProducer):
            def send(self, *args: Any, **fields: Any) -> FakeFuture:
                times.append(clock.now - 50.0)
                return super().send(*args, **fields)

        summary = replay(some(5), Watched(), 8, speed=4.0, clock=clock, sleep=clock.sleep)
        assert times == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
        assert summary.seconds == pytest.approx(1.0)
        assert summary.rate == pytest.approx(5.0)

    def test_ctrl_c_flushes_and_tells_what_was_sent(self) -> None:
        kafka = FakeProducer(interrupt_at=1234)
        summary = replay(some(5000), kafka, 8)
        assert summary.interrupted
        assert summary.total == kafka.flushed == 1234

    def test_a_refused_record_is_an_error(self) -> None:
        with pytest.raises(SendError, match=r"profiles: .*no answer.*; 1004 were acknowledged"):
            replay(some(3000), FakeProducer(fail_at=1004), 8)

    def test_progress(self) -> None:
        seen: list[tuple[int, int]] = []
        replay(some(2500), FakeProducer(), 8, progress=lambda *now: seen.append(now))
        assert seen == [(1000, 999_000), (2000, 1_999_000), (2500, 2_499_000)]

    def test_another_number_of_partitions_is_refused(self) -> None:
        kafka = FakeProducer(partitions=6)
        with pytest.raises(ConfigurationError, match="interactions has 6 partitions, expected 8"):
            replay(some(1), kafka, 8)
        assert kafka.sent == []

    def test_a_missing_topic_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="topic interactions does not exist"):
            replay(some(1), FakeProducer(partitions=0), 8)

    def test_nothing(self) -> None:
        assert replay([], FakeProducer(), 8).total == 0


class TestRealBroker:
    def test_what_is_sent_can_be_consumed(self, broker: Server, tmp_path: Path) -> None:
        settings = Settings(kafka=broker.address, partitions=4)
        admin.create(settings)
        history = retail(
            tmp_path,
            *(f"{i},A,x,1,2011-01-01 10:{i % 60:02d},2.00,{i % 9},France" for i in range(300)),
        )
        with producer(settings) as kafka:
            summary = replay(history.records, kafka, 4)
        assert summary.sent == {PURCHASES: 300, PROFILES: 9}
        consumer = KafkaConsumer(
            *EVENT_TOPICS, bootstrap_servers=broker.address, auto_offset_reset="earliest",
            consumer_timeout_ms=15_000,
        )  # fmt: skip
        found = []
        for message in consumer:
            found.append(message)
            if len(found) == 309:
                break
        consumer.close()
        assert all(m.partition == partition_of(m.key.decode(), 4) for m in found)
        totals = oracle.expected(((m.topic, m.value) for m in found), 2 * 10**12, {"GBP": 1.0})
        assert sum(c.spend for c in totals.customers.values()) == 60_000
        assert {c.events for c in totals.customers.values()} == {34, 35}
