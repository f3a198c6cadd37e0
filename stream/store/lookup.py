"""What somebody looks up by hand: a few customers of a prefix, samples, pages. Bounded, and
never writes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected
from stream.store.records import Customer, Member, to_customer

#: Keys that Redis looks at for one answer: below a millisecond of its time.
_SCAN = 1_000
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """Customers whose id begins as asked. `looked` of about `keys` keys were looked at."""

    customers: tuple[str, ...]
    looked: int
    keys: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Centroids:
    """The model in force: segment → one coordinate per feature, in the model's space."""

    version: int = 0
    trained_on: int = 0
    features: tuple[str, ...] = ()
    centroids: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class Lookup(Connected):
    """Every call raises StoreError if Redis does not answer. Usable from several threads."""

    def __init__(self, settings: Settings, *, timeout_seconds: float = 3.0) -> None:
        super().__init__(settings, timeout_seconds=timeout_seconds)

    def begin_with(self, prefix: str, most: int = 20, seconds: float = 2.0) -> Found:
        """Some customers of a prefix, within so much time and not all of them if there are many.

        Redis has no order of its keys: a part of them is looked at, in short steps.
        """
        pattern = keys.CUSTOMER_PREFIX + _literal(prefix) + "*"
        deadline = time.monotonic() + seconds
        found: dict[str, None] = {}
        cursor, looked = 0, 0
        with self._told:
            size = int(self._redis.dbsize())
            while True:
                cursor, names = self._redis.scan(cursor, pattern, _SCAN)
                looked += _SCAN
                found.update((name.removeprefix(keys.CUSTOMER_PREFIX), None) for name in names)
                if not cursor or len(found) >= most or time.monotonic() > deadline:
                    break
        return Found(tuple(sorted(found)[:most]), min(looked, size), size, not cursor)

    def centroids(self) -> Centroids:
        """The model in force; empty before the first."""
        names = ("version", "trained_on", "features", "centroids")
        with self._told:
            version, trained_on, features, centroids = self._redis.hmget(keys.MODEL, names)
        if not centroids:
            return Centroids()
        return Centroids(
            int(version or 0),
            int(trained_on or 0),
            tuple(json.loads(features or "[]")),
            {name: tuple(row) for name, row in json.loads(centroids).items()},
        )

    def sample(self, segments: Mapping[str, int]) -> list[Customer]:
        """Customers drawn by chance, so many of each segment; who left meanwhile is missing."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            for segment, count in segments.items():
                pipe.zrandmember(keys.members(segment), count)
            drawn = [name for names in pipe.execute() for name in names]
            for name in drawn:
                pipe.hgetall(keys.customer(name))
            rows = pipe.execute()
        return [to_customer(n, fields) for n, fields in zip(drawn, rows, strict=True) if fields]

    def shared(self, pairs: Sequence[tuple[str, str]], most: int) -> dict[tuple[str, str], float]:
        """Share of the first segment's members, of `most` drawn by chance, that the second has."""
        with self._told:
            pipe = self._redis.pipeline(transaction=False)
            firsts = sorted({first for first, _ in pairs})
            for first in firsts:
                pipe.zrandmember(keys.members(first), most)
            drawn = dict(zip(firsts, pipe.execute(), strict=True))
            asked = [pair for pair in pairs if drawn[pair[0]]]
            for first, second in asked:
                pipe.zmscore(keys.members(second), drawn[first])
            scores = pipe.execute()
        return {
            pair: sum(score is not None for score in found) / len(found)
            for pair, found in zip(asked, scores, strict=True)
        }

    def members_by_entry(self, segment: str) -> Iterator[list[Member]]:
        """Pages of everybody who is in the segment all the while, the longest members first."""
        key = keys.members(segment)
        last: int | None = None
        at_last: set[str] = set()
        while True:
            with self._told:
                rows = self._redis.zrangebyscore(
                    key, "-inf" if last is None else last, "+inf",
                    start=0, num=_PAGE + len(at_last), withscores=True,
                )  # fmt: skip
            page = [Member(name, int(at)) for name, at in rows if name not in at_last]
            if not page:
                return
            yield page
            if page[-1].entered_ms != last:
                last, at_last = page[-1].entered_ms, set()
            # Who entered at the same moment as the last one comes again with the next page.
            at_last.update(m.customer_id for m in page if m.entered_ms == last)


def _literal(prefix: str) -> str:
    """A pattern that only this text matches."""
    return "".join(f"\\{char}" if char in "\\*?[]^-" else char for char in prefix)
