"""Which samples are sent to the trainer, and when."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from stream.outbox import Message
from stream.sampling import Sampling


class Trainer:
    """Gets what is sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def send(self, messages: Sequence[Message]) -> None:
        self.messages.extend(messages)

    def samples(self) -> list[dict[str, Any]]:
        """What has come since one asked."""
        found = [json.loads(message.value or b"") for message in self.messages]
        self.messages.clear()
        return found


async def test_who_is_seen_several_times_is_one_sample_with_the_newest_vector() -> None:
    trainer = Trainer()
    sampling = Sampling(trainer.send)
    for at_ms in (1, 2, 3):
        sampling.take([("ana", np.full(2, float(at_ms)))], at_ms)
    await sampling.send()
    (sample,) = trainer.samples()
    assert (sample["customer"], sample["at"], sample["x"]) == ("ana", 3, [3.0, 3.0])
    await sampling.send()
    assert trainer.samples() == []


async def test_of_many_those_go_first_who_have_waited_longest() -> None:
    trainer = Trainer()
    sampling = Sampling(trainer.send)
    sampling.take([(f"c{n}", np.zeros(2)) for n in range(60)], 1)
    sampling.take([("c1", np.ones(2))], 2)
    await sampling.send(everybody=False)
    # A twentieth of them.
    assert [(s["customer"], s["at"]) for s in trainer.samples()] == [
        ("c0", 1),
        ("c1", 2),
        ("c2", 1),
    ]
    await sampling.send(everybody=False)
    # Of 57, not less than a twentieth.
    assert [s["customer"] for s in trainer.samples()] == ["c3", "c4", "c5"]
    await sampling.send()
    assert [s["customer"] for s in trainer.samples()] == [f"c{n}" for n in range(6, 60)]


async def test_a_bounded_number_waits() -> None:
    trainer = Trainer()
    sampling = Sampling(trainer.send)
    sampling.take([(f"c{n}", np.zeros(2)) for n in range(5_001)], 1)
    sampling.take([("c0", np.ones(2))], 2)
    await sampling.send()
    found = trainer.samples()
    assert len(found) == 5_000
    assert (found[0]["customer"], found[0]["at"]) == ("c0", 2)
