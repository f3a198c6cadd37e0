"""Definitions as a caller uses them: changed while running, backfilled, asked why."""

import copy
from typing import Any

import msgspec
import pytest

from stream.conditions import Changed, Definitions, Happening, Verdict, parse, unknown_past
from tests.stream.conditions.customers import StoredFacts

HOUR = 3_600_000
DAY = 24 * HOUR
#: 2026-11-21 00:00:00 UTC
NOON = 1_795_219_200_000 + 12 * HOUR


def defined(**whens: str) -> Definitions:
    lines = [f"  {name}: {{when: {when}}}" for name, when in whens.items()]
    return parse("version: 1\nsegments:\n" + "\n".join(lines), "test.yaml")


def test_sentences_name_the_moment_of_a_short_window() -> None:
    definitions = defined(a="{did: Order Completed, within: 1h}")
    memory: dict[str, Any] = {}
    definitions.observe(memory, "Order Completed", NOON, {}, 100)
    verdict = definitions.evaluate(memory, StoredFacts(), NOON, {})
    assert verdict.changes[0].reason == (
        "Order Completed 1 time within 1 hour; the last at 2026-11-21 12:00:00 UTC"
    )


def orders(definitions: Definitions, *days: int) -> dict[str, Any]:
    memory: dict[str, Any] = {}
    for day in days:
        definitions.observe(memory, "Order Completed", NOON + day * DAY, {}, 2_000)
    return memory


def test_entry_tells_cause_reason_and_end() -> None:
    definitions = defined(loyal="{did: Order Completed, at_least: 3, within: 90d}")
    memory = orders(definitions, -20, -10)
    facts = StoredFacts()
    first = definitions.evaluate(memory, facts, NOON - DAY, {})
    assert first == Verdict((), {}, None)
    definitions.observe(memory, "Order Completed", NOON, {}, 2_000)
    verdict = definitions.evaluate(memory, facts, NOON, first.memberships, Changed.ORDERS)
    (change,) = verdict.changes
    assert (change.segment, change.change, change.at_ms, change.cause) == (
        "loyal",
        "entered",
        NOON,
        "event",
    )
    assert change.reason == "Order Completed 3 times within 90 days; the third on 2026-11-21"
    assert change.due_ms == verdict.due_ms == NOON + 70 * DAY


def test_a_late_timer_does_not_move_the_moment_of_the_exit() -> None:
    definitions = defined(hot="{did: Product Added, within: 3s}")
    memory: dict[str, Any] = {}
    definitions.observe(memory, "Product Added", NOON, {})
    entered = definitions.evaluate(memory, StoredFacts(), NOON, {})
    left = definitions.evaluate(
        memory, StoredFacts(), NOON + 3_700, entered.memberships, Changed.NOTHING
    )
    assert [(c.change, c.at_ms, c.cause) for c in left.changes] == [("left", NOON + 3_000, "time")]
    assert left.due_ms is None


def test_an_event_that_no_condition_names_changes_nothing() -> None:
    definitions = defined(hot="{did: Product Added, within: 3s}")
    memory: dict[str, Any] = {}
    definitions.evaluate(memory, StoredFacts(), NOON, {})
    before = copy.deepcopy(memory)
    assert definitions.observe(memory, "Video Played", NOON, {}) is False
    assert memory == before
    assert definitions.events == {"Product Added"}
    assert defined(a='{did: "*"}').observe({}, "Video Played", NOON, {}) is True


def test_why_tells_what_holds_and_what_is_missing() -> None:
    definitions = defined(
        champion=(
            "{all: [{did: Order Completed, at_least: 3, within: 90d},"
            " {trait: country, is: PH}, {affinity: shoes, at_least: 0.4}]}"
        )
    )
    memory = orders(definitions, -1, 0)
    facts = StoredFacts(traits={"country": "PH"}, weights={"shoes": 0.25})
    assert definitions.why(memory, facts, NOON, "champion", {}) == (
        'not in "Champion": Order Completed 2 times within 90 days; the second on 2026-11-21, '
        'wanted: at least 3 times; affinity to "shoes" is 0.25, wanted: at least 0.4'
    )
    definitions.observe(memory, "Order Completed", NOON, {}, 100)
    facts.weights = {"shoes": 0.5}
    members = definitions.evaluate(memory, facts, NOON, {}).memberships
    assert definitions.why(memory, facts, NOON, "champion", members) == (
        'in "Champion": Order Completed 3 times within 90 days; the third on 2026-11-21; '
        'country is "PH"; affinity to "shoes" is 0.50'
    )


