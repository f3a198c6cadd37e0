"""The trainer's life: samples in, the state and the snapshots out, in one worker at a time."""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import msgspec
import numpy as np

from models.errors import InvalidState
from models.trainer import Trainer
from stream import features
from stream.errors import OffsetError
from stream.events import ModelSample
from stream.settings import Settings
from stream.store.model import ModelStore, TrainerPosition
from stream.topics import MODEL_SAMPLES
from stream.transport import Batch

log = logging.getLogger(__name__)


class _Sample(msgspec.Struct):
    customer: str
    features_version: int
    x: list[float]


_read = msgspec.json.Decoder(_Sample).decode
assert set(_Sample.__struct_fields__) <= set(ModelSample.model_fields)


class Training:
    """Learns from the one partition of `model-samples`; idle in workers that do not own it."""

    def __init__(self, settings: Settings, store: ModelStore, topic_id: str) -> None:
        self._settings, self._store, self._topic_id = settings, store, topic_id
        self._token, self._serial = uuid.uuid4().hex[:12], count(1)
        self._trainer: Trainer | None = None
        self._stored = TrainerPosition(None, "", "", None)
        self._end = 0
        self.failures = 0
        self._lock = asyncio.Lock()

    @property
    def active(self) -> bool:
        """Whether this worker is the trainer."""
        return self._trainer is not None

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
            self._trainer = self._revive(self._stored.state)
            stored = self._stored.offset
            self._end = first if stored is None else max(stored, first)
            return self._end

    def leave(self) -> None:
        """Stop being the trainer."""
        self._trainer = None

    async def learn(self, batch: Batch) -> bool:
        """Take samples in; False if some were missed and must be read again."""
        async with self._lock:
            if self._trainer is None or batch.end <= self._end:
                return True
            if batch.start is None or batch.start > self._end:
                return False
            samples = _samples(batch.records)
            if samples:
                vectors = np.array([sample.x for sample in samples])
                self._trainer.update_many([sample.customer for sample in samples], vectors)
            self._end = batch.end
            return True

    async def tick(self) -> bool:
        """Learn, store, perhaps publish; False if this worker is no longer the trainer."""
        async with self._lock:
            trainer = self._trainer
            if trainer is None or self._end == self._stored.offset:
                return True
            try:
                snapshot = await asyncio.to_thread(trainer.tick)
            except Exception:
                # The model may fail; the counting goes on. It starts again from what is stored.
                log.exception("the model could not learn; it starts again from its stored state")
                self.failures += 1
                self._trainer = self._revive(self._stored.state)
                return True
            state = await asyncio.to_thread(trainer.to_bytes)
            gone = await self._store.empty_retired(trainer.snapshot) if trainer.snapshot else []
            writer = f"{self._token}:{next(self._serial)}"
            after = TrainerPosition(self._end, self._topic_id, writer, state)
            if not await self._store.save(self._stored, after, snapshot, gone):
                log.warning("another trainer has written; reading its state")
                self._trainer = None
                return False
            self._stored = after
            if snapshot is not None:
                named = ", ".join(segment.name for segment in snapshot.segments)
                log.info("model version %d: %s", snapshot.version, named)
            return True

    def _revive(self, state: bytes | None) -> Trainer:
        settings = self._settings
        new = Trainer(features.NAMES, settings.seed, settings.clusterer, settings.panel)
        if state is None:
            return new
        try:
            old = Trainer.from_bytes(state)
        except InvalidState as error:
            log.warning("the stored trainer cannot be used, starting anew: %s", error)
            return new
        same = (old.features, old.clusterer, old.panel_size)
        if same != (new.features, new.clusterer, new.panel_size):
            log.warning("the stored trainer has other settings, starting anew")
            return new
        return old


def _samples(records: Sequence[Any]) -> list[_Sample]:
    samples = []
    for record in records:
        try:
            sample = _read(record.value or b"")
        except msgspec.MsgspecError:
            log.warning("sample at offset %d cannot be read, passed over", record.offset)
            continue
        if sample.features_version == features.VERSION and len(sample.x) == len(features.NAMES):
            samples.append(sample)
    return samples
