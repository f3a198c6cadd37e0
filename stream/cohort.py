"""Customers of several partitions in one array, so that small batches share their overhead."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.columns import TABLE_BITS
from stream.customer import ROW, Table, get_rows, set_rows
from stream.extra import Extra


@dataclass(slots=True)
class Cohort:
    """Customers that are computed together.

    Attributes
    ----------
    tables
        Where they come from.
    bounds
        The customers of `tables[i]` are at the positions `bounds[i]` to `bounds[i + 1]`.
    rows
        Row of each customer in its table, shape (n,).
    state
        Copy of their rows, shape (n,), dtype `customer.ROW`.
    """

    tables: Sequence[Table]
    bounds: list[int]
    rows: NDArray[np.int64]
    state: NDArray[Any]

    @classmethod
    def gather(cls, tables: Sequence[Table], keys: NDArray[np.int64]) -> "Cohort":
        """Copy customers out of their tables; `keys` as in joined columns, sorted, each once."""
        if len(tables) == 1:
            return cls(tables, [0, len(keys)], keys, get_rows(tables[0].rows, keys))
        edges = np.arange(1, len(tables), dtype=np.int64) << TABLE_BITS
        bounds = [0, *np.searchsorted(keys, edges).tolist(), len(keys)]
        rows = keys & ((1 << TABLE_BITS) - 1)
        cohort = cls(tables, bounds, rows, np.empty(len(keys), ROW))
        for table, part in cohort.parts():
            set_rows(cohort.state, part, get_rows(table.rows, rows[part]))
        return cohort

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self) -> Iterator[tuple[Table, slice]]:
        """Each table with the positions of its customers."""
        for i, table in enumerate(self.tables):
            yield table, slice(self.bounds[i], self.bounds[i + 1])

    def scatter(self) -> None:
        """Write the rows back into their tables."""
        for table, part in self.parts():
            set_rows(table.rows, self.rows[part], self.state[part])

    def names(self) -> list[str]:
        """Name of each customer."""
        rows, found = self.rows.tolist(), []
        for table, part in self.parts():
            known = table.names
            found += [known[row] for row in rows[part]]
        return found

    def extras(self) -> list[Extra | None]:
        """Parts of variable size of each customer."""
        rows, found = self.rows.tolist(), []
        for table, part in self.parts():
            known = table.extra
            found += [known.get(row) for row in rows[part]]
        return found

    def panel(self) -> NDArray[np.float64]:
        """Place of each customer in the hash space that the model's panel is drawn from."""
        return np.concatenate([table.panel[self.rows[part]] for table, part in self.parts()])