def test_names_and_descriptions_do_not_change_the_version_but_meaning_does() -> None:
    text = "version: 1\nsegments:\n  a: {%s when: {did: A, at_least: %d}}"
    versions = {
        parse(text % (field, count), "f").version
        for field, count in [("", 2), ("name: Other,", 2), ("", 3), ("shadow: true,", 2)]
    }
    assert len(versions) == 3
    assert (
        defined(a="{did: A}", b="{did: B}").version == defined(b="{did: B}", a="{did: A}").version
    )


LOYAL = "{did: Order Completed, at_least: 2, within: 90d}"
FAN = "{did: Product Viewed, at_least: 2}"


def test_state_survives_edits_of_other_segments_and_goes_with_its_last_condition() -> None:
    old = defined(loyal=LOYAL, fan=FAN)
    memory = orders(old, -2, -1)
    old.observe(memory, "Product Viewed", NOON, {})
    members = old.evaluate(memory, StoredFacts(), NOON, {}).memberships
    assert set(members) == {"loyal"}
    new = defined(loyal=LOYAL, young="{trait: age, at_most: 30}").after(old)
    verdict = new.evaluate(memory, StoredFacts(traits={"age": 20}), NOON, members, 0)
    assert [(c.segment, c.change, c.cause) for c in verdict.changes] == [
        ("young", "entered", "definition")
    ]
    assert memory["s"].keys() == new.conditions_needed
    assert new.missing(memory) == frozenset()


def test_members_of_a_segment_that_is_gone_leave() -> None:
    old = defined(loyal=LOYAL, fan="{did: Order Completed}")
    memory = orders(old, -2, -1)
    members = old.evaluate(memory, StoredFacts(), NOON, {}).memberships
    verdict = (
        defined(fan="{did: Order Completed}")
        .after(old)
        .evaluate(memory, StoredFacts(), NOON, members)
    )
    assert [(c.segment, c.change, c.cause) for c in verdict.changes] == [
        ("loyal", "left", "definition")
    ]
    assert set(verdict.memberships) == {"fan"}


def test_a_tightened_condition_lets_members_out() -> None:
    old = defined(loyal="{did: Order Completed, at_least: 2}")
    memory = orders(old, -2, -1)
    members = old.evaluate(memory, StoredFacts(), NOON, {}).memberships
    new = defined(loyal="{did: Order Completed, at_least: 3}").after(old)
    assert new.missing(memory) == frozenset()
    verdict = new.evaluate(memory, StoredFacts(), NOON, members)
    assert [(c.change, c.cause) for c in verdict.changes] == [("left", "definition")]


def test_what_a_new_condition_lacks_is_known_and_filled_in_later() -> None:
    old = defined(loyal=LOYAL)
    memory = orders(old, -2)
    old.evaluate(memory, StoredFacts(), NOON, {})
    new = defined(loyal=LOYAL, fan=FAN).after(old)
    new.adopt(memory, (1, 1))
    new.observe(memory, "Product Viewed", NOON, {})
    verdict = new.evaluate(memory, StoredFacts(), NOON, {})
    assert verdict.changes == ()
    assert new.incomplete(memory) == {"fan"}
    # The replay of everything before the new definitions were taken up.
    earlier: dict[str, Any] = orders(new, -2)
    new.observe(earlier, "Product Viewed", NOON - 40 * DAY, {})
    memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory))
    new.complete(memory, earlier["s"], new.lacking(memory, (1, 1)))
    assert new.missing(memory) == frozenset()
    verdict = new.evaluate(memory, StoredFacts(), NOON + 1, verdict.memberships, 0)
    (change,) = verdict.changes
    assert (change.segment, change.change, change.cause) == ("fan", "entered", "definition")


