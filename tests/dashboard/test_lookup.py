"""What is looked up by hand: bounded, literal, complete where it says so."""

from collections.abc import Iterator

import pytest
from redis import Redis

from stream.dashboard.exporting import lines
from stream.dashboard.profile import differences, quotas
from stream.settings import Settings
from stream.store.lookup import Lookup
from stream.store.records import Customer, Segment


@pytest.fixture
def lookup(redis: Redis) -> Iterator[Lookup]:
    port = redis.connection_pool.connection_kwargs["port"]
    with Lookup(Settings(redis=f"redis://127.0.0.1:{port}/0")) as made:
        yield made


def know(redis: Redis, *customers: str) -> None:
    pipe = redis.pipeline(transaction=False)
    for name in customers:
        pipe.hset(f"agos:customer:{name}", mapping={"events": 1})
    pipe.execute()


def test_ids_that_begin_so(redis: Redis, lookup: Lookup):
    know(redis, "ada", "adam", "eve", "Ada")
    found = lookup.begin_with("ad")
    assert found.customers == ("ada", "adam")
    assert found.whole


@pytest.mark.parametrize("odd", ["a*", "a?", "[ab]", "a\\", "*", "a[^b]", "a-b", "é", "a:b"])
def test_an_id_is_no_pattern(redis: Redis, lookup: Lookup, odd: str):
    know(redis, f"{odd}1", "ab1", "axx", "b", "anything")
    assert lookup.begin_with(odd).customers == (f"{odd}1",)


def test_the_search_ends_though_there_are_many(redis: Redis, lookup: Lookup):
    know(redis, *(f"c{number}" for number in range(30_000)))
    some = lookup.begin_with("c", most=20)
    assert len(some.customers) == 20
    assert not some.whole
    none = lookup.begin_with("x", seconds=0.0)
    assert (none.customers, none.whole, none.looked) == ((), False, 1_000)
    assert lookup.begin_with("x", seconds=10.0).whole


def test_every_member_is_exported_once_however_many_entered_at_once(redis: Redis, lookup: Lookup):
    members = {f"c{number}": number // 2_500 for number in range(6_000)}
    redis.zadd("agos:segment:loyal:members", members)
    found = [m for page in lookup.members_by_entry("loyal") for m in page]
    assert len(found) == 6_000
    assert {m.customer_id: m.entered_ms for m in found} == members
    assert [m.entered_ms for m in found] == sorted(members.values())


def test_formulas_are_text_in_the_export(redis: Redis, lookup: Lookup):
    members = {'=HYPERLINK("x")': 1_000, "@b": 2_000, "plain,with comma": 3_000, "a=b": 4_000}
    redis.zadd("agos:segment:loyal:members", members)
    assert "".join(lines(lookup, "loyal")).split("\r\n") == [
        "customer,entered_ms,entered",
        '"\'=HYPERLINK(""x"")",1000,1970-01-01T00:00:01.000+00:00',
        "'@b,2000,1970-01-01T00:00:02.000+00:00",
        '"plain,with comma",3000,1970-01-01T00:00:03.000+00:00',
        "a=b,4000,1970-01-01T00:00:04.000+00:00",
        "",
    ]


def test_samples_are_customers_of_the_segments(redis: Redis, lookup: Lookup):
    know(redis, "ada", "bob", "eve")
    redis.zadd("agos:segment:a:members", {"ada": 1, "bob": 2, "gone": 3})
    found = lookup.sample({"a": 10, "nothing": 5})
    assert {customer.customer_id for customer in found} == {"ada", "bob"}


def test_overlap_of_small_segments_is_exact(redis: Redis, lookup: Lookup):
    redis.zadd("agos:segment:a:members", {"ada": 1, "bob": 2, "eve": 3, "kim": 4})
    redis.zadd("agos:segment:b:members", {"ada": 1})
    assert lookup.shared([("a", "b"), ("b", "a"), ("c", "a")], 100) == {
        ("a", "b"): 0.25,
        ("b", "a"): 1.0,
    }


def test_a_profile_is_means_side_by_side():
    here = [Customer("a", events=10, spend_minor=2_000), Customer("b", events=20)]
    everybody = [*here, Customer("c", events=0), Customer("d", events=2)]
    found = {one.measure: one for one in differences(here, everybody, 0)}
    assert (found["events"].here, found["events"].all) == (15.0, 8.0)
    assert (found["spend"].here, found["spend"].all) == (10.0, 5.0)
    assert found["events"].times == 1.875
    assert found["orders"].times is None
    assert differences([], everybody, 0) == []


def test_all_customers_are_drawn_from_the_clusters_by_their_sizes():
    clusters = [
        Segment("c1", "a", "discovered", size=900),
        Segment("c2", "b", "discovered", size=100),
    ]
    assert quotas([*clusters, Segment("loyal", "c", size=800)], 300) == {"c1": 270, "c2": 30}
