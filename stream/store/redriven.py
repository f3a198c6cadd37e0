"""Which dead letters were sent back already, so that nobody sends one twice."""

from collections.abc import Mapping, Sequence

from stream.store import keys
from stream.store.connect import Connected


class Redriven(Connected):
    """The letters that were sent back; as long-lived as the letters themselves."""

    def among(self, letter_ids: Sequence[str]) -> set[str]:
        """Those of `letter_ids` that were sent back."""
        if not letter_ids:
            return set()
        with self._told:
            scores = self._redis.zmscore(keys.REDRIVEN, letter_ids)
        return {name for name, score in zip(letter_ids, scores, strict=True) if score is not None}

    def add(self, offsets: Mapping[str, int]) -> None:
        """Remember letters: id → their offset in the topic of dead letters."""
        with self._told:
            self._redis.zadd(keys.REDRIVEN, dict(offsets))

    def forget_before(self, offset: int) -> None:
        """Forget letters that the topic no longer has."""
        with self._told:
            self._redis.zremrangebyscore(keys.REDRIVEN, "-inf", f"({offset}")
