"""The change records, newest first, and what the memberships are at that moment."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected
from stream.store.records import Change, Member, to_change

PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What `agos:changes` holds. `whole`: nothing was ever taken off its end."""

    entries: int
    first_ms: int
    whole: bool


class Past(Connected):
    """Reads `agos:changes` backwards. Each call raises StoreError if Redis does not answer."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 10.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds)
        self._changes = settings.changes

    def kept(self) -> Kept:
        """How much the stream holds.

        Redis counts what was ever added from 7.0 on. Before, a stream that is shorter than
        `AGOS_CHANGES` is taken for whole: it is cut only when it is longer.
        """
        with self._told:
            if not self._redis.exists(keys.CHANGES):
                return Kept(0, 0, True)
            info = self._redis.xinfo_stream(keys.CHANGES)
        entries = int(info["length"])
        added = info.get("entries-added")
        whole = entries == int(added) if added is not None else entries < self._changes
        first = info.get("first-entry")
        return Kept(entries, int(first[0].partition("-")[0]) if first else 0, whole)

    def sizes(self, at_ms: int) -> tuple[dict[str, int], dict[str, dict[str, Any]], str]:
        """Of each segment, its members now that entered until `at_ms`; what is said of it; and
        the position of the last change then, all of one moment."""
        with self._told:
            described: dict[str, str] = self._redis.hgetall(keys.SEGMENTS)
            pipe = self._redis.pipeline(transaction=True)
            for segment in described:
                pipe.zcount(keys.members(segment), "-inf", at_ms)
            pipe.xrevrange(keys.CHANGES, count=1)
            *counts, last = pipe.execute()
        sizes = dict(zip(described, map(int, counts), strict=True))
        known = {segment: json.loads(text) for segment, text in described.items()}
        return sizes, known, str(last[0][0]) if last else "0-0"

    def stayed(self, segment: str, at_ms: int, limit: int) -> list[Member]:
        """Members now that entered until `at_ms`, the newest first."""
        if limit < 1:
            return []
        with self._told:
            rows = self._redis.zrevrangebyscore(
                keys.members(segment), at_ms, "-inf", start=0, num=limit, withscores=True
            )
        return [Member(name, int(at)) for name, at in rows]

    def since(self, customer_id: str, segments: Sequence[str]) -> dict[str, int]:
        """Segment → ms when the customer entered it, of those that it is in."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for segment in segments:
                pipe.zscore(keys.members(segment), customer_id)
            scores = pipe.execute()
        return {name: int(at) for name, at in zip(segments, scores, strict=True) if at is not None}

    def changes(
        self, until: str = "+", *, customer_id: str | None = None, most: int | None = None
    ) -> Iterator[Change]:
        """Changes from `until` back to the first that is kept.

        Parameters
        ----------
        customer_id
            Only those of this customer.
        most
            How many are looked at, of all customers.
        """
        before, left = until, most
        while left is None or left > 0:
            with self._told:
                page = self._redis.xrevrange(keys.CHANGES, before, "-", count=PAGE)
            for position, fields in page[:left]:
                if customer_id is None or fields["customer"] == customer_id:
                    yield to_change(position, fields)
            if len(page) < PAGE:
                return
            before = f"({page[-1][0]}"
            left = None if left is None else left - len(page)
