"""Where the points of the history are kept: in Redis, or all but the flows in a Prometheus."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

import msgspec

from stream.dashboard.history import KEPT, History, Point, packed, unpacked
from stream.dashboard.prometheus import Prometheus, PrometheusError
from stream.settings import Settings
from stream.store.history import HistoryStore

log = logging.getLogger(__name__)


class Remembered:
    """Fills a history once, and keeps what is new.

    Attributes
    ----------
    problem
        Why the past is not there (yet); empty if it is.
    """

    def __init__(self, settings: Settings, store: HistoryStore) -> None:
        self._store = store
        self._prometheus: Prometheus | None = None
        if settings.prometheus:
            token = settings.prometheus_token.get_secret_value()
            self._prometheus = Prometheus(settings.prometheus, token)
        self._stored: dict[int, list[Point]] = {}
        self.problem = ""

    async def restore(self, history: History) -> None:
        """Take in what Redis has. May raise StoreError."""
        for seconds in KEPT:
            stored = await asyncio.to_thread(_unpack, await self._store.load(seconds))
            self._stored[seconds] = stored
            if self._prometheus is None:
                # Those without figures were written beside a Prometheus.
                history.restore(seconds, [point for point in stored if point.figures])

    async def fill(self, history: History, now_ms: int) -> None:
        """Take in what Prometheus has, once; `problem` tells whether to try again."""
        if self._prometheus is None or not self._stored:
            return
        try:
            for seconds in sorted(self._stored):
                found = await asyncio.to_thread(self._prometheus.points, seconds, now_ms)
                history.restore(seconds, with_flows(found, self._stored[seconds]))
                del self._stored[seconds]
        except PrometheusError as error:
            if not self.problem:
                log.warning("the history is not there: %s", error)
            self.problem = str(error)
            return
        log.info("the history was read from Prometheus")
        self.problem = ""

    async def append(self, new: Mapping[int, Sequence[Point]]) -> None:
        """Keep what is new, by resolution. May raise StoreError."""
        if self._prometheus is not None:
            new = {s: [Point(p.at_ms, {}, {}, p.flows) for p in added] for s, added in new.items()}
        await self._store.append({s: [packed(p) for p in added] for s, added in new.items()}, KEPT)


def with_flows(points: Sequence[Point], stored: Sequence[Point]) -> list[Point]:
    """Points with the flows of those that were stored for the same time."""
    flows = {point.at_ms: point.flows for point in stored}
    return [msgspec.structs.replace(p, flows=flows.get(p.at_ms, p.flows)) for p in points]


def _unpack(stored: list[bytes]) -> list[Point]:
    return [point for text in stored if (point := unpacked(text)) is not None]
