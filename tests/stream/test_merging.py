"""Two states become what one would have been, and hand-overs lose and double nothing."""

import random
from collections.abc import Sequence
from functools import reduce
from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.conditions.keepers import Count, First, Times
from stream.conditions.selection import Selection
from stream.customer import (
    CATEGORIES,
    IDS,
    MAX_TRAITS,
    Link,
    Table,
    is_link,
    stored_forms,
    stored_link,
)
from stream.decoding import CategoryCodes
from stream.errors import InvalidEvent
from stream.extra import Extra
from stream.merging import (
    MAX_HOPS,
    MAX_TAKEN,
    MERGED,
    Kept,
    Request,
    Transfer,
    hand_over,
    merged,
    message_of,
    next_hop,
    packed,
    take_in,
    unlinked,
    wanted,
)
from tests.stream.fake_log import feed
from tests.stream.test_customer import Plain, assert_same, batches, histories

BEGIN_MS = 1_700_000_000_000
History = list[tuple[str, dict[str, Any]]]


def folded(history: History) -> dict[str, bytes]:
    """Stored state of each customer of a history."""
    table, codes = Table(1_000), CategoryCodes()
    for topic, events in batches(history, set()):
        feed(table, topic, events, codes)
    return dict(zip(table.names, table.dump(np.arange(len(table))), strict=True))


def loaded(state: bytes) -> Table:
    table = Table(1)
    table.load(["one"], [state])
    return table


def one_moment_each(history: History) -> History:
    """No two events at the same moment: which of two traits is newer is then no matter of luck."""
    return [(t, {**e, "timestamp": e["timestamp"] + i}) for i, (t, e) in enumerate(history)]


def made(extra: Extra | None = None, ids: Sequence[int] = (), **fields: Any) -> bytes:
    table = Table(1)
    table.load(["one"], [None])
    for name, value in fields.items():
        table.rows[name][0] = value
    table.rows["ids"][0, : len(ids)] = ids
    table.rows["id_slot"][0] = len(ids) % IDS
    return stored_forms(table.rows[:1], [extra])[0]


@settings(deadline=None, max_examples=50)
@given(histories().map(one_moment_each), st.randoms(use_true_random=False))
def test_merged_states_are_those_of_one_customer_with_all_events(
    history: History, dice: random.Random
) -> None:
    states = list(folded(history).values())
    dice.shuffle(states)
    plain = Plain()
    for topic, event in history:
        # Ids are unique per customer: what is repeated is so under its own customer.
        plain.add(topic, event)
    together = reduce(lambda one, other: merged(one, other, {}), states)
    assert_same(loaded(together), {"one": plain})


def same(one: bytes, other: bytes) -> None:
    """The parts that come out the same in any order."""
    a, b = loaded(one), loaded(other)
    exact = ["events", "orders", "spend_minor", "first_seen_ms", "last_seen_ms", "version"]
    for name in [*exact, "first_order_ms", "last_order_ms"]:
        assert a.rows[name][0] == b.rows[name][0], name
    assert a.rows["counters"][0] == pytest.approx(b.rows["counters"][0], rel=1e-4, abs=1e-3)
    known = [extra.traits if (extra := t.extra.get(0)) else {} for t in (a, b)]
    assert known[0] == known[1]


@settings(deadline=None, max_examples=30)
@given(histories())
def test_the_order_of_merging_does_not_matter(history: History) -> None:
    states = list(folded(history).values())
    every = [reduce(lambda a, b: merged(a, b, {}), p) for p in permutations(states)]
    if len(states) == 3:
        a, b, c = states
        every.append(merged(a, merged(b, c, {}), {}))
    for other in every[1:]:
        same(every[0], other)


def test_the_newest_ids_of_both_are_recognised() -> None:
    mine, theirs = list(range(1, 49)), list(range(101, 149))
    ring = loaded(merged(made(ids=mine), made(ids=theirs), {})).rows["ids"][0].tolist()
    assert sorted(ring) == [*range(25, 49), *range(125, 149)]
    few = loaded(merged(made(ids=mine), made(ids=[7, 101]), {})).rows
    assert sorted(few["ids"][0].tolist()) == sorted([*range(2, 49), 101])
    two = loaded(merged(made(ids=[1]), made(ids=[2]), {})).rows
    assert sorted(two["ids"][0].tolist())[-3:] == [0, 1, 2]
    assert two["id_slot"][0] == 2


