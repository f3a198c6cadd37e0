"""Verdicts on shops whose truth is known, and on one where there is nothing to find."""

from typing import Any

import numpy as np
import pytest

from stream.analysis import Finding, Survey, analyse
from stream.analysis.facts import flattened, text_fact, trait_facts
from tests.stream.stored import NOON, Person, recalled


def shop(count: int, seed: int, traits: Any, orders: Any, row: Any = None) -> Survey:
    """A survey of random people: `traits` and `orders` take a generator."""
    rng = np.random.default_rng(seed)
    people = {}
    for i in range(count):
        facts = traits(rng)
        bought = orders(rng, facts)
        spent = [(1.0 + k, int(rng.lognormal(8, 1))) for k in range(bought)]
        people[f"c{i}"] = Person(orders=spent, traits=facts, row=row(rng) if row else {})
    survey = Survey()
    survey.add(recalled(people), NOON)
    return survey


def by_name(survey: Survey) -> dict[str, Finding]:
    return {finding.fact.name: finding for finding in analyse(survey, {})}


def some_traits(rng: np.random.Generator) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "country": str(rng.choice(["NO", "PH", "DE"])),
        "plan": "free" if rng.random() < 0.97 else "paid",
        "email": f"{rng.integers(10**9)}@x.org",
        "score": float(rng.random()),
    }
    if rng.random() < 0.12:
        facts["age"] = int(rng.integers(18, 80))
    return facts


def norwegians_buy(rng: np.random.Generator, facts: dict[str, Any]) -> int:
    return int(rng.binomial(4, 0.4 if facts["country"] == "NO" else 0.05))


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    survey = shop(2_000, 1, some_traits, norwegians_buy)
    return by_name(survey)


def test_what_separates_is_worth_it_and_first(findings: dict[str, Finding]):
    country = findings["country"]
    assert next(iter(findings)) == "country"
    assert country.worth
    assert country.verdict.startswith("worth it, strong: separates ")
    assert "NO: " in country.verdict
    rates = {group.label: group.conversion for group in country.groups}
    # 1 - 0.6**4 and 1 - 0.95**4; a rate of 650 customers is within 0.06 of it.
    assert rates["NO"] == pytest.approx(0.87, abs=0.06)
    assert rates["PH"] == pytest.approx(0.185, abs=0.06)
    effect = country.effects["conversion"]
    # Of the true rates, a third of the customers each: between 0.1045 of in all 0.2423.
    assert effect.low <= (0.1045 / 0.2423) ** 0.5 <= effect.high
    assert country.coverage == 1.0


def test_what_does_not_is_not(findings: dict[str, Finding]):
    assert findings["age"].verdict in (
        "known for 11% of customers: too few",
        "known for 12% of customers: too few",
        "known for 13% of customers: too few",
    )
    assert findings["plan"].verdict == "97% have the same (free): separates nobody"
    assert findings["email"].verdict.endswith("the 12 most frequent cover 1%: group them first")
    assert findings["score"].verdict == "no difference found"
    assert [name for name, finding in findings.items() if finding.worth] == ["country"]


def test_what_is_made_of_orders_is_not_judged_by_them(findings: dict[str, Finding]):
    for name in ("spend in all", "orders", "activity", "order_recency_days", "tenure_days"):
        assert findings[name].effects == {}
        assert findings[name].verdict.startswith("made of orders")
    # 1 - (0.13 + 2 * 0.815) / 3 of them bought: p = 0.41; a lognormal amount of deviation 1 has
    # erf(1/2) = 0.52, and zeros for all others make that 1 - p * (1 - 0.52).
    assert findings["spend in all"].fact.spread.gini == pytest.approx(0.80, abs=0.05)


def test_spread_of_numbers_and_texts(findings: dict[str, Finding]):
    low, quarter, median, _, high = findings["score"].fact.spread.quantiles
    assert 0 <= low < quarter < median < high <= 1
    assert median == pytest.approx(0.5, abs=0.05)
    assert len(findings["score"].groups) == 5
    assert sum(group.customers for group in findings["score"].groups) == 2_000
    assert findings["country"].fact.spread.distinct == 3


