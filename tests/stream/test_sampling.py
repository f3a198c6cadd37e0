"""Which samples are sent to the trainer, and when."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from stream.outbox import Message
from stream.sampling import Sampling


async def test_who_is_seen_again_before_samples_are_sent_is_one_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream.sampling._WAIT_SECONDS", 3_600.0)
    sent: list[Message] = []

    async def send(messages: Sequence[Message]) -> None:
        sent.extend(messages)

    sampling = Sampling(send)
    await sampling.send(at_once=False)
    for at_ms in (1, 2, 3):
        sampling.take([("ana", np.full(2, float(at_ms)))], at_ms)
        await sampling.send(at_once=False)
    assert sent == []
    await sampling.send()
    (sample,) = [json.loads(message.value or b"") for message in sent]
    assert (sample["customer"], sample["at"], sample["x"]) == ("ana", 3, [3.0, 3.0])
    # As many as may wait do not wait any longer.
    sampling.take([(f"c{n}", np.zeros(2)) for n in range(5_001)], 4)
    await sampling.send(at_once=False)
    assert len(sent) == 1 + 5_000