def test_what_is_bounded_keeps_the_heaviest_and_the_newest() -> None:
    row = {"weights": [6, 5, 4, 3, 2, 1], "last_seen_ms": BEGIN_MS}
    one = made(categories=[1, 2, 3, 4, 5, 6], **row)
    two = made(categories=[7, 8, 9, 4, 5, 6], **row)
    found = loaded(merged(one, two, {})).rows[0]
    assert len(found["categories"]) == CATEGORIES
    # Of both 4: 3 + 3, 5: 2 + 2, 6: 1 + 1; where weights are the same the smaller code is kept.
    assert dict(zip(found["categories"].tolist(), found["weights"].tolist(), strict=True)) == {
        1: 6, 4: 6, 7: 6, 2: 5, 8: 5, 3: 4,
    }  # fmt: skip
    old = Extra({f"o{i}": (i, i) for i in range(MAX_TRAITS)})
    new = Extra({f"n{i}": (i, 1_000 + i) for i in range(10)})
    traits = loaded(merged(made(old), made(new), {})).extra[0].traits
    assert list(traits)[:1] == ["o10"]
    assert len(traits) == MAX_TRAITS
    assert "n9" in traits


def test_a_fact_of_the_same_moment_is_the_same_whoever_comes_first() -> None:
    one, two = made(Extra({"a": ("x", 5)})), made(Extra({"a": ("y", 5)}))
    there, back = merged(one, two, {}), merged(two, one, {})
    assert loaded(there).extra[0].traits == loaded(back).extra[0].traits


def test_traits_keep_their_moments_whoever_was_seen_first() -> None:
    one = made(Extra({"a": ("x", BEGIN_MS - 5)}), first_seen_ms=BEGIN_MS, last_seen_ms=BEGIN_MS)
    two = made(Extra({"b": ("y", BEGIN_MS + 7)}), first_seen_ms=1_000, last_seen_ms=BEGIN_MS)
    known = {"a": ("x", BEGIN_MS - 5), "b": ("y", BEGIN_MS + 7)}
    for together in (merged(one, two, {}), merged(two, one, {})):
        found = loaded(together)
        assert found.rows["first_seen_ms"][0] == 1_000
        assert found.extra[0].traits == known
    assert loaded(merged(None, one, {})).extra[0].traits == {"a": known["a"]}


def test_cluster_and_memberships_are_the_known_ones() -> None:
    known = made(Extra(memberships={"loyal": 1}, due_ms=9), cluster=3, cluster_since_ms=7)
    other = made(Extra(memberships={"lost": 2}), cluster=4, cluster_since_ms=8)
    table = loaded(merged(known, other, {}))
    assert (table.rows["cluster"][0], table.rows["cluster_since_ms"][0]) == (3, 7)
    assert table.extra[0].memberships == {"loyal": 1}
    assert loaded(merged(None, other, {})).extra[0].memberships == {}


VIEWED = Selection(("Product Viewed",))
TIMES, COUNT, FIRST = Times(VIEWED, 3), Count(VIEWED), First(VIEWED)
KEEPERS = {keeper.key: keeper for keeper in (TIMES, COUNT, FIRST)}


def remembering(times: list[int], tag: str = "t", **more: Any) -> bytes:
    states = {TIMES.key: times[-3:], COUNT.key: [len(times), times[-1]], FIRST.key: times[0]}
    memory = {"v": tag, "s": states, "d": {"0": 5}, "t": [COUNT.key], **more}
    return made(Extra(memory=memory))


def test_conditions_remember_the_events_of_both() -> None:
    memory = loaded(merged(remembering([1, 5, 9]), remembering([2, 8]), KEEPERS)).extra[0].memory
    states = {TIMES.key: [5, 8, 9], COUNT.key: [5, 9], FIRST.key: 1}
    # Looked at as a whole next time; nothing is due before.
    assert memory == {"v": "t", "s": states, "n": 2}


def test_what_one_of_both_does_not_know_is_said_to_be_lost() -> None:
    lacking = remembering([2], l={COUNT.key: [3, 4]}, x=[FIRST.key])
    memory = loaded(merged(remembering([1]), lacking, KEEPERS)).extra[0].memory
    assert memory["x"] == sorted([COUNT.key, FIRST.key])
    assert "l" not in memory
    other = made(Extra(memory={"v": "older", "s": {COUNT.key: [1, 7]}}))
    memory = loaded(merged(remembering([1]), other, KEEPERS)).extra[0].memory
    assert memory["x"] == sorted([TIMES.key, FIRST.key])
    assert memory["s"][COUNT.key] == [2, 7]


def profile(**fields: Any) -> Any:
    names = ("previous_id", "anonymous_id", "merge_into", "merged_state", "via")
    return SimpleNamespace(customer_id="ada", event_id="e", **(dict.fromkeys(names) | fields))


