"""A real shop's year: segments at ten dates agree with pandas, which knows no increments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream.conditions import Changed, parse, purchase_event
from tests.stream.conditions.customers import Customer
from tests.stream.conditions.oracle import Record

pd: Any = pytest.importorskip("pandas")

DATA = Path(__file__).parents[4] / "shared/data/online_retail/online_retail_even_customers.csv.gz"
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
DEFINITIONS = parse(TEXT, "shop.yaml")


@pytest.fixture(scope="module")
def invoices() -> Any:
    """One row per invoice: customer, at (ms), minor (negative: cancellation)."""
    if not DATA.exists():
        pytest.skip(f"needs {DATA.name} in {DATA.parent}")
    lines = pd.read_csv(DATA, parse_dates=["InvoiceDate"], dtype={"InvoiceNo": str})
    lines["minor"] = (lines["Quantity"] * lines["UnitPrice"] * 100).round().astype("int64")
    grouped = lines.groupby(["CustomerID", "InvoiceNo"], as_index=False).agg(
        at=("InvoiceDate", "min"), minor=("minor", "sum")
    )
    grouped["at"] = grouped["at"].astype("datetime64[ms]").astype("int64")
    return grouped


def members(invoices: Any, date: int) -> dict[str, set[Any]]:
    past = invoices[invoices["at"] <= date]
    orders = past[past["minor"] >= 0]
    recent = orders[orders["at"] > date - 90 * DAY].groupby("CustomerID").size()
    ever = orders.groupby("CustomerID")["at"].agg(["size", "max"])
    lapsing = ever[(ever["size"] >= 2) & (ever["max"] <= date - 30 * DAY)]
    return {"loyal": set(recent[recent >= 3].index), "lapsing": set(lapsing.index)}


def spending(invoices: Any, date: int) -> Any:
    window = invoices[(invoices["at"] <= date) & (invoices["at"] > date - YEAR)]
    return window.groupby("CustomerID")["minor"].sum() / 100


def lived(rows: Any) -> Iterator[Customer]:
    """The customer as it is at each of the dates."""
    customer = Customer(DEFINITIONS)
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
        yield customer


@pytest.mark.slow
def test_segments_at_ten_dates_agree_with_pandas(invoices: Any) -> None:
    found: list[dict[str, set[Any]]] = [{"loyal": set(), "lapsing": set()} for _ in DATES]
    spend: list[dict[Any, float]] = [{} for _ in DATES]
    for name, rows in invoices.groupby("CustomerID"):
        for i, customer in enumerate(lived(rows)):
            for segment in customer.members:
                found[i][segment].add(name)
            values = customer.definitions.measures(customer.memory, customer.facts, DATES[i])
            if values:
                spend[i][name] = values["spend", YEAR]
    for i, date in enumerate(DATES):
        expected = members(invoices, date)
        assert min(len(expected[segment]) for segment in expected) >= (1 if i else 0)
        assert found[i] == expected
        assert spend[i] == spending(invoices, date).to_dict()
