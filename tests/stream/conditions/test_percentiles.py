"""Percentiles against exact ranks."""

import random

from stream.conditions.percentiles import MIN_CUSTOMERS, RANK_ERROR, Ranks

SPEND = ("spend", None)


def exact_rank(values: list[float], value: float) -> float:
    return 100 * sum(v <= value for v in values) / len(values)


def test_rank_is_within_the_stated_error_also_after_merging_and_storing() -> None:
    rng = random.Random(7)
    values = [round(rng.lognormvariate(3, 1), 2) for _ in range(20_000)]
    ranks = Ranks()
    for part in range(4):
        other = Ranks()
        for value in values[part::4]:
            other.add([(SPEND, value)])
        ranks.merge(Ranks.from_bytes(other.to_bytes()))
    assert RANK_ERROR < 0.007
    for value in (1, 5, 10, 20, 50, 100, 500):
        found = ranks.rank(*SPEND, value)
        # 1.5 times: seven questions at 99 % each, and sketches draw at random.
        assert found is not None
        assert abs(found - exact_rank(values, value)) <= 150 * RANK_ERROR


def test_few_customers_have_no_rank_and_few_values_are_exact() -> None:
    ranks = Ranks()
    for value in range(1, MIN_CUSTOMERS):
        ranks.add([(SPEND, value)])
    assert ranks.rank(*SPEND, 5) is None
    ranks.add([(SPEND, 100)])
    assert ranks.rank(*SPEND, 100) == 100
    assert ranks.rank(*SPEND, 99) == 100 * (MIN_CUSTOMERS - 1) / MIN_CUSTOMERS
    assert ranks.rank("orders", None, 1) is None


def test_the_last_full_generation_answers() -> None:
    ranks = Ranks()
    for _ in range(MIN_CUSTOMERS):
        ranks.add([(SPEND, 1)])
    ranks.turn_over()
    for _ in range(MIN_CUSTOMERS):
        ranks.add([(SPEND, 9)])
    assert ranks.rank(*SPEND, 5) == 100
    ranks.turn_over()
    assert ranks.rank(*SPEND, 5) == 0
