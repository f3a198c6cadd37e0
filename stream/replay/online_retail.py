"""Online Retail (Chen, Sain, Guo 2012, doi:10.1057/dbm.2012.17): csv or csv.gz.

Mapping:

- One purchase per `InvoiceNo`, at the earliest time of its lines; naive times are London time.
- `total` is the exact sum of Quantity times UnitPrice, in GBP. Cancellations are negative.
- Items are the lines. A returned line within an invoice that is not negative as a whole keeps
  its amount, but carries the minus in the price: a negative quantity marks a refund.
- One profile event with the trait `country` when a customer is first seen and whenever the
  country is another than in its previous invoice.
- Lines without a CustomerID belong to nobody: skipped and counted.
"""

import csv
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from stream.replay.history import History, HistoryError, Recorded, lines
from stream.timestamps import rfc3339
from stream.topics import PROFILES, PURCHASES

COLUMNS = (
    "InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"
)  # fmt: skip
_LONDON = ZoneInfo("Europe/London")
#: Month first: how spreadsheets' exports of the data set write dates.
_SPREADSHEET_DATE = "%m/%d/%Y %H:%M"


class _Invoice(msgspec.Struct):
    number: str
    customer_id: str
    country: str
    at_ms: int
    total: Decimal
    items: list[tuple[str, int, Decimal]]


def read_online_retail(path: Path) -> History:
    """The whole file in memory (about 0.5 KB per line), all events in time order.

    Raises
    ------
    HistoryError
        Naming file, line, column and value of what is not as expected.
    """
    history = History(iter(()))
    invoices = sorted(_invoices(path, history).values(), key=lambda invoice: invoice.at_ms)
    records = list(_events(invoices))
    history.records, history.total = iter(records), len(records)
    return history


def _invoices(path: Path, history: History) -> dict[str, _Invoice]:
    # Only descriptions, which are not used, have letters beyond ASCII, in more than one encoding.
    text = (line.decode("ascii", "ignore") for line in lines(path))
    rows = csv.DictReader(text)
    invoices: dict[str, _Invoice] = {}
    try:
        _check_columns(path, rows.fieldnames)
        for row in rows:
            _add(invoices, row, rows.line_num, history)
    except (ValueError, csv.Error) as error:
        raise HistoryError(f"{path}: line {rows.line_num}: {error}") from None
    return invoices


def _check_columns(path: Path, found: Any) -> None:
    missing = [column for column in COLUMNS if column not in (found or ())]
    if missing:
        raise HistoryError(
            f"{path}: column {missing[0]} is missing, expected the columns of Online Retail: "
            + ", ".join(COLUMNS)
        )


def _add(invoices: dict[str, _Invoice], row: dict[str, str], line: int, history: History) -> None:
    customer_id = (row["CustomerID"] or "").strip().removesuffix(".0")
    if not customer_id:
        history.report(line, "no CustomerID")
        return
    at_ms = _to_ms(row["InvoiceDate"] or "")
    quantity, price = _number(row, "Quantity"), _number(row, "UnitPrice")
    number = row["InvoiceNo"]
    invoice = invoices.get(number)
    if invoice is None:
        invoice = _Invoice(number, customer_id, row["Country"], at_ms, Decimal(0), [])
        invoices[number] = invoice
    elif invoice.customer_id != customer_id:
        raise ValueError(
            f"InvoiceNo {number} belongs to customers {invoice.customer_id} and {customer_id}, "
            "expected one"
        )
    invoice.at_ms = min(invoice.at_ms, at_ms)
    invoice.total += quantity * price
    invoice.items.append((row["StockCode"], int(quantity), price))


def _number(row: dict[str, str], column: str) -> Decimal:
    try:
        number = Decimal(row[column])
    except (InvalidOperation, TypeError):
        raise ValueError(f"{column} is {row[column]!r}, expected a number") from None
    if not number.is_finite():
        raise ValueError(f"{column} is {row[column]!r}, expected a finite number")
    if column == "Quantity" and number % 1:
        raise ValueError(f"{column} is {row[column]!r}, expected a whole number")
    return number


@lru_cache(maxsize=4096)
def _to_ms(text: str) -> int:
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=_LONDON)
    except ValueError:
        at = _spreadsheet_date(text)
    return round(at.timestamp() * 1000)


def _spreadsheet_date(text: str) -> datetime:
    try:
        return datetime.strptime(text, _SPREADSHEET_DATE).replace(tzinfo=_LONDON)
    except ValueError:
        raise ValueError(f"InvoiceDate is {text!r}, expected as in 2011-12-09 12:50") from None


def _events(invoices: list[_Invoice]) -> Iterator[Recorded]:
    country: dict[str, str] = {}
    for invoice in invoices:
        if country.get(invoice.customer_id) != invoice.country:
            country[invoice.customer_id] = invoice.country
            yield _profile(invoice)
        yield _purchase(invoice)


def _profile(invoice: _Invoice) -> Recorded:
    return _recorded(
        PROFILES, invoice, f"online-retail-country-{invoice.number}",
        {"traits": {"country": invoice.country}},
    )  # fmt: skip


def _purchase(invoice: _Invoice) -> Recorded:
    refund = invoice.total < 0
    items = []
    for product, quantity, price in invoice.items:
        if quantity < 0 and not refund:
            quantity, price = -quantity, -price
        items.append({"product_id": product, "price": float(price), "quantity": quantity})
    return _recorded(
        PURCHASES, invoice, f"online-retail-{invoice.number}",
        {
            "order_id": invoice.number, "total": float(invoice.total), "currency": "GBP",
            "items": items,
        },
    )  # fmt: skip


def _recorded(topic: str, invoice: _Invoice, event_id: str, fields: dict[str, Any]) -> Recorded:
    record = {
        "event_id": event_id, "customer_id": invoice.customer_id,
        "timestamp": rfc3339(invoice.at_ms), **fields,
    }  # fmt: skip
    return Recorded(invoice.at_ms, topic, invoice.customer_id.encode(), msgspec.json.encode(record))
