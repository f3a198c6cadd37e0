"""The trainer's life: samples in, the state and the snapshots out, in one worker at a time."""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
import numpy as np

from models.errors import InvalidState
from models.languages import LANGUAGES
from models.league import SHADOW_ROUNDS
from models.learning import Learning, Lesson
from models.registry import clusterers
from models.snapshot import Snapshot
from models.trainer import Trainer
from stream import features
from stream.errors import ConfigurationError, OffsetError, StoreError
from stream.samples import Sample, read
from stream.settings import Settings
from stream.store.learned import League
from stream.store.marks import digest_of
from stream.store.model import Learned, ModelStore, TrainerPosition
from stream.topics import MODEL_SAMPLES
from stream.transport import Batch

log = logging.getLogger(__name__)

#: Samples taken in before other work of the worker gets a turn: about 1 ms.
_PART = 100
#: Between looks for forgotten customers among those that were learned from.
_FORGET_SECONDS = 20.0
#: Share of one core that challengers may take.
_SHADOW_SHARE = 0.02


class Training:
    """Learns from the one partition of `model-samples`; idle in workers that do not own it.

    Raises
    ------
    ConfigurationError
        If a clusterer of the settings is not known.
    """

    def __init__(self, settings: Settings, store: ModelStore, topic_id: str) -> None:
        self._settings, self._store, self._topic_id = settings, store, topic_id
        self._challengers = _challengers(settings)
        self._token, self._serial = uuid.uuid4().hex[:12], count(1)
        self._learning: Learning | None = None
        self._stored = TrainerPosition(None, "", "", None)
        self._end = 0
        self._failures = 0
        self._next_round_seconds = 0.0
        self._next_look_seconds = 0.0
        self._lock = asyncio.Lock()

    @property
    def active(self) -> bool:
        """Whether this worker is the trainer."""
        return self._learning is not None

    @property
    def expected(self) -> int:
        """Next offset of `model-samples` to learn from."""
        return self._end

    async def assign(self, first: int) -> int:
        """Become the trainer; from which offset to read.

        Samples are only good for learning, so those that have expired are passed over.
        """
        async with self._lock:
            self._stored = await self._store.trainer()
            if self._stored.topic_id and self._topic_id not in ("", self._stored.topic_id):
                raise OffsetError(
                    f"topic {MODEL_SAMPLES!r} was deleted and created anew; delete agos:trainer "
                    "to learn from its beginning"
                )
            self._learning = await self._revive(self._stored.state)
            stored = self._stored.offset
            self._end = first if stored is None else max(stored, first)
            return self._end

    def leave(self) -> None:
        """Stop being the trainer."""
        self._learning = None

    async def learn(self, batch: Batch) -> bool:
        """Take samples in; False if some were missed and must be read again."""
        async with self._lock:
            learning = self._learning
            if learning is None or batch.end <= self._end:
                return True
            if batch.start is None or batch.start > self._end:
                return False
            for start in range(0, len(batch.records), _PART):
                _take(learning, _samples(batch.records[start : start + _PART]))
                await asyncio.sleep(0)
            self._end = batch.end
            return True

    async def tick(self) -> bool:
        """Learn, store, perhaps publish; False if this worker is no longer the trainer.

        The learning itself is done in a thread: events go on meanwhile.
        """
        async with self._lock:
            learning = self._learning
            if learning is None:
                return True
            if not await self._forget(learning) and self._end == self._stored.offset:
                return True
            wanted = await self._wanted()
            try:
                lesson, league = await asyncio.to_thread(self._learn, learning, wanted)
                state = await asyncio.to_thread(learning.to_bytes)
            except Exception:
                # The model may fail; the counting goes on. Samples taken in since the last write
                # are passed over: read again, they might fail again.
                log.exception("the model could not learn; it starts again from its stored state")
                self._failures += 1
                revived = await self._revive(self._stored.state)
                if self._learning is learning:
                    self._learning = revived
                return True
            return await self._keep(learning.trainer, lesson, league, state)

    async def _forget(self, learning: Learning) -> bool:
        """Keep nothing of who was forgotten; whether there was anybody.

        Whoever comes back later is not learned from either: the mark stays.
        """
        if time.monotonic() < self._next_look_seconds:
            return False
        self._next_look_seconds = time.monotonic() + _FORGET_SECONDS
        names = sorted(learning.trainer.known_customers())
        digests = await asyncio.to_thread(lambda: [digest_of(name) for name in names])
        marked = await self._store.forgotten(digests)
        gone = [name for name, forgotten in zip(names, marked, strict=True) if forgotten]
        learning.trainer.forget(*gone)
        return bool(gone)

    def _learn(self, learning: Learning, wanted: str) -> tuple[Lesson, str]:
        """A tick, and a round of the league if it is due: its JSON, empty if not."""
        lesson = learning.tick()
        began = time.thread_time()
        if time.monotonic() < self._next_round_seconds:
            return lesson, ""
        if learning.compete(wanted):
            log.info("%s is the clusterer in force now", wanted)
        spent = time.thread_time() - began
        self._next_round_seconds = time.monotonic() + spent / _SHADOW_SHARE
        return lesson, self._league(learning, wanted).to_json()

    def _league(self, learning: Learning, wanted: str) -> League:
        return League(
            updated_ms=time.time_ns() // 1_000_000,
            in_force=learning.trainer.clusterer,
            wanted=wanted,
            shadow_rounds=SHADOW_ROUNDS,
            failures=self._failures,
            standings=tuple(learning.standings()),
        )

    async def _keep(self, trainer: Trainer, lesson: Lesson, league: str, state: bytes) -> bool:
        """Store what a tick brought, and say it."""
        words = LANGUAGES[trainer.language]
        version = trainer.snapshot.version if trainer.snapshot else 0
        learned = Learned(
            trainer.next_id,
            lesson.snapshot,
            await self._store.empty_retired(trainer.snapshot) if trainer.snapshot else (),
            [
                {
                    "feature": alert.feature,
                    "shift": f"{alert.shift:.3f}",
                    "since_ms": str(alert.since_ms),
                    "noticed_ms": str(alert.noticed_ms),
                    "text": alert.sentence(words),
                    "model_version": str(version),
                }
                for alert in lesson.alerts
            ],
            league,
        )
        writer = f"{self._token}:{next(self._serial)}"
        after = TrainerPosition(self._end, self._topic_id, writer, state)
        if not await self._store.save(self._stored, after, learned):
            log.warning("another trainer has written; reading its state")
            self._learning = None
            return False
        self._stored = after
        for fields in learned.alerts:
            log.warning("drift: %s", fields["text"])
        if lesson.snapshot is not None:
            named = ", ".join(segment.name for segment in lesson.snapshot.segments)
            log.info("model version %d: %s", lesson.snapshot.version, named)
        return True

    async def _wanted(self) -> str:
        """The clusterer that somebody asked for, or the one of the settings."""
        asked = await self._store.wanted()
        if asked and asked not in clusterers():
            log.warning("clusterer %r was asked for, one of %s expected", asked, clusterers())
            return self._settings.clusterer
        return asked or self._settings.clusterer

    async def _revive(self, state: bytes | None) -> Learning:
        """The learning that was stored; a new one, with ids of its own, if it cannot be used."""
        settings, next_id = self._settings, await self._store.next_id()
        if state is not None:
            try:
                # Some clusterers learn the panel anew here, which takes seconds.
                old = await asyncio.to_thread(Learning.from_bytes, state, self._challengers)
            except InvalidState as error:
                log.warning("the stored trainer cannot be used, starting anew: %s", error)
            else:
                if old.trainer.features == features.NAMES:
                    old.trainer.speak(settings.language)
                    old.trainer.resize(settings.panel)
                    old.trainer.adopt(None, next_id)
                    return old
                log.warning("the stored trainer has other features, starting anew")
        new = Trainer(
            features.NAMES, settings.seed, settings.clusterer, settings.panel, settings.language
        )
        new.adopt(await self._published(), next_id)
        return Learning(new, self._challengers)

    async def _published(self) -> Snapshot | None:
        """The model in force, if one like it can go on from it."""
        try:
            _, snapshot = await self._store.snapshot("")
        except StoreError as error:
            log.warning("the published model cannot be used, starting anew: %s", error)
            return None
        fits = snapshot is not None and snapshot.features == features.NAMES
        return snapshot if fits else None


def _challengers(settings: Settings) -> list[str]:
    names = [name.strip() for name in settings.challengers.split(",") if name.strip()]
    for variable, given in (
        ("AGOS_CLUSTERER", [settings.clusterer]), ("AGOS_CHALLENGERS", names),
    ):  # fmt: skip
        for name in given:
            if name not in clusterers():
                raise ConfigurationError(f"{variable}: {name!r}, one of {clusterers()} expected")
    return names


def _take(learning: Learning, samples: Sequence[Sample]) -> None:
    if samples:
        vectors = np.array([sample.x for sample in samples])
        at_ms = np.array([sample.at for sample in samples], dtype=np.int64)
        learning.take([sample.customer for sample in samples], vectors, at_ms)


def _samples(records: Sequence[Any]) -> list[Sample]:
    samples = []
    for record in records:
        try:
            sample = read(record.value or b"")
        except msgspec.MsgspecError:
            log.warning("sample at offset %d cannot be read, passed over", record.offset)
            continue
        if sample.current:
            samples.append(sample)
    return samples
