"""Compares what Redis and Kafka hold in the end with one plain pass over what was sent."""

import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from scripts.fault_parts import memberships
from stream.customer import Table
from stream.topics import DEAD_LETTERS, SEGMENT_CHANGES
from tests.oracle.events import Customer

_PAGE = 2_000
_FIGURES = ("events", "orders", "spend")
_SHOWN = 5


class Verdict:
    """Deviations by kind, with the first few of each, and figures that are none."""

    def __init__(self) -> None:
        self.deviations: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = defaultdict(list)
        self.figures: dict[str, Any] = {}

    def wrong(self, kind: str, example: object, count: int = 1) -> None:
        """Note `count` deviations of a kind."""
        self.deviations[kind] += count
        if len(self.examples[kind]) < _SHOWN:
            self.examples[kind].append(str(example))


def compare_customers(
    verdict: Verdict, redis: Any, wanted: Mapping[str, Customer]
) -> dict[str, set[str]]:
    """Figures and traits of every customer, in the hash and in the state; who is in what."""
    inside: dict[str, set[str]] = {}
    lost = doubled = 0
    names = (key.decode().removeprefix("agos:customer:") for key in _keys(redis, "agos:customer:*"))
    states = _states(verdict, redis)
    for page in _pages(names):
        for customer, figures, segments, stored, traits in _read(redis, page, states):
            inside[customer] = segments
            one = wanted.get(customer)
            if one is None:
                verdict.wrong("customers that nobody sent", customer)
                continue
            right = (one.events, one.orders, one.spend)
            lost += max(0, one.events - figures[0])
            doubled += max(0, figures[0] - one.events)
            if figures != right or stored != right:
                verdict.wrong("customers wrong", f"{customer}: {figures}, {stored} not {right}")
            if traits != one.traits:
                verdict.wrong("traits wrong", f"{customer}: {traits} not {one.traits}")
    for customer in wanted.keys() - inside.keys():
        lost += wanted[customer].events
        verdict.wrong("customers missing", customer)
    if lost:
        verdict.wrong("events lost", f"{lost} of {sum(c.events for c in wanted.values())}", lost)
    if doubled:
        verdict.wrong("events doubled", doubled, doubled)
    verdict.figures["customers"] = len(inside)
    verdict.figures["events applied"] = sum(one.events for one in wanted.values()) - lost + doubled
    return inside


def compare_defined(
    verdict: Verdict, inside: Mapping[str, set[str]], wanted: Mapping[str, Customer]
) -> None:
    """Members of the segments that depend on no clock."""
    for customer, one in wanted.items():
        right = memberships.wanted(one)
        found = inside.get(customer, set()) & memberships.CLOCKLESS.keys()
        if found != right:
            verdict.wrong("defined memberships wrong", f"{customer}: {found} not {right}")


def compare_segments(
    verdict: Verdict, redis: Any, inside: Mapping[str, set[str]]
) -> dict[str, list[dict[str, str]]]:
    """The members, the customers' hashes and the change records say the same; the records."""
    members: dict[str, set[str]] = defaultdict(set)
    for key in _keys(redis, "agos:segment:*:members"):
        segment = key.decode().removeprefix("agos:segment:").removesuffix(":members")
        for customer in redis.zrange(key, 0, -1):
            members[customer.decode()].add(segment)
    records: dict[str, list[dict[str, str]]] = defaultdict(list)
    told: dict[str, set[str]] = defaultdict(set)
    total = 0
    for position, record in _changes(redis):
        total += 1
        record["position"] = position
        customer, segment = record["customer"], record["segment"]
        earlier = records[customer]
        if earlier and int(earlier[-1]["version"]) > int(record["version"]):
            verdict.wrong("changes out of order", f"{earlier[-1]} before {record}")
        earlier.append(record)
        if (record["change"] == "entered") == (segment in told[customer]):
            verdict.wrong("changes repeated or missing", record)
        (told[customer].add if record["change"] == "entered" else told[customer].discard)(segment)
    for customer in inside.keys() | members.keys() | told.keys():
        hashed, listed = inside.get(customer, set()), members[customer]
        if not hashed == listed == told[customer]:
            what = f"{customer}: hash {hashed}, members {listed}, changes {told[customer]}"
            verdict.wrong("memberships differ", what)
    verdict.figures["memberships"] = sum(map(len, members.values()))
    verdict.figures["changes"] = total
    return records