def test_without_knowing_the_older_definitions_absent_states_count_as_missing() -> None:
    old = defined(loyal=LOYAL, fan=FAN)
    memory = orders(old, -2)
    new = defined(loyal=LOYAL, fan=FAN, other="{did: Search}")
    assert new.incomplete(memory) == {"fan", "other"}
    assert new.after(old).incomplete(orders(old, -2)) == {"other"}


def test_a_new_customer_lacks_nothing() -> None:
    definitions = defined(loyal=LOYAL, fan=FAN)
    assert definitions.missing(orders(definitions, 0)) == frozenset()
    assert definitions.missing(unknown_past()) == definitions.conditions_needed


def test_stay_at_least_keeps_until_the_moment_and_says_so() -> None:
    text = "version: 1\nsegments:\n  a: {when: {did: A, within: 1h}, stay_at_least: 1d}"
    definitions = parse(text, "f")
    memory: dict[str, Any] = {}
    definitions.observe(memory, "A", NOON, {})
    entered = definitions.evaluate(memory, StoredFacts(), NOON, {})
    assert entered.changes[0].due_ms == entered.due_ms == NOON + DAY
    kept = definitions.evaluate(memory, StoredFacts(), NOON + 2 * HOUR, entered.memberships)
    assert kept.changes == ()
    assert definitions.why(memory, StoredFacts(), NOON + 2 * HOUR, "a", kept.memberships) == (
        'kept in "A" until 2026-11-22 12:00:00 UTC (stay_at_least): '
        "no A within 1 hour (the last at 2026-11-21 12:00:00 UTC)"
    )
    left = definitions.evaluate(memory, StoredFacts(), NOON + DAY, kept.memberships)
    assert [(c.change, c.at_ms) for c in left.changes] == [("left", NOON + DAY)]


def test_measures_gives_the_values_that_percentiles_rank() -> None:
    definitions = defined(
        a="{measure: spend, within: 30d, percentile_at_least: 90}",
        b="{measure: orders, percentile_at_least: 90}",
    )
    memory = orders(definitions, -40, -2, -1)
    definitions.observe(memory, "Order Refunded", NOON, {}, -550)
    facts = StoredFacts(orders=3)
    assert definitions.measures(memory, facts, NOON) == {
        ("spend", 30 * DAY): 34.5,
        ("orders", None): 3.0,
    }
    assert definitions.measures({}, StoredFacts(), NOON) == {}


def test_a_percentile_that_others_move_is_found_when_it_is_asked_for() -> None:
    definitions = defined(a="{measure: orders, percentile_at_least: 90}")
    facts = StoredFacts(orders=3)
    memory: dict[str, Any] = {}
    assert definitions.evaluate(memory, facts, NOON, {}) == Verdict((), {}, None)
    facts.percentiles.function = lambda measure, within, value: 95.0  # type: ignore[attr-defined]
    verdict = definitions.evaluate(memory, facts, NOON + 1, {}, Changed.ACTIVITY)
    assert not verdict.changes
    verdict = definitions.evaluate(memory, facts, NOON + 2, {}, Changed.RANKS)
    (entry,) = verdict.changes
    assert (entry.change, entry.at_ms, entry.cause, entry.due_ms) == (
        "entered", NOON + 2, "time", None,
    )  # fmt: skip
    facts.percentiles.function = lambda measure, within, value: 89.0  # type: ignore[attr-defined]
    verdict = definitions.evaluate(memory, facts, NOON + 3, verdict.memberships, Changed.RANKS)
    assert [(c.change, c.cause) for c in verdict.changes] == [("left", "time")]


@pytest.mark.parametrize("when", ["{cluster: cluster-3}", "{cluster: '3'}", "{cluster: [3, 5]}"])
def test_a_cluster_is_named_by_its_segment_or_its_number(when: str) -> None:
    definitions = defined(a=when)
    for cluster, expected in (("cluster-3", {"a"}), ("cluster-33", set()), (None, set())):
        facts = StoredFacts(cluster=cluster)
        assert set(definitions.evaluate({}, facts, NOON, {}).memberships) == expected


