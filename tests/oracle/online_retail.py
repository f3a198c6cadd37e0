"""What Online Retail must add up to, straight from the CSV; shares no code with the project.

    python tests/oracle/online_retail.py FILE    # JSON: customer → orders, spend, events

- orders: invoices whose lines sum to zero or more.
- spend: sum over all invoices of their totals, each in pence, halves to even.
- events: one per invoice, and one whenever an invoice's country differs from that of the
  customer's previous invoice (the first counts); invoices by the time of their first line, those
  of one minute as the file has them.
"""

import csv
import gzip
import json
import sys
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal


def open_text(path: str) -> Iterable[str]:
    """Lines of a csv or csv.gz."""
    if path.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return open(path, encoding="utf-8-sig", newline="")


def expected(path: str) -> dict[str, dict[str, int]]:
    """Customer → its `orders`, `spend` (pence) and `events`."""
    lines_of: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in csv.DictReader(open_text(path)):
        if row["CustomerID"]:
            lines_of.setdefault(row["CustomerID"], {}).setdefault(row["InvoiceNo"], []).append(row)
    return {customer: add_up(invoices) for customer, invoices in lines_of.items()}


def add_up(invoices: dict[str, list[dict[str, str]]]) -> dict[str, int]:
    """Figures of one customer from its invoices' lines."""
    orders = spend = moves = 0
    for lines in invoices.values():
        total = sum((Decimal(x["Quantity"]) * Decimal(x["UnitPrice"]) for x in lines), Decimal(0))
        pence = (total * 100).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
        spend += int(pence)
        if total >= 0:
            orders += 1
    by_time = sorted(invoices.values(), key=lambda lines: min(x["InvoiceDate"] for x in lines))
    here = None
    for lines in by_time:
        if lines[0]["Country"] != here:
            here = lines[0]["Country"]
            moves += 1
    return {"orders": orders, "spend": spend, "events": len(invoices) + moves}


if __name__ == "__main__":
    json.dump(expected(sys.argv[1]), sys.stdout, indent=1)
    print()
