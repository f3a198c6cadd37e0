"""Looks once a second, for all browsers together, and writes the history down."""

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from nicegui import Event

from stream.dashboard.alerts import Alert, Alerts
from stream.dashboard.elements import Packed
from stream.dashboard.elements import packed as packed_json
from stream.dashboard.figures import thresholds
from stream.dashboard.history import FINEST, History, Hour, Point, hours
from stream.dashboard.learned import LearnedCache
from stream.dashboard.logs import LogEnds
from stream.dashboard.moment import Ends, Moment, Moments
from stream.dashboard.remembered import Remembered
from stream.dashboard.sampled import ScatterCache
from stream.dashboard.structure import Structure, Turn
from stream.dashboard.text import now_ms
from stream.dashboard.webhook import Webhook
from stream.errors import AgosError
from stream.settings import Settings
from stream.store.collectors import CollectorWatcher
from stream.store.history import ALERTS_KEPT, HistoryStore
from stream.store.lookup import Lookup
from stream.store.reader import Reader
from stream.store.structure import StructureStore
from stream.store.watching import Watcher

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_ENDS_SECONDS = 2.0
_LOOKUP_SECONDS = 3.0
_FILL_SECONDS = 30.0
_HOUR_SECONDS, _HOUR_POINTS = 3_600, 40


@dataclass
class _Told:
    """A problem is logged once, when it begins and when it ends."""

    text: str = ""

    def tell(self, text: str) -> None:
        if text and not self.text:
            log.warning("%s", text)
        elif self.text and not text:
            log.info("over: %s", self.text)
        self.text = text


