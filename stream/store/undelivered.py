"""Changes that a webhook did not take, kept until somebody sends them again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stream.store import keys
from stream.store.connect import Connected

_KEPT = 100_000
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One change that one webhook did not take."""

    position: str
    hook: str
    problem: str
    change: Mapping[str, Any]


class UndeliveredChanges(Connected):
    """Every method raises StoreError if Redis does not answer."""

    def add(self, hook: str, change: Mapping[str, Any], problem: str) -> None:
        """Keep a change."""
        fields = {"hook": hook, "problem": problem, "change": json.dumps(change)}
        with self._told:
            self._redis.xadd(keys.UNDELIVERED, fields, maxlen=_KEPT)

    def read(self) -> Iterator[Undelivered]:
        """All that are kept, the oldest first."""
        after = "-"
        while True:
            with self._told:
                page = self._redis.xrange(keys.UNDELIVERED, after, "+", count=_PAGE)
            for position, fields in page:
                change = json.loads(fields["change"])
                yield Undelivered(position, fields["hook"], fields["problem"], change)
            if len(page) < _PAGE:
                return
            after = f"({page[-1][0]}"

    def remove(self, position: str) -> None:
        """Forget one: it was delivered."""
        with self._told:
            self._redis.xdel(keys.UNDELIVERED, position)
