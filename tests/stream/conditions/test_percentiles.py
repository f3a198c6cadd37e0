"""Percentiles against exact ranks."""

import random

from stream.conditions.percentiles import MIN_CUSTOMERS, RANK_ERROR, Ranks

SPEND = ("spend", None)


def exact_rank(values: list[float], value: float) -> float:
    return 100 * sum(v <= value for v in values) / len(values)


def test_rank_is_within_the_stated_error_also_after_sharing() -> None:
    rng = random.Random(7)
    values = [round(rng.lognormvariate(3, 1), 2) for _ in range(20_000)]
    # Partitions as different as can be: sorted, each has another quarter of the range.
    values.sort()
    alone, together = Ranks(), Ranks()
    for partition in range(4):
        other = Ranks()
        for value in values[5_000 * partition : 5_000 * (partition + 1)]:
            other.add([(SPEND, value)], partition)
        other.turn_over()
        shared = other.to_share()
        assert shared.keys() == {partition}
        together.take(shared)
        alone = other
    assert RANK_ERROR < 0.007
    for value in (1, 5, 10, 20, 50, 100, 500):
        found = together.rank(*SPEND, value)
        # 1.5 times: seven questions at 99 % each, and sketches draw at random.
        assert found is not None
        assert abs(found - exact_rank(values, value)) <= 150 * RANK_ERROR
    # By itself the last partition, that of the greatest values, knows better.
    assert alone.rank(*SPEND, 20) == 0


def test_few_customers_have_no_rank_and_few_values_are_exact() -> None:
    ranks = Ranks()
    for value in range(1, MIN_CUSTOMERS):
        ranks.add([(SPEND, value)])
    assert ranks.rank(*SPEND, 5) is None
    ranks.add([(SPEND, 100)])
    assert ranks.rank(*SPEND, 100) == 100
    assert ranks.rank(*SPEND, 99) == 100 * (MIN_CUSTOMERS - 1) / MIN_CUSTOMERS
    assert ranks.rank("orders", None, 1) is None


def filled(value: float, partition: int, count: int = MIN_CUSTOMERS) -> Ranks:
    ranks = Ranks()
    for _ in range(count):
        ranks.add([(SPEND, value)], partition)
    return ranks


def test_the_last_full_generation_answers() -> None:
    ranks = filled(1, 0)
    ranks.turn_over()
    for _ in range(MIN_CUSTOMERS):
        ranks.add([(SPEND, 9)], 0)
    assert ranks.rank(*SPEND, 5) == 100
    ranks.turn_over()
    assert ranks.rank(*SPEND, 5) == 0


def test_a_partition_counts_once_whoever_looks_at_it() -> None:
    old = filled(1, 3)
    old.turn_over()
    assert old.to_share().keys() == {3}
    new = filled(9, 3)
    new.turn_over()
    # The partition has moved: its new owner's sketches replace those of the old one.
    old.take(new.to_share())
    assert old.rank(*SPEND, 5) == 0


def test_what_is_not_shared_yet_is_newer_than_what_was_shared() -> None:
    ranks = filled(1, 3)
    ranks.turn_over()
    before = ranks.to_share()
    for _ in range(MIN_CUSTOMERS):
        ranks.add([(SPEND, 9)], 3)
    ranks.turn_over()
    ranks.take(before)
    assert ranks.rank(*SPEND, 5) == 0
    assert ranks.to_share().keys() == {3}
    assert ranks.to_share() == {}


def test_customers_of_an_unknown_partition_are_not_shared() -> None:
    ranks = Ranks()
    for _ in range(MIN_CUSTOMERS):
        ranks.add([(SPEND, 1)])
    ranks.turn_over()
    assert ranks.to_share() == {}
    assert ranks.rank(*SPEND, 1) == 100