@pytest.mark.parametrize(
    ("when", "inside", "outside"),
    [
        ("{where: {category: shoes}, did: A}", {"category": "shoes"}, {"category": "Shoes"}),
        ("{where: {category: shoes}, did: A}", {"category": ["hats", "shoes"]}, {}),
        ("{where: {n: 1}, did: A}", {"n": 1.0}, {"n": True}),
        ("{where: {n: true}, did: A}", {"n": True}, {"n": 1}),
        ("{where: {n: '1'}, did: A}", {"n": "1"}, {"n": 1}),
        ("{where: {country: NO}, did: A}", {"country": "NO"}, {"country": False}),
        ("{where: {a.b: x}, did: A}", {"a": {"b": "x"}}, {"a": "x"}),
        ("{where: {n: {at_least: 0.3}}, did: A}", {"n": 0.3}, {"n": "0.3"}),
        ("{where: {n: {not_in: [1, 2]}}, did: A}", {}, {"n": 2}),
        ("{where: {t: {matches: '^a+$'}}, did: A}", {"t": "aa"}, {"t": "aab"}),
        ("{where: {t: {contains: b}}, did: A}", {"t": "abc"}, {"t": ["abc"]}),
        ("{where: {t: {contains: b}}, did: A}", {"t": ["a", "b"]}, {"t": {"b": 1}}),
        ("{where: {t: x, u: y}, did: A}", {"t": "x", "u": "y"}, {"t": "x", "u": "z"}),
        ("{where: {t: {in: [x, y]}}, did: A}", {"t": "y"}, {"t": ["z"]}),
    ],
)
def test_where(when: str, inside: dict[str, Any], outside: dict[str, Any]) -> None:
    definitions = defined(a=when)
    for properties, expected in ((inside, {"a"}), (outside, set())):
        memory: dict[str, Any] = {}
        assert definitions.observe(memory, "A", NOON, properties) is bool(expected)
        assert set(definitions.evaluate(memory, StoredFacts(), NOON, {}).memberships) == expected


def test_a_pattern_that_would_backtrack_for_ever_does_not() -> None:
    definitions = defined(a="{did: A, where: {t: {matches: '^(a+)+$'}}}")
    assert definitions.observe({}, "A", NOON, {"t": "a" * 1_000 + "b"}) is False


def test_what_is_lacking_since_several_files_is_known_apart() -> None:
    first = defined(loyal=LOYAL)
    memory = orders(first, -9)
    second = defined(loyal=LOYAL, fan=FAN).after(first)
    second.adopt(memory, (5, 1))
    second.observe(memory, "Product Viewed", NOON - 2 * DAY, {})
    third = defined(loyal=LOYAL, fan=FAN, seeker="{did: Search}").after(second)
    assert second.lacking(memory, (9, 9)).keys() < third.lacking(memory, (7, 2)).keys()
    third.adopt(memory, (7, 2))
    lacking = third.lacking(memory, (9, 9))
    assert sorted(lacking.values()) == [(5, 1), (7, 2)]
    fan, seeker = sorted(lacking, key=lambda key: lacking[key])
    earlier: dict[str, Any] = {}
    view = Happening("Product Viewed", NOON - 3 * DAY, {}, None)
    assert third.listening([fan]).fold(earlier, view) == [fan]
    assert third.listening([seeker]).fold({}, view) == []
    assert third.complete(memory, earlier, [fan])
    assert third.incomplete(memory) == {"seeker"}
    assert third.evaluate(memory, StoredFacts(), NOON, {}).memberships.keys() == {"fan"}
    assert not third.complete(memory, earlier, [fan])
    assert third.complete(memory, {}, [seeker])
    assert third.incomplete(memory) == frozenset()
    assert "seeker" not in third.evaluate(memory, StoredFacts(), NOON, {}).memberships


