"""A preview says what the workers would do, and changes nothing."""

import json

from stream.conditions import Definitions, parse
from stream.preview import Outlook, Pairs, Preview, Sample
from tests.stream.stored import DAY, NOON, Person, recalled

OLD = """
version: 1
segments:
  loyal: {when: {did: Order Completed, at_least: 2, within: 90d}}
  young: {when: {trait: age, less_than: 30}}
  gone: {when: {did: Order Completed}}
"""
NEW = """
version: 1
segments:
  loyal: {when: {did: Order Completed, at_least: 2, within: 30d}}
  young: {when: {trait: age, less_than: 30}}
  shoes: {when: {did: Product Viewed, where: {category: shoes}, within: 7d}}
  both: {when: {all: [{in: loyal}, {in: young}]}}
  either: {when: {any: [{in: shoes}, {in: young}]}, shadow: true}
"""
SHOES = {"category": "shoes"}
PEOPLE = {
    "ann": Person(orders=[(50, 100), (5, 100)], traits={"age": 20}),
    "bob": Person(orders=[(8, 100), (5, 100)], traits={"age": 25}, cluster=3),
    "cyd": Person(orders=[(8, 100)], views=[(1, SHOES)], traits={"age": 40}, cluster=3),
    "dan": Person(views=[(1, SHOES)]),
}


def outlooks(
    old: Definitions | None, new: str = NEW, people: dict[str, Person] = PEOPLE
) -> dict[str, Outlook]:
    preview = Preview(parse(new, "new.yaml"), old)
    stored = recalled(people, old)
    preview.rank(stored, NOON)
    # In two batches: what is counted does not depend on where one ends.
    preview.add(stored[:1], NOON)
    preview.add(stored[1:], NOON)
    assert preview.customers == len(people)
    return {outlook.id: outlook for outlook in preview.outlooks()}


def test_sizes_entries_and_exits_against_the_running_version():
    found = outlooks(parse(OLD, "old.yaml"))
    rows = {
        name: (o.fate, o.count.before, o.count.after, o.count.enter, o.count.leave)
        for name, o in found.items()
    }
    assert rows == {
        "loyal": ("changed", 2, 1, 0, 1),
        "young": ("same", 2, 2, 0, 0),
        # Nobody counted views until now.
        "shoes": ("new", 0, 0, 0, 0),
        "both": ("new", 0, 1, 1, 0),
        "either": ("new", 0, 2, 2, 0),
        "gone": ("removed", 3, 0, 0, 3),
    }
    assert [name for name, o in found.items() if o.shadow] == ["either"]


def test_what_a_new_condition_cannot_know_is_said_also_through_other_segments():
    found = outlooks(parse(OLD, "old.yaml"))
    assert {name: o.count.incomplete for name, o in found.items()} == {
        "loyal": 0, "young": 0, "shoes": 4, "both": 0, "either": 4, "gone": 0,
    }  # fmt: skip
    lacks = ('Product Viewed (category is "shoes")',)
    assert {name: o.lacks for name, o in found.items() if o.lacks} == {
        "shoes": lacks,
        "either": lacks,
    }


def test_examples_carry_the_reason():
    found = outlooks(parse(OLD, "old.yaml"))
    (leaving,) = found["loyal"].leaving
    assert leaving.customer_id == "ann"
    assert leaving.reason == (
        'not in "Loyal": Order Completed 1 time within 30 days; the last on 2026-11-16, '
        "wanted: at least 2 times"
    )
    (entering,) = found["both"].entering
    assert entering.customer_id == "bob"
    assert entering.reason.startswith('in "Both": in "Loyal" since 2026-11-21')
    assert {e.customer_id for e in found["gone"].leaving} == {"ann", "bob", "cyd"}
    assert {e.reason for e in found["gone"].leaving} == {"the segment is no longer defined"}


def test_overlaps_with_other_segments_and_clusters():
    found = outlooks(parse(OLD, "old.yaml"))
    shared = {o.segment: (o.both, o.share, o.share_of_other) for o in found["young"].overlaps}
    assert shared == {
        "loyal": (1, 0.5, 1.0),
        "both": (1, 0.5, 1.0),
        "either": (2, 1.0, 1.0),
        "cluster-3": (1, 0.5, 0.5),
    }
    # Most alike first.
    assert found["young"].overlaps[0].segment == "either"


def test_what_only_time_has_ended_is_no_work_of_the_file():
    old = parse(OLD, "old.yaml")
    preview = Preview(parse(OLD, "new.yaml"), old)
    later = NOON + 60 * DAY
    preview.add(recalled(PEOPLE, old), later)
    loyal = preview.outlooks()[0]
    # Ann's first order is 110 days old by then.
    assert (loyal.count.before, loyal.count.after, loyal.count.leave) == (1, 1, 0)


def test_without_the_running_file_the_stored_memberships_count():
    old = parse(OLD, "old.yaml")
    preview = Preview(parse(NEW, "new.yaml"), None)
    preview.add(recalled(PEOPLE, old), NOON)
    found = {o.id: o for o in preview.outlooks()}
    assert (found["loyal"].fate, found["loyal"].count.before) == ("changed", 2)
    assert found["shoes"].fate == "new"
    # Nothing is remembered of dan: who knows whether he ordered?
    assert found["loyal"].count.incomplete == 1
    assert found["gone"].count.leave == 3


def test_customers_judged_by_other_definitions_are_counted():
    old, other = parse(OLD, "old.yaml"), parse(NEW, "other.yaml")
    preview = Preview(parse(NEW, "new.yaml"), old)
    preview.add(recalled(PEOPLE, other), NOON)
    assert preview.strangers == 4


def test_percentiles_are_those_of_all_customers():
    text = "version: 1\nsegments: {top: {when: {measure: spend, percentile_at_least: 90}}}"
    people = {f"c{i}": Person(orders=[(1, 100 * i)]) for i in range(1, 101)}
    found = outlooks(None, text, people)
    # Of 1 to 100 the 90th and those above have 90 % at or below them.
    assert found["top"].count.after == 11


def test_the_stored_memory_is_left_as_it_is():
    old = parse(OLD, "old.yaml")
    stored = recalled(PEOPLE, old)
    before = [json.dumps(customer.memory, sort_keys=True) for customer in stored]
    preview = Preview(parse(NEW, "new.yaml"), old)
    preview.rank(stored, NOON + 400 * DAY)
    preview.add(stored, NOON + 400 * DAY)
    assert [json.dumps(customer.memory, sort_keys=True) for customer in stored] == before


def test_a_sample_does_not_depend_on_the_order():
    forwards, backwards = Sample(3), Sample(3)
    names = [f"c{i}" for i in range(50)]
    for sample, order in ((forwards, names), (backwards, names[::-1])):
        for name in order:
            if sample.wants(name):
                sample.add(name, "")
    assert forwards.examples() == backwards.examples()
    assert len(forwards.examples()) == 3
    assert not Sample(0).wants("c1")


def test_pairs_take_in_segments_that_come_later():
    pairs = Pairs()
    pairs.add([["a"], []])
    pairs.add([["a", "b"], ["b"]])
    assert [(o.segment, o.both, o.share, o.share_of_other) for o in pairs.of("a")] == [
        ("b", 1, 0.5, 0.5)
    ]
    assert pairs.of("unknown") == []