@pytest.mark.parametrize("seed", range(12))
def test_where_there_is_nothing_nothing_is_found(seed: int):
    def traits(rng: np.random.Generator) -> dict[str, Any]:
        found: dict[str, Any] = {f"n{i}": float(rng.lognormal()) for i in range(6)}
        return found | {f"t{i}": str(rng.integers(2 + 3 * i)) for i in range(6)}

    def row(rng: np.random.Generator) -> dict[str, Any]:
        return {"counters": rng.lognormal(size=8), "last_seen_ms": NOON}

    survey = shop(400, seed, traits, lambda rng, facts: int(rng.poisson(0.8)), row)
    found = by_name(survey)
    assert {f"n{i}" for i in range(6)} | {f"t{i}" for i in range(6)} <= found.keys()
    # None is worth it, and all the questions together are wrong once in a hundred shops.
    assert [name for name, finding in found.items() if finding.worth] == []
    assert found["views"].verdict == "no difference found"


def test_a_fact_that_a_segment_tells_already_is_redundant():
    survey = shop(600, 3, some_traits, norwegians_buy)
    who, values = survey.traits["country"]
    survey.segments["norwegians"] = [w for w, v in zip(who, values, strict=True) if v == "NO"]
    survey.segments["tiny"] = [1, 2]
    found = by_name(survey)["country"]
    assert found.overlaps[0] == ("norwegians", pytest.approx(1.0))
    assert not found.worth
    assert found.verdict == "tells what segment norwegians tells already (overlap 1.00)"


def test_too_few_orders_tell_nothing():
    survey = shop(300, 4, some_traits, lambda rng, facts: 0)
    assert by_name(survey)["country"].verdict == "too few orders to tell"
    assert analyse(Survey(), {}) == []


def test_groups_too_small_to_speak_of_are_not_spoken_of():
    # Ten cities of twelve customers each: five buy, five do not.
    def city(rng: np.random.Generator) -> dict[str, Any]:
        return {"city": f"city {next(places) % 10}"}

    places = iter(range(120))
    survey = shop(120, 6, city, lambda rng, facts: 2 * (facts["city"] < "city 5"))
    found = by_name(survey)["city"]
    assert {group.customers for group in found.groups} == {12}
    assert found.worth
    assert found.verdict.endswith("1.00 (1.00 to 1.00)")


def test_few_customers_are_too_few():
    survey = shop(30, 4, some_traits, norwegians_buy)
    assert by_name(survey)["country"].verdict == "known for 100% of customers (30): too few"


def test_affinities_are_facts_of_those_with_any_interest():
    rng = np.random.default_rng(5)
    people = {}
    for i in range(400):
        likes = i % 2 == 0
        row = {"weights": [3.0, 1.0, 0, 0, 0, 0] if likes else [0, 2.0, 0, 0, 0, 0],
               "categories": [11, 22, 0, 0, 0, 0]}  # fmt: skip
        count = int(rng.binomial(3, 0.6 if likes else 0.05))
        people[f"c{i}"] = Person(orders=[(1, 500)] * count, row=row if i < 300 else {})
    survey = Survey()
    survey.add(recalled(people), NOON)
    found = {f.fact.name: f for f in analyse(survey, {11: "shoes", 22: "books"})}
    assert found["shoes"].coverage == found["books"].coverage == 0.75
    assert found["shoes"].fact.kind == "affinity"
    assert [group.label for group in found["shoes"].groups] == ["0", "0.75"]
    assert found["shoes"].worth


def test_traits_become_facts():
    (age,) = trait_facts("age", [1, 2, 3], [20, 30, 20.5])
    assert age.spread.quantiles[0] == 20
    (mixed,) = trait_facts("size", [1, 2, 3], ["S", 38, True])
    assert mixed.labels == ("38", "S", "true")
    hiking, books = trait_facts("likes", [1, 2, 3], [["hiking", "books"], ["hiking"], "hiking"])
    assert (hiking.name, hiking.spread.top) == ("likes: hiking", (("yes", 3),))
    assert (books.name, dict(books.spread.top)) == ("likes: books", {"yes": 1, "no": 2})
    many = text_fact("city", "trait", np.arange(40), [f"city {i // 2}" for i in range(40)])
    assert many.labels[-1] == "(others)"
    assert np.bincount(many.groups).tolist() == [2] * 12 + [16]
    assert flattened({"a": {"b": {"c": 1}, "e": None}, "d": 2}) == {"a.b.c": 1, "d": 2}