class Live:
    """The newest moment and the history.

    Attributes
    ----------
    moment
        None before Redis was first read.
    problem
        Why there is no newer moment; empty if there is.
    changed
        Told after every look, successful or not.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = thresholds(settings.thresholds)
        self.history = History()
        self.moment: Moment | None = None
        self.changed = Event[[]]()
        #: For what somebody looks up by hand; in threads of their own.
        self.reader = Reader(settings, timeout_seconds=_LOOKUP_SECONDS)
        self.lookup = Lookup(settings)
        self.learned = LearnedCache(settings, self.lookup)
        self.scatter = ScatterCache(settings)
        self.structure = Structure()
        self.alerts = Alerts(self.limits)
        #: Alerts that were raised or are over, newest first.
        self.told: deque[Alert] = deque(maxlen=ALERTS_KEPT)
        self.looked_ms = now_ms()
        self._made: dict[tuple[str, ...], Packed] = {}
        self._made_ms = self._hour_ms = 0
        self._hour: list[Point] = []
        self._hours_ms = 0
        self._hours: Mapping[str, Hour] = {}
        self._webhook = Webhook(settings.alert_webhook.get_secret_value())
        self._leads = True
        self._moments = Moments(settings.partitions)
        self._watcher = Watcher(settings)
        self._collectors = CollectorWatcher(settings)
        self._store = HistoryStore(settings)
        self._points = Remembered(settings, self._store)
        self._structures = StructureStore(settings)
        self._ends = Ends()
        self._logs = LogEnds(settings)
        self._name = uuid.uuid4().hex
        self._restored = False
        self._problem = _Told()
        self._tasks: list[asyncio.Task[None]] = []
        self._pointed_ms = self._judged_ms = 0

    def hour(self) -> list[Point]:
        """The last hour in few points; thinned out once for each new point."""
        if self._hour_ms != self.history.newest_ms:
            self._hour_ms = self.history.newest_ms
            self._hour = self.history.points(_HOUR_SECONDS, _HOUR_POINTS)
        return self._hour

    def hours(self) -> Mapping[str, Hour]:
        """The last hour of each segment; made once for each new point."""
        if self._hours_ms != self.history.newest_ms:
            self._hours_ms = self.history.newest_ms
            self._hours = hours(self.hour())
        return self._hours

    def once(self, key: tuple[str, ...], make: Callable[[], object]) -> Packed:
        """What `make` gives, as JSON: made once for all who ask before the next look."""
        if self._made_ms != self.looked_ms:
            self._made_ms = self.looked_ms
            self._made.clear()
        if key not in self._made:
            self._made[key] = packed_json(make())
        return self._made[key]

    @property
    def problem(self) -> str:
        """Why there is no newer moment."""
        return self._problem.text

    @property
    def past_problem(self) -> str:
        """Why the charts begin only now."""
        return self._points.problem

    def start(self) -> None:
        """Begin to look."""
        steps: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (_LOOK_SECONDS, self.look),
            (_ENDS_SECONDS, self._read_ends),
            (_FILL_SECONDS, self._fill),
        ]
        self._tasks = [asyncio.create_task(_every(seconds, step)) for seconds, step in steps]

    async def stop(self) -> None:
        """Look no more, and let another dashboard write the history."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(AgosError):
            await self._store.leave(self._name)
        await self._webhook.close()
        await self._watcher.close()
        await self._collectors.close()
        await self._store.close()
        await self._structures.close()
        for connected in (self._logs, self.reader, self.lookup, self.learned, self.scatter):
            await asyncio.to_thread(connected.close)

    async def look(self) -> None:
        """See what there is now, and tell everybody."""
        try:
            if not self._restored:
                await self._restore()
            seen, collectors = await asyncio.gather(self._watcher.look(), self._collectors.look())
            self.moment = self._moments.add(now_ms(), seen, self._ends, collectors)
            await self._remember(self.moment)
            await self._follow_model(self.moment)
            self._problem.tell("")
        except AgosError as error:
            self._problem.tell(str(error))
        self.looked_ms = now_ms()
        await self._alert(self.looked_ms)
        self.changed.emit()

    async def _alert(self, at_ms: int) -> None:
        """Every few seconds, see what ops should be told."""
        if at_ms - self._judged_ms < FINEST * 1000:
            return
        self._judged_ms = at_ms
        for alert in self.alerts.add(at_ms, self.moment, self.problem, self.history):
            log.warning("alert %s %s: %s", alert.rule, "over" if alert.until_ms else "raised",
                        alert.text if not alert.subject else alert.subject)  # fmt: skip
            self.told.appendleft(alert)
            if not self._leads:
                continue
            self._webhook.send(alert)
            with suppress(AgosError):
                await self._store.add_alert(msgspec.json.encode(alert))

    async def _follow_model(self, moment: Moment) -> None:
        """See what became of the clusters, whenever there is a new model."""
        if moment.seen.model_version in (0, self.structure.version):
            return
        published = await self._structures.published()
        turns = self.structure.add(moment.at_ms, published) if published else []
        if turns and self._leads:
            await self._structures.append([msgspec.json.encode(turn) for turn in turns])

    async def _restore(self) -> None:
        await self._points.restore(self.history)
        for text in await self._store.alerts():
            with suppress(msgspec.MsgspecError):
                self.told.append(msgspec.json.decode(text, type=Alert))
        stored_turns = [_turn(text) for text in await self._structures.load()]
        self.structure.restore([turn for turn in stored_turns if turn is not None])
        self._restored = True

    async def _remember(self, moment: Moment) -> None:
        """Every few seconds a point; the dashboard that leads stores it."""
        if moment.at_ms // (FINEST * 1000) == self._pointed_ms // (FINEST * 1000):
            return
        first, self._pointed_ms = not self._pointed_ms, moment.at_ms
        if first:
            return
        new = self.history.add(self._moments.point(moment))
        self._leads = await self._store.leads(self._name)
        if self._leads:
            await self._points.append(new)

    async def _fill(self) -> None:
        while not self._restored:
            await asyncio.sleep(_LOOK_SECONDS)
        await self._points.fill(self.history, now_ms())

    async def _read_ends(self) -> None:
        try:
            self._ends = Ends(await asyncio.to_thread(self._logs.read))
        except AgosError as error:
            self._ends = Ends(problem=str(error))


def _turn(text: bytes) -> Turn | None:
    try:
        return msgspec.json.decode(text, type=Turn)
    except msgspec.MsgspecError:
        # Of another version.
        return None


async def _every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    """Run a step again and again; a bug in it is logged, and the next one tries again."""
    loop = asyncio.get_running_loop()
    while True:
        begun = loop.time()
        try:
            await step()
        except Exception:
            log.exception("a bug, please report it")
        await asyncio.sleep(max(seconds - (loop.time() - begun), 0.05))
