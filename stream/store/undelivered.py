"""Changes that a webhook did not take, kept until somebody sends them again."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from stream.settings import Settings
from stream.store.connect import client, told

#: Stream of what could not be delivered; the oldest go first.
UNDELIVERED = "agos:undelivered"
_KEPT = 100_000
_PAGE = 500
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One change that one webhook did not take."""

    position: str
    hook: str
    problem: str
    change: Mapping[str, Any]


class UndeliveredChanges:
    """Every method raises StoreError if Redis does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._redis: Any = client(settings, timeout_seconds=_TIMEOUT_SECONDS)
        self._told = told(settings.redis)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._redis.close()

    def add(self, hook: str, change: Mapping[str, Any], problem: str) -> None:
        """Keep a change."""
        fields = {"hook": hook, "problem": problem, "change": json.dumps(change)}
        with self._told:
            self._redis.xadd(UNDELIVERED, fields, maxlen=_KEPT)

    def read(self) -> Iterator[Undelivered]:
        """All that are kept, the oldest first."""
        after = "-"
        while True:
            with self._told:
                page = self._redis.xrange(UNDELIVERED, after, "+", count=_PAGE)
            for position, fields in page:
                change = json.loads(fields["change"])
                yield Undelivered(position, fields["hook"], fields["problem"], change)
            if len(page) < _PAGE:
                return
            after = f"({page[-1][0]}"

    def remove(self, position: str) -> None:
        """Forget one: it was delivered."""
        with self._told:
            self._redis.xdel(UNDELIVERED, position)
