"""The panel: a few thousand customers, chosen by hash, with the latest vector of each."""

from collections.abc import Iterator, Sequence

import numpy as np
import xxhash

from models.space import F64, Ints

#: Customers to learn from unless somebody says otherwise. A tick costs in proportion; newcomers
#: are found sooner, as it takes a certain number of them to tell.
PANEL_SIZE = 3000
#: The panel may hold this many times the size asked for before its share is halved, so it
#: stays between 7/8 and 7/4 of that size: k means of n customers are off by k/n of the inertia,
#: and eight of 2,625 by a third of a percent.
OVERFLOW = 1.75
_SALT = 0x4D6F64656C


def panel_hash(customer: str) -> float:
    """Where a customer lies in the hash space, [0, 1); the same on every machine, for ever."""
    return (xxhash.xxh64_intdigest(customer.encode(), seed=_SALT) >> 11) * 2.0**-53


class Panel:
    """Latest vectors of the customers whose `panel_hash` is under `rate`; bounded.

    Each customer counts once: heavy users and the past do not shape the model by volume.

    Parameters
    ----------
    width
        Number of features.
    size
        Customers to hold, about (see `OVERFLOW`).
    """

    def __init__(self, width: int, size: int) -> None:
        if size < 1:
            raise ValueError(f"panel size: {size}, 1 or more expected")
        self.width, self.size, self.rate = width, size, 1.0
        self._most = int(size * OVERFLOW)
        self._row_of: dict[str, int] = {}
        self._customers: list[str] = []
        self._X = np.empty((16, width), dtype=np.float64)
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._customers)

    def __contains__(self, customer: str) -> bool:
        return customer in self._row_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._customers)

    @property
    def X(self) -> F64:
        """Raw vectors, shape (len, width); a view: valid until the next change."""
        return self._X[: len(self._customers)]

    @property
    def changed(self) -> int:
        """How many customers have a new vector since `take_changed`."""
        return len(self._changed)

    def take_changed(self) -> Ints:
        """Rows with a new vector since the last call."""
        rows = sorted(self._row_of[name] for name in self._changed if name in self._row_of)
        self._changed.clear()
        return np.array(rows, dtype=np.int64)

    def rows(self, customers: Sequence[str]) -> Ints:
        """Row of each customer, -1 if it is not here."""
        return np.array([self._row_of.get(name, -1) for name in customers], dtype=np.int64)

    def put(self, customer: str, x: F64) -> bool:
        """Keep a copy of `x` as the customer's vector; False if it is not of the panel."""
        row = self._row_of.get(customer)
        if row is None:
            if panel_hash(customer) >= self.rate:
                return False
            row = self._append(customer)
        self._X[row] = x
        self._changed.add(customer)
        if len(self._customers) > self._most:
            self._halve()
        return True

    def put_many(self, customers: Sequence[str], X: F64) -> None:
        """The same for many, shape (n, width); the last row of a customer counts."""
        rows = self.rows(customers)
        there = np.flatnonzero(rows >= 0)
        self._X[rows[there]] = X[there]
        self._changed.update(customers[i] for i in there.tolist())
        for i in np.flatnonzero(rows < 0).tolist():
            self.put(customers[i], X[i])

    def drop(self, customer: str) -> bool:
        """Remove a customer; the last one takes its row."""
        row = self._row_of.pop(customer, None)
        if row is None:
            return False
        last = self._customers.pop()
        if last != customer:
            self._customers[row] = last
            self._row_of[last] = row
            self._X[row] = self._X[len(self._customers)]
        self._changed.discard(customer)
        return True

    @property
    def pending(self) -> list[str]:
        """Customers with a new vector since `take_changed`."""
        return sorted(self._changed)

    def restore(
        self, customers: Sequence[str], X: F64, rate: float, pending: Sequence[str] = ()
    ) -> None:
        """Hold exactly these customers."""
        self.rate = rate
        self._customers = list(customers)
        self._row_of = {name: row for row, name in enumerate(self._customers)}
        self._X = np.array(X, dtype=np.float64).reshape(-1, self.width)
        if not len(self._X):
            self._X = np.empty((16, self.width), dtype=np.float64)
        self._changed = set(pending)

    def resize(self, size: int) -> None:
        """Hold another number of customers: leave some out now, or let more in from now on."""
        if size < 1:
            raise ValueError(f"panel size: {size}, 1 or more expected")
        if size == self.size:
            # A panel that has just been halved would be let grow again.
            return
        self.size, self._most = size, int(size * OVERFLOW)
        expected = len(self)
        while self.rate < 1.0 and 2 * expected <= self._most:
            self.rate, expected = 2.0 * self.rate, 2 * expected
        if len(self) > self._most:
            self._halve()

    def _append(self, customer: str) -> int:
        row = len(self._customers)
        if row == len(self._X):
            self._X = np.concatenate([self._X, np.empty_like(self._X)])
        self._customers.append(customer)
        self._row_of[customer] = row
        return row

    def _halve(self) -> None:
        """Half of the hash space leaves, so that about half of the customers stay."""
        while len(self._customers) > self._most:
            self.rate /= 2.0
            for customer in [name for name in self._customers if panel_hash(name) >= self.rate]:
                self.drop(customer)
