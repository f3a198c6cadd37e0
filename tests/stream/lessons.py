"""A trainer and samples for it, as tests need them."""

import json

import numpy as np

from stream.features import NAMES, VERSION
from stream.settings import Settings
from stream.store.model import ModelStore
from stream.topics import MODEL_SAMPLES
from stream.training import Training
from stream.transport import Batch
from tests.stream.fake_log import Record


def training(store: ModelStore, topic_id: str = "id-1", **settings: object) -> Training:
    return Training(Settings(panel=100, **settings), store, topic_id)  # type: ignore[arg-type]


def record(offset: int, value: bytes | None) -> Record:
    return Record(MODEL_SAMPLES, 0, offset, None, value)


def sample(customer: str, x: list[float], version: int = VERSION, at: int = 1) -> bytes:
    fields = {"customer": customer, "at": at, "features_version": version, "x": x}
    return json.dumps(fields).encode()


def samples(start: int, count: int = 60, seed: int = 0, called: str = "c") -> Batch:
    """Two kinds of customers, as plain as can be."""
    rng = np.random.default_rng(seed)
    records = []
    for number in range(start, start + count):
        kind = number % 2
        x = rng.poisson([1 + 40 * kind, 20, 3, *[30 * (1 - kind) + 1] * (len(NAMES) - 3)])
        records.append(record(number, sample(f"{called}{number % 60}", x.astype(float).tolist())))
    return Batch(MODEL_SAMPLES, 0, start, start + count, records)
