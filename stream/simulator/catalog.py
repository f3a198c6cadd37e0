"""What the simulated shop sells: the same catalogue for every seed."""

import math
import random
from typing import NamedTuple


class Product(NamedTuple):
    """One article; `price_minor` in hundredths of the shop's currency."""

    product_id: str
    category: str
    price_minor: int


#: Category → typical price in currency units.
CATEGORIES = {
    "books": 15.0,
    "groceries": 6.0,
    "toys": 22.0,
    "beauty": 18.0,
    "fashion": 45.0,
    "shoes": 70.0,
    "home": 55.0,
    "garden": 60.0,
    "sports": 80.0,
    "office": 35.0,
    "electronics": 240.0,
    "furniture": 320.0,
}

_PER_CATEGORY = 60
_SPREAD = 0.6


def _products() -> dict[str, list[Product]]:
    shelf = random.Random("catalogue")
    return {
        category: [
            Product(
                f"{category[:3]}-{number:03d}",
                category,
                max(99, round(100 * shelf.lognormvariate(math.log(typical), _SPREAD))),
            )
            for number in range(_PER_CATEGORY)
        ]
        for category, typical in CATEGORIES.items()
    }


#: Category → its products, most popular first.
PRODUCTS = _products()


def pick(category: str, draw: float) -> Product:
    """Product for a uniform draw in [0, 1): popular ones come up more often."""
    return PRODUCTS[category][int(draw * draw * _PER_CATEGORY)]