def test_who_asks_for_a_merge() -> None:
    assert wanted("ada", profile(anonymous_id="anon")) == [Request("anon", "ada")]
    assert wanted("ada", profile(previous_id="old", anonymous_id="anon")) == [
        Request("old", "ada"),
        Request("anon", "ada"),
    ]
    for nobody in ("ada", "", None, 7, "x" * 257):
        assert wanted("ada", profile(previous_id=nobody, anonymous_id=nobody)) == []


def test_messages_are_told_from_events() -> None:
    state = made(Extra({"a": ("x", 5)}, taken=((5, MERGED),)), events=3)
    assert message_of(profile(anonymous_id="anon", via="email")) is None
    assert message_of(profile(merge_into="bob", via=["x"])) == Request("ada", "bob", ("x",))
    sent = message_of(profile(merged_state=packed(state), via=["anon"]))
    assert isinstance(sent, Transfer)
    assert (sent.target, sent.state, sent.taken) == ("ada", state, ((5, MERGED),))
    assert (sent.path, sent.event_id) == (("anon",), "e")


@pytest.mark.parametrize(
    "fields",
    [
        {"merge_into": 7},
        {"merge_into": ""},
        {"merge_into": "bob", "via": "anon"},
        {"merged_state": packed(b"\x01\x00\x01")},
        {"merged_state": "%", "via": ["anon"]},
        {"merged_state": 5, "via": ["anon"]},
        {"merged_state": packed(b""), "via": ["anon"]},
        {"merged_state": packed(b"\x01\x00\x07"), "via": ["anon"]},
        {"merged_state": packed(b"\xff\xff" + bytes(2000)), "via": ["anon"]},
        {"merged_state": packed(b"\x01\x00\x01\x93"), "via": ["anon"]},
        {"merged_state": packed(stored_link(Link("bob"))), "via": ["anon"]},
        {"merged_state": packed(made()[:-1]), "via": ["anon"]},
        {"merged_state": packed(made(Extra({"a": ("x", -1)}))), "via": ["anon"]},
        {"merged_state": "eJwDAAAAAAE=", "via": [7]},
    ],
)
def test_a_message_that_no_worker_wrote_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvent) as refused:
        message_of(profile(**fields))
    assert refused.value.reason == "broken-merge"


@given(st.binary(max_size=300))
def test_whatever_is_said_to_be_a_state_is_read_or_refused(state: bytes) -> None:
    try:
        message_of(profile(merged_state=packed(state), via=["anon"]))
    except InvalidEvent as error:
        assert error.reason == "broken-merge"


def test_a_link_is_no_state() -> None:
    before = Kept(made(ids=[3, 4], events=3, version=8), ((5, MERGED),))
    kept, sent = hand_over(before, Request("anon", "ada"), 77)
    assert isinstance(sent, Transfer)
    assert (sent.target, sent.transfer_id, sent.path) == ("ada", 77, ("anon",))
    assert kept.link == Link("ada", 8, (3, 4), ((5, MERGED),))
    stored = stored_link(kept.link)
    assert is_link(stored)
    assert not is_link(made())
    table = loaded(stored)
    assert table.links == {"one": kept.link}
    assert table.rows["events"][0] == 0
    row = loaded(unlinked(kept).stored or b"").rows[0]
    assert (row["version"], row["id_slot"], row["ids"].tolist()[:3]) == (8, 2, [3, 4, 0])


def test_the_first_link_stays() -> None:
    linked, _ = hand_over(Kept(), Request("anon", "ada"), 1)
    assert hand_over(linked, Request("anon", "ada"), 2) == (linked, None)
    assert hand_over(linked, Request("anon", "bob"), 2) == (
        linked,
        Request("ada", "bob", ("anon",)),
    )
    assert hand_over(linked, Request("anon", "bob", ("ada",)), 2) == (linked, None)


def test_a_transfer_counts_once() -> None:
    transfer = Transfer("ada", 7, made(events=2), ((5, MERGED),), ("anon",))
    once, on = take_in(Kept(made(events=1)), transfer, {})
    assert on is None
    assert once.taken == ((5, MERGED), (7, MERGED))
    assert loaded(once.stored or b"").rows["events"][0] == 3
    assert take_in(once, transfer, {}) == (once, None)
    for number in range(100, 100 + MAX_TAKEN):
        once, _ = take_in(once, Transfer("ada", number, made(), (), ("x",)), {})
    assert once.taken == tuple((n, MERGED) for n in range(100, 100 + MAX_TAKEN))


