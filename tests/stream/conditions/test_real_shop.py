"""A real shop's year: segments at ten dates agree with pandas, which knows no increments."""

import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream.conditions import Changed, Ranks, copied, parse, purchase_event
from stream.conditions.percentiles import RANK_ERROR
from tests.stream.conditions.customers import Customer, StoredFacts
from tests.stream.conditions.oracle import Record

pd: Any = pytest.importorskip("pandas")

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("AGOS_DATA", ROOT.parent / "shared" / "data"))
DATA = FOLDER / "online_retail" / "online_retail_even_customers.csv.gz"
DAY = 86_400_000
YEAR = 365 * DAY
MONTHS = pd.date_range("2011-02-01", periods=10, freq="MS", tz="UTC")
DATES = [int(month.timestamp() * 1000) for month in MONTHS]
TEXT = """
version: 1
segments:
  loyal: {when: {did: Order Completed, at_least: 3, within: 90d}}
  lapsing:
    when: {all: [{did: Order Completed, at_least: 2}, {did_not: Order Completed, within: 30d}]}
  big_spenders: {when: {measure: spend, within: 365d, percentile_at_least: 90}}
"""
#: In force all the year. A percentile would be looked at again every day: the file that asks for
#: it is taken up at each of the dates, and finds the sums that this one has kept.
BEFORE = parse(TEXT.replace("percentile_at_least: 90", "at_least: 1000"), "before.yaml")
DEFINITIONS = parse(TEXT, "shop.yaml").after(BEFORE)

Members = dict[str, set[Any]]


@pytest.fixture(scope="module")
def invoices() -> Any:
    """One row per invoice: customer, at (ms), minor (negative: cancellation)."""
    if not DATA.exists():
        pytest.skip(f"needs {DATA.name} in {DATA.parent} (AGOS_DATA)")
    lines = pd.read_csv(DATA, parse_dates=["InvoiceDate"], dtype={"InvoiceNo": str})
    lines["minor"] = (lines["Quantity"] * lines["UnitPrice"] * 100).round().astype("int64")
    grouped = lines.groupby(["CustomerID", "InvoiceNo"], as_index=False).agg(
        at=("InvoiceDate", "min"), minor=("minor", "sum")
    )
    grouped["at"] = grouped["at"].astype("datetime64[ms]").astype("int64")
    return grouped


def expected(invoices: Any, date: int) -> Members:
    past = invoices[invoices["at"] <= date]
    orders = past[past["minor"] >= 0]
    recent = orders[orders["at"] > date - 90 * DAY].groupby("CustomerID").size()
    ever = orders.groupby("CustomerID")["at"].agg(["size", "max"])
    lapsing = ever[(ever["size"] >= 2) & (ever["max"] <= date - 30 * DAY)]
    places = percentiles(invoices, date)
    return {
        "loyal": set(recent[recent >= 3].index),
        "lapsing": set(lapsing.index),
        "big_spenders": set(places[places >= 90].index),
    }


def spending(invoices: Any, date: int) -> Any:
    window = invoices[(invoices["at"] <= date) & (invoices["at"] > date - YEAR)]
    return window.groupby("CustomerID")["minor"].sum() / 100


def percentiles(invoices: Any, date: int) -> Any:
    """How many of a hundred spent as much or less."""
    return spending(invoices, date).rank(pct=True, method="max") * 100


@dataclass
class Sorted:
    """Percentiles among all values, without a sketch."""

    values: list[float]

    def rank(self, measure: str, within_ms: int | None, value: float) -> float:
        return bisect_right(self.values, value) / len(self.values) * 100


@dataclass
class Moment:
    """A customer as it was at one of the dates."""

    memory: dict[str, Any]
    members: Mapping[str, int]

    def measured(self, date: int) -> dict[Any, float]:
        return DEFINITIONS.measures(copied(self.memory), StoredFacts(), date)

    def judged(self, date: int, ranks: Any) -> set[str]:
        verdict = DEFINITIONS.evaluate(
            copied(self.memory), StoredFacts(ranks), date, self.members, Changed.NOTHING
        )
        return set(verdict.memberships)


def lived(rows: Any) -> Iterator[Moment | None]:
    """The customer at each of the dates; None before the first invoice."""
    customer = Customer(BEFORE)
    records = [
        Record(at, at, purchase_event(minor, "GBP", [])[0], {}, minor)
        for at, minor in sorted(zip(rows["at"].tolist(), rows["minor"].tolist(), strict=True))
    ]
    for date in DATES:
        while records and records[0].at <= date:
            customer.receive([records.pop(0)])
        if customer.memory:
            customer.wait(date)
            customer.evaluate(date, Changed.NOTHING)
        memory = deepcopy(customer.memory)
        yield Moment(memory, dict(customer.members)) if memory else None


@pytest.fixture(scope="module")
def year(invoices: Any) -> list[dict[Any, Moment]]:
    """Of each date, every customer who had bought by then."""
    found: list[dict[Any, Moment]] = [{} for _ in DATES]
    for name, rows in invoices.groupby("CustomerID"):
        for i, moment in enumerate(lived(rows)):
            if moment is not None:
                found[i][name] = moment
    return found


def judged(customers: dict[Any, Moment], date: int, ranks: Any) -> Members:
    found: Members = {name: set() for name in DEFINITIONS.segments}
    for name, customer in customers.items():
        for segment in customer.judged(date, ranks):
            found[segment].add(name)
    return found


def test_segments_at_ten_dates_agree_with_pandas(invoices: Any, year: Any) -> None:
    sizes = []
    for customers, date in zip(year, DATES, strict=True):
        measured = {name: customer.measured(date) for name, customer in customers.items()}
        spend = {name: values["spend", YEAR] for name, values in measured.items() if values}
        assert spend == spending(invoices, date).to_dict()
        found = judged(customers, date, Sorted(sorted(spend.values())))
        assert found == expected(invoices, date)
        sizes.append([len(found[name]) for name in DEFINITIONS.segments])
    # Each date tells something: there are customers in each, and not always the same number.
    assert min(min(row) for row in sizes[1:]) > 20
    assert all(len(set(column)) > 5 for column in zip(*sizes, strict=True))


def test_the_sketch_differs_only_within_its_stated_error(invoices: Any, year: Any) -> None:
    for customers, date in zip(year, DATES, strict=True):
        ranks = Ranks()
        for customer in customers.values():
            ranks.add(customer.measured(date).items())
        found = judged(customers, date, ranks)["big_spenders"]
        places = percentiles(invoices, date)
        # The stated error holds 99 times of 100, and its double practically always.
        margin = 200 * RANK_ERROR
        assert set(places[places >= 90 + margin].index) <= found
        assert found <= set(places[places >= 90 - margin].index)


def test_nothing_is_missing_where_the_file_before_kept_it(year: Any) -> None:
    lacking = [DEFINITIONS.incomplete(copied(c.memory)) for c in year[-1].values()]
    assert set(lacking) == {frozenset()}
