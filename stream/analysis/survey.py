"""Customers as columns: what is known of them, what they did, and which segments they are in."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.analysis.facts import Fact, flattened, number_fact, trait_facts
from stream.conditions import Facts, Ranks
from stream.features import FEATURES, vectors
from stream.recall import Recalled

#: What facts are judged by, and what each means in words.
OUTCOMES = {
    "spend": "spending",
    "conversion": "conversion (one order or more)",
    "repeat": "repeat purchase (two orders or more)",
}
#: Features that orders make, in full or in part, or the time that there was for orders.
_CIRCULAR = frozenset(
    {
        "recency_days", "order_recency_days", "tenure_days", "activity", "orders", "spend",
        "order_value", "category_focus", "order_rhythm_days",
    }
)  # fmt: skip
#: Categories whose affinity is looked at.
_MOST_CATEGORIES = 8


@dataclass
class Survey:
    """All customers, one position each."""

    features: list[NDArray[np.float64]] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    spend: list[float] = field(default_factory=list)
    traits: dict[str, tuple[list[int], list[Any]]] = field(
        default_factory=lambda: defaultdict(lambda: ([], []))
    )
    #: Category code → positions of the customers who have it, and its share of their interest.
    categories: dict[int, tuple[list[int], list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: ([], []))
    )
    segments: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __len__(self) -> int:
        return len(self.orders)

    def add(self, customers: Sequence[Recalled], now_ms: int) -> None:
        """Take customers in, as they are at `now_ms`."""
        if not customers:
            return
        rows = np.array([customer.row for customer in customers])
        self.features.append(vectors(rows, now_ms))
        nobody = Ranks()
        for customer in customers:
            self._add(customer, customer.facts(nobody))

    def _add(self, customer: Recalled, known: Facts) -> None:
        place = len(self.orders)
        self.events.append(int(customer.row["events"]))
        self.orders.append(int(customer.row["orders"]))
        self.spend.append(int(customer.row["spend_minor"]) / 100)
        for name, value in flattened(dict(known.traits)).items():
            who, values = self.traits[name]
            who.append(place)
            values.append(value)
        weights = customer.row["weights"].tolist()
        total = sum(weights) or 1.0
        for code, weight in zip(customer.row["categories"].tolist(), weights, strict=True):
            if weight > 0:
                whose, shares = self.categories[code]
                whose.append(place)
                shares.append(weight / total)
        for segment in customer.memberships:
            self.segments[segment].append(place)
        if known.cluster is not None:
            self.segments[known.cluster].append(place)

    def outcomes(self) -> dict[str, NDArray[np.float64]]:
        """Outcome → its value for each customer."""
        orders = np.array(self.orders)
        return {
            "spend": np.array(self.spend),
            "conversion": (orders >= 1).astype(float),
            "repeat": (orders >= 2).astype(float),
        }

    def frequent_categories(self) -> list[int]:
        """Codes of the categories that most customers have."""
        counted = Counter({code: len(who) for code, (who, _) in self.categories.items()})
        return [code for code, _ in counted.most_common(_MOST_CATEGORIES)]

    def facts(self, category_names: dict[int, str]) -> list[Fact]:
        """Every fact: traits, measures, affinities to the most frequent categories."""
        found = [
            fact
            for name, (who, values) in sorted(self.traits.items())
            for fact in trait_facts(name, who, values)
        ]
        return found + self._measures() + self._affinities(category_names)

    def _measures(self) -> list[Fact]:
        everybody = np.arange(len(self))
        totals = {
            "spend in all": (self.spend, "lifetime, in units of the base currency"),
            "orders in all": (self.orders, "lifetime"),
            "events in all": (self.events, "lifetime, orders too"),
        }
        found = [
            number_fact(name, "measure", everybody, np.array(values, float), True, meaning)
            for name, (values, meaning) in totals.items()
        ]
        x = np.concatenate(self.features) if self.features else np.zeros((0, len(FEATURES)))
        for i, feature in enumerate(FEATURES):
            circular = feature.name in _CIRCULAR
            meaning = f"{feature.meaning} ({feature.unit})"
            found.append(
                number_fact(feature.name, "measure", everybody, x[:, i], circular, meaning)
            )
        return found

    def _affinities(self, names: dict[int, str]) -> list[Fact]:
        # Who has any interest that is known has a share of each category, if only zero.
        known = sorted({place for who, _ in self.categories.values() for place in who})
        place_of = {place: i for i, place in enumerate(known)}
        found = []
        for code in self.frequent_categories():
            shares = np.zeros(len(known))
            who, values = self.categories[code]
            shares[[place_of[place] for place in who]] = values
            name = names.get(code, f"category {code}")
            found.append(number_fact(name, "affinity", np.array(known, np.int64), shares))
        return found