def compare_topic(
    verdict: Verdict,
    kafka: str,
    redis: Any,
    records: Mapping[str, list[dict[str, str]]],
    rolled_back: bool,
) -> None:
    """Every change is in `segment-changes`, in each customer's order; repeats only by equal id.

    What a Redis that lost writes has forgotten may have been told before: those records are
    counted, and are a deviation only where no fault lost writes.
    """
    cursor = (redis.hget("agos:relay", "cursor") or b"0-0").decode()
    told: dict[str, list[str]] = defaultdict(list)
    content: dict[str, tuple[Any, ...]] = {}
    repeats = 0
    for message in _messages(kafka, SEGMENT_CHANGES):
        change = json.loads(message.value)
        identity = change["change_id"]
        what = tuple(change[name] for name in ("customer", "segment", "change", "at"))
        repeats += identity in content
        if content.setdefault(identity, what) != what:
            verdict.wrong("one change id for two changes", f"{content[identity]} and {what}")
        told[change["customer"]].append(identity)
    known: set[str] = set()
    for customer, changes in records.items():
        copied = [c["change_id"] for c in changes if _order(c["position"]) <= _order(cursor)]
        known.update(c["change_id"] for c in changes)
        missing = set(copied) - set(told[customer])
        if missing:
            verdict.wrong("changes missing in the topic", f"{customer}: {missing}", len(missing))
        elif not _within(copied, told[customer]):
            verdict.wrong("changes out of order in the topic", customer)
    forgotten = len(content.keys() - known)
    if forgotten and not rolled_back:
        verdict.wrong("changes in the topic that never were", forgotten, forgotten)
    verdict.figures["topic: repeated"] = repeats
    verdict.figures["topic: told before Redis lost them"] = forgotten


def compare_dead_letters(verdict: Verdict, kafka: str, wanted: Mapping[str, int]) -> None:
    """Every broken record is among the dead letters, at least once, with its reason."""
    found: dict[tuple[Any, ...], str] = {}
    repeats = 0
    for message in _messages(kafka, DEAD_LETTERS):
        letter = json.loads(message.value)
        place = (letter["topic"], letter["partition"], letter["offset"])
        repeats += place in found
        found[place] = letter["reason"]
    reasons = Counter(found.values())
    for reason in wanted.keys() | reasons.keys():
        if reasons[reason] != wanted.get(reason, 0):
            difference = abs(reasons[reason] - wanted.get(reason, 0))
            what = f"{reason}: {reasons[reason]} of {wanted.get(reason, 0)}"
            verdict.wrong("dead letters", what, difference)
    verdict.figures["dead letters"] = len(found)
    verdict.figures["dead letters repeated"] = repeats


def _read(redis: Any, page: list[str], states: Mapping[str, bytes]) -> Iterator[tuple[Any, ...]]:
    pipe = redis.pipeline(transaction=False)
    for customer in page:
        pipe.hmget(f"agos:customer:{customer}", *_FIGURES, "segments")
    hashes = pipe.execute()
    table = Table(2 * len(page))
    table.load(page, [states.get(customer) for customer in page])
    for i, (customer, (*figures, segments)) in enumerate(zip(page, hashes, strict=True)):
        row, extra = table.rows[i], table.extra.get(i)
        stored = (int(row["events"]), int(row["orders"]), int(row["spend_minor"]))
        facts = {} if extra is None else extra.traits
        traits = {name: value for name, (value, _) in facts.items() if value is not None}
        ids = set((segments or b"").decode().split(",")) - {""}
        yield customer, tuple(int(f or 0) for f in figures), ids, stored, traits


def _states(verdict: Verdict, redis: Any) -> dict[str, bytes]:
    """What the workers remember of every customer; in one partition's hash each."""
    found: dict[str, bytes] = {}
    for key in _keys(redis, "agos:{*}:states"):
        for name, state in dict(redis.hscan_iter(key, count=_PAGE)).items():
            if name.decode() in found:
                verdict.wrong("customers in two partitions", name)
            found[name.decode()] = state
    return found


def _keys(redis: Any, pattern: str) -> Collection[bytes]:
    return set(redis.scan_iter(pattern, _PAGE))


def _pages(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while page := list(islice(rest, _PAGE)):
        yield page


def _changes(redis: Any) -> Iterator[tuple[str, dict[str, str]]]:
    after = "-"
    while found := redis.xrange("agos:changes", after, "+", count=_PAGE):
        for position, fields in found:
            yield position.decode(), {k.decode(): v.decode() for k, v in fields.items()}
        after = f"({found[-1][0].decode()}"


def _messages(kafka: str, topic: str) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        consumer = KafkaConsumer(
            bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest",
            consumer_timeout_ms=4_000, max_partition_fetch_bytes=8 * 1024 * 1024,
        )  # fmt: skip
    try:
        partitions = sorted(consumer.partitions_for_topic(topic) or ())
        consumer.assign([TopicPartition(topic, partition) for partition in partitions])
        yield from consumer
    finally:
        consumer.close()


def _order(position: str) -> tuple[int, int]:
    first, _, second = position.partition("-")
    return int(first), int(second or 0)


def _within(wanted: list[str], found: list[str]) -> bool:
    """Whether `wanted` is what is left of `found` when some of it is struck out."""
    rest = iter(found)
    return all(identity in rest for identity in wanted)
