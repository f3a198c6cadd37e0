"""Who visits the simulated shop, and into whom they turn."""

from collections.abc import Mapping
from dataclasses import dataclass

_ALL_DAY = (7, 23)


@dataclass(frozen=True, slots=True)
class Persona:
    """How one kind of customer behaves; shares and chances are probabilities in [0, 1]."""

    name: str
    share: float
    """Of all customers at the start."""
    visits_per_week: float
    views: float
    """Products looked at per visit, on average."""
    search: float
    """Chance that a visit starts with a search instead of a product list."""
    add: float
    """Chance that a viewed product goes into the cart."""
    checkout: float
    """Chance that a visit with a filled cart goes to the checkout."""
    order: float
    """Chance that a started checkout becomes an order."""
    refund: float
    """Chance that an order, or a part of it, comes back."""
    quantity: int
    """Largest quantity of one article."""
    price: float
    """Factor on catalogue prices: what they pick is dearer (> 1) or on sale (< 1)."""
    becomes: Mapping[str, float]
    """Next persona → weight, when the customer changes."""
    focus: float = 0.6
    """Chance that a visit is about the customer's favourite category."""
    hours: tuple[int, int] = _ALL_DAY
    """Hours of the day (UTC) in which visits start: from, to."""
    weekdays_only: bool = False
    business: bool = False


_LIST = (
    Persona(
        "loyal big spender", 0.08, 3.0, 4, 0.4, 0.45, 0.9, 0.9, 0.03, 3, 1.6,
        {"lapsing": 0.6, "bargain hunter": 0.2, "serial returner": 0.2}, focus=0.7,
    ),
    Persona(
        "bargain hunter", 0.16, 4.0, 5, 0.2, 0.25, 0.5, 0.7, 0.06, 2, 0.6,
        {"loyal big spender": 0.3, "window shopper": 0.5, "lapsing": 0.2}, focus=0.2,
    ),
    Persona(
        "window shopper", 0.24, 2.5, 6, 0.1, 0.04, 0.15, 0.3, 0.05, 1, 1.0,
        {"bargain hunter": 0.5, "researcher": 0.3, "lapsing": 0.2}, focus=0.3,
    ),
    Persona(
        "newcomer", 0.18, 1.5, 3, 0.3, 0.15, 0.45, 0.6, 0.05, 1, 0.9,
        {"window shopper": 0.4, "bargain hunter": 0.3, "loyal big spender": 0.3},
    ),
    Persona(
        "lapsing", 0.14, 0.25, 2, 0.2, 0.08, 0.3, 0.5, 0.05, 1, 0.9,
        {"window shopper": 0.5, "loyal big spender": 0.3, "bargain hunter": 0.2},
    ),
    Persona(
        "researcher", 0.10, 3.0, 7, 0.9, 0.03, 0.0, 0.0, 0.0, 1, 1.3,
        {"loyal big spender": 0.6, "window shopper": 0.4}, focus=0.95,
    ),
    Persona(
        "business buyer", 0.06, 1.5, 4, 0.8, 0.5, 0.85, 0.95, 0.02, 40, 1.1,
        {"lapsing": 1.0}, focus=0.8, hours=(7, 17), weekdays_only=True, business=True,
    ),
    Persona(
        "serial returner", 0.04, 2.5, 4, 0.2, 0.4, 0.85, 0.9, 0.5, 2, 1.2,
        {"window shopper": 0.5, "bargain hunter": 0.5}, focus=0.8,
    ),
)  # fmt: skip

#: Name → persona.
PERSONAS: Mapping[str, Persona] = {persona.name: persona for persona in _LIST}

INDUSTRIES = ("logistics", "retail", "health", "education", "manufacturing", "software")
COMPANY_SIZES = (3, 8, 15, 40, 120, 350, 900, 4000)
COUNTRIES = ("US", "US", "US", "GB", "DE", "FR", "PH", "PH", "CA", "AU", "JP", "NL")
INTERESTS = ("cooking", "diy", "fitness", "gaming", "gardening", "music", "reading", "travel")