def test_what_the_log_has_lost_is_filled_in_and_stays_incomplete() -> None:
    definitions = defined(fan=FAN)
    memory = unknown_past()
    definitions.adopt(memory, (3, 3))
    (key,) = definitions.conditions_needed
    times = [2, NOON - DAY]
    assert definitions.complete(memory, {key: times}, [key], lost=[key])
    assert definitions.evaluate(memory, StoredFacts(), NOON, {}).memberships.keys() == {"fan"}
    assert definitions.incomplete(memory) == {"fan"}
    assert not definitions.complete(memory, {key: times}, [key])
    other = defined(loyal=LOYAL).after(definitions)
    other.adopt(memory, (4, 4))
    assert "x" not in memory


@pytest.mark.parametrize("named", [["k"], {"k": "version"}])
def test_what_older_memories_lack_is_kept_and_never_filled(named: Any) -> None:
    definitions = defined(fan=FAN)
    memory = unknown_past()
    definitions.adopt(memory, (3, 3))
    (key,) = definitions.conditions_needed
    memory["l"] = [key] if isinstance(named, list) else {key: "version"}
    assert definitions.incomplete(memory) == {"fan"}
    assert not definitions.complete(memory, {key: [NOON]}, [key])
    assert definitions.incomplete(memory) == {"fan"}


def test_looking_at_what_is_missing_leaves_the_memory_alone() -> None:
    definitions = defined(fan=FAN)
    memory = unknown_past()
    assert definitions.missing(memory) == definitions.conditions_needed
    assert definitions.measures(memory, StoredFacts(), NOON) == {}
    assert memory == unknown_past()


def test_what_the_past_could_prove_wrong_waits_until_it_is_known() -> None:
    old = defined(fan=FAN, guest="{did_not: Order Completed}")
    memory = orders(old, -2)
    old.observe(memory, "Product Viewed", NOON - DAY, {})
    old.observe(memory, "Product Viewed", NOON - DAY + 1, {})
    members = old.evaluate(memory, StoredFacts(), NOON - DAY + 1, {}).memberships
    assert set(members) == {"fan"}
    new = defined(
        fan="{did: Product Viewed, where: {category: shoes}, at_least: 2}",
        quiet="{did_not: Search, within: 30d}",
        seeker="{did: Search}",
        both="{all: [{in: quiet}, {did: Order Completed}]}",
    ).after(old)
    new.adopt(memory, (4, 4))
    verdict = new.evaluate(memory, StoredFacts(), NOON, members)
    # No search is known, and no view of shoes: neither proves anything yet.
    assert (set(verdict.memberships), verdict.changes) == ({"fan"}, ())
    later = NOON + 40 * DAY
    verdict = new.evaluate(memory, StoredFacts(), later, verdict.memberships)
    assert (set(verdict.memberships), verdict.changes) == ({"fan"}, ())
    # One search is enough, whatever was before.
    new.observe(memory, "Search", later, {})
    verdict = new.evaluate(memory, StoredFacts(), later, verdict.memberships)
    assert [(c.segment, c.change) for c in verdict.changes] == [("seeker", "entered")]
    assert new.complete(memory, {}, new.lacking(memory, (0,)))
    verdict = new.evaluate(memory, StoredFacts(), later + 31 * DAY, verdict.memberships)
    assert [(c.segment, c.change, c.cause) for c in verdict.changes] == [
        ("fan", "left", "definition"),
        ("quiet", "entered", "definition"),
        ("both", "entered", "definition"),
    ]


def test_why_says_that_not_everything_is_known() -> None:
    definitions = defined(fan=FAN, young="{trait: age, at_most: 30}")
    unknown = "(not all of the past that it asks about is known)"
    memory = unknown_past()
    assert definitions.why(memory, StoredFacts(), NOON, "fan", {}).endswith(unknown)
    assert unknown not in definitions.why(memory, StoredFacts(), NOON, "young", {})
    memory = orders(definitions, -1)
    assert unknown not in definitions.why(memory, StoredFacts(), NOON, "fan", {})