def test_a_way_ends_somewhere() -> None:
    linked, _ = hand_over(Kept(), Request("b", "c"), 1)
    assert next_hop("b", linked, ("a",)) == "c"
    assert next_hop("b", linked, ("b", "c")) is None
    assert next_hop("b", linked, ("x", "a", "b", "c")) is None
    assert next_hop("b", linked, ("b", "a")) == "c"
    assert next_hop("b", linked, ["x"] * MAX_HOPS) is None
    assert next_hop("b", Kept(), ()) is None


IDS_OF_SIX = "abcdef"
merges = st.lists(
    st.tuples(st.sampled_from(IDS_OF_SIX), st.sampled_from(IDS_OF_SIX)).filter(
        lambda pair: pair[0] != pair[1]
    ),
    max_size=12,
)


class Network:
    """Owners of ids and messages between them: any order, some of them twice."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.kept = {name: Kept() for name in IDS_OF_SIX}
        self.under_way: list[tuple[Any, ...]] = []
        self.events = self.spend = self.made = 0

    def event(self, name: str) -> None:
        amount = self.dice.randrange(1, 1_000)
        self.events, self.spend = self.events + 1, self.spend + amount
        self.under_way.append(("event", name, amount, ()))

    def ask(self, source: str, target: str) -> None:
        self.under_way.append(("request", Request(source, target)))

    def step(self) -> None:
        """One message arrives, or arrives for the first of two times."""
        place = self.dice.randrange(len(self.under_way))
        what, *rest = self.under_way[place]
        # An event is recognised by its id, which is not what is tested here.
        if what == "event" or self.dice.random() < 0.8:
            del self.under_way[place]
        getattr(self, f"_{what}")(*rest)

    def _event(self, name: str, amount: int, path: tuple[str, ...]) -> None:
        kept = self.kept[name]
        goes_to = next_hop(name, kept, path)
        if goes_to is not None:
            self.under_way.append(("event", goes_to, amount, (*path, name)))
            return
        kept = unlinked(kept)
        table = Table(1)
        table.load([name], [kept.stored])
        for field, more in {"events": 1, "spend_minor": amount, "version": 1}.items():
            table.rows[field][0] += more
        self.kept[name] = Kept(table.dump(np.array([0]))[0], kept.taken)

    def _request(self, request: Request) -> None:
        self.made += 1
        kept, sent = hand_over(self.kept[request.source], request, self.made)
        if isinstance(sent, Transfer):
            self.under_way.append(("transfer", sent))
        elif sent is not None:
            self.under_way.append(("request", sent))
        self.kept[request.source] = kept

    def _transfer(self, transfer: Transfer) -> None:
        kept, on = take_in(self.kept[transfer.target], transfer, {})
        self.kept[transfer.target] = kept
        if on is not None:
            self.under_way.append(("transfer", on))

    def customers(self) -> dict[str, tuple[int, int]]:
        """Events and spend of every id that is a customer with events."""
        found = {}
        for name, kept in self.kept.items():
            if kept.stored is not None and kept.link is None:
                row = loaded(kept.stored).rows[0]
                if row["events"]:
                    found[name] = (int(row["events"]), int(row["spend_minor"]))
        return found


def settle(wishes: list[tuple[str, str]], dice: random.Random) -> Network:
    network = Network(dice)
    todo: list[tuple[str, ...]] = [*wishes, *((dice.choice(IDS_OF_SIX),) for _ in range(20))]
    dice.shuffle(todo)
    steps = 0
    while todo or network.under_way:
        if todo and (not network.under_way or dice.random() < 0.3):
            wish = todo.pop()
            network.event(*wish) if len(wish) == 1 else network.ask(*wish)
        else:
            network.step()
        steps += 1
        assert steps < 20_000, "messages go round for ever"
    return network


@settings(deadline=None, max_examples=200)
@given(merges, st.randoms(use_true_random=False))
def test_totals_are_exact_whatever_is_merged_with_whatever(
    wishes: list[tuple[str, str]], dice: random.Random
) -> None:
    network = settle(wishes, dice)
    found = network.customers().values()
    assert sum(events for events, _ in found) == network.events
    assert sum(spend for _, spend in found) == network.spend


@settings(deadline=None, max_examples=100)
@given(st.permutations(IDS_OF_SIX), st.randoms(use_true_random=False))
def test_a_tree_of_merges_ends_in_one_customer(order: Sequence[str], dice: random.Random) -> None:
    wishes = [(order[i], order[dice.randrange(i)]) for i in range(1, len(order))]
    network = settle(wishes, dice)
    assert network.customers() == {order[0]: (network.events, network.spend)}
