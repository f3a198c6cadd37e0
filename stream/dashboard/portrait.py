"""One customer as the page shows it; read anew while somebody looks."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from stream.recall import recall
from stream.settings import Settings
from stream.store.past import Past
from stream.store.reader import Reader
from stream.store.records import Change, Customer
from stream.topics import partition_of

#: Changes of all customers that are searched for those of one: a tenth of a second.
LOOK_BACK = 20_000
MOST_CHANGES = 50
#: Below this share of a customer's interest a category is not worth a word.
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class Portrait:
    """What is kept of a customer.

    Attributes
    ----------
    since
        Segment → ms when the customer entered it.
    interests
        Category → share of the customer's interest, the largest first.
    """

    customer: Customer
    since: Mapping[str, int]
    traits: Mapping[str, Any]
    interests: Mapping[str, float]


def portrait(reader: Reader, settings: Settings, customer_id: str) -> Portrait | None:
    """The customer now; None if no event of it was applied."""
    found = reader.customer(customer_id)
    if found is None:
        return None
    traits, weights = _remembered(customer_id, reader.state(customer_id))
    names = reader.categories(partition_of(customer_id, settings.partitions), list(weights))
    return Portrait(
        found,
        reader.since(customer_id, found.segments),
        traits,
        {names.get(code, f"category {code}"): share for code, share in weights.items()},
    )


def latest_changes(settings: Settings, customer_id: str) -> list[Change]:
    """The customer's newest changes, newest first, among the latest of all customers."""
    with Past(settings, timeout_seconds=3.0) as past:
        return list(islice(past.changes(customer_id=customer_id, most=LOOK_BACK), MOST_CHANGES))


def _remembered(name: str, stored: bytes | None) -> tuple[dict[str, Any], dict[int, float]]:
    if stored is None:
        return {}, {}
    (known,) = recall([name], [stored])
    traits = {key: value for key, (value, _) in known.extra.traits.items() if value is not None}
    pairs = zip(known.row["categories"].tolist(), known.row["weights"].tolist(), strict=True)
    weights = {code: weight for code, weight in pairs if weight > 0}
    total = sum(weights.values()) or 1.0
    ranked = sorted(weights.items(), key=lambda pair: -pair[1])
    return traits, {c: w / total for c, w in ranked if w / total >= _LEAST_SHARE}
