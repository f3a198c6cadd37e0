"""The store's compare-and-set, with two writers in any order and a Redis that goes back."""

import asyncio
from typing import Any

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from redis import Redis

from stream.settings import Settings
from stream.store.store import Store
from stream.store.write import Group, Move, Write
from stream.topics import INTERACTIONS, PURCHASES


class TwoWriters(RuleBasedStateMachine):
    """Two workers on one partition that know nothing of each other, and a Redis that goes back.

    Every offset is one event of the one customer there is: whatever happens, its events are the
    sum of both topics' offsets, and so is the counter.
    """

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.raw = Redis.from_url(self.url)
        self.raw.flushall()
        self.store = Store(Settings(redis=self.url))
        self.views: list[Any] = [({}, "", 0), ({}, "", 0)]
        self.pending: list[list[Write]] = [[], []]
        self.last: Write | None = None
        self.applied: list[tuple[str, int, int]] = []
        self.backups: list[tuple[dict[bytes, bytes], list[tuple[str, int, int]]]] = []
        self.topics: dict[str, str] = {}
        self.tokens = 0

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()
        self.raw.close()

    def run(self, call: Any) -> Any:
        return self.loop.run_until_complete(call)

    def look(self, who: int) -> None:
        positions = self.run(self.store.positions(3))
        ((state,),) = self.run(self.store.load([(3, ["c"])]))
        self.views[who] = (dict(positions.offsets), positions.writer, int(state or 0))

    @rule(who=st.integers(0, 1))
    def reads(self, who: int) -> None:
        self.look(who)
        self.pending[who] = []

    @rule(
        who=st.integers(0, 1),
        topic=st.sampled_from([PURCHASES, INTERACTIONS]),
        size=st.integers(1, 5),
    )
    def computes(self, who: int, topic: str, size: int) -> None:
        offsets, writer, events = self.views[who]
        self.tokens += 1
        token = f"{who}:{self.tokens}"
        start = offsets.get(topic)
        end = (start or 0) + size
        write = Write(
            3, token, writer, [Move(topic, start, end)],
            groups=[Group(("events",), 1, ["c", str(events + size).encode(), events + size, "x"])],
            counters={"applied": size},
        )  # fmt: skip
        self.pending[who] = [write]

    @precondition(lambda self: any(self.pending))
    @rule(who=st.integers(0, 1))
    def applies(self, who: int) -> None:
        if not self.pending[who]:
            return
        (write,) = self.pending[who]
        self.pending[who] = []
        (result,) = self.run(self.store.apply([write]))
        ends = self.ends()
        (move,) = write.moves
        fits = ends.get(move.topic) == move.start and write.expected_writer == self.writer()
        assert result.ok == fits
        if result.ok:
            self.applied.append((write.writer, move.end - (move.start or 0), move.end))
            self.last = write
            self.topics[write.writer] = move.topic
            offsets, _, events = self.views[who]
            size = move.end - (move.start or 0)
            self.views[who] = ({**offsets, move.topic: move.end}, write.writer, events + size)
        else:
            self.look(who)

    @precondition(lambda self: self.last is not None)
    @rule()
    def applies_the_last_one_again(self) -> None:
        assert self.last is not None
        if self.last.writer == self.writer():
            (again,) = self.run(self.store.apply([self.last]))
            assert again.ok

    @rule()
    def is_backed_up(self) -> None:
        keys = {key: self.raw.dump(key) for key in self.raw.scan_iter("*")}
        self.backups.append((keys, list(self.applied)))

    @precondition(lambda self: bool(self.backups))
    @rule(data=st.data())
    def goes_back(self, data: st.DataObject) -> None:
        keys, applied = data.draw(st.sampled_from(self.backups))
        self.raw.flushall()
        self.raw.script_flush()
        for key, value in keys.items():
            self.raw.restore(key, 0, value)
        self.applied = list(applied)

    def ends(self) -> dict[str, int]:
        return {self.topics[writer]: end for writer, _, end in self.applied}

    def writer(self) -> str:
        return self.applied[-1][0] if self.applied else ""

    @invariant()
    def every_event_counts_once(self) -> None:
        total = sum(size for _, size, _ in self.applied)
        offsets = {k.decode(): v.decode() for k, v in self.raw.hgetall("agos:{3}:offsets").items()}
        stored = {topic: int(offsets[topic]) for topic in self.ends()}
        assert stored == self.ends()
        assert sum(stored.values()) == total
        assert int(self.raw.hget("agos:customer:c", "events") or 0) == total
        assert int(self.raw.hget("agos:{3}:states", "c") or 0) == total
        assert int(self.raw.hget("agos:{3}:counters", "applied") or 0) == total
        assert offsets.get("writer", "") == self.writer()


def test_two_writers_in_any_order_count_every_event_once(redis_url: str) -> None:
    machine = type("TwoWritersHere", (TwoWriters,), {"url": redis_url})
    machine.TestCase.settings = hypothesis_settings(
        max_examples=40, stateful_step_count=30, deadline=None
    )
    case = machine.TestCase()
    case.runTest()
