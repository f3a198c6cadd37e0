"""How waiting batches are put into groups."""

import asyncio
from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from stream.gathering import Gathering
from stream.topics import INTERACTIONS, PURCHASES
from stream.transport import Batch


def batch(partition: int, start: int, size: int, topic: str = INTERACTIONS) -> Batch:
    return Batch(topic, partition, start, start + size, [None] * size)


class Worker:
    """Takes groups, and works on each until it is told that the group is done."""

    def __init__(self) -> None:
        self.groups: list[list[Batch]] = []
        self.ends: list[asyncio.Event] = []

    async def process(self, group: Sequence[Batch]) -> None:
        end = asyncio.Event()
        self.groups.append(list(group))
        self.ends.append(end)
        await end.wait()

    async def end(self, number: int) -> None:
        self.ends[number].set()
        await settle()

    async def end_all(self) -> None:
        while waiting := [end for end in self.ends if not end.is_set()]:
            waiting[0].set()
            await settle()


async def settle() -> None:
    for _ in range(6):
        await asyncio.sleep(0)


async def test_batches_of_one_fetch_go_together() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 100)
    gathering.add([batch(partition, 0, 5) for partition in range(3)])
    await settle()
    assert [[b.partition for b in group] for group in worker.groups] == [[0, 1, 2]]
    await worker.end_all()


async def test_what_comes_while_a_group_is_under_way_makes_the_next_one() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 100)
    gathering.add([batch(0, 0, 1)])
    await settle()
    for partition in (1, 2, 3):
        gathering.add([batch(partition, 0, 1)])
        await settle()
    assert len(worker.groups) == 1
    await worker.end(0)
    assert [b.partition for b in worker.groups[1]] == [1, 2, 3]
    await worker.end_all()


async def test_large_groups_run_beside_each_other_but_never_a_partition() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 100)
    for partition, start in ((0, 0), (1, 0), (0, 100), (2, 0)):
        gathering.add([batch(partition, start, 100)])
        await settle()
    assert [[b.partition for b in group] for group in worker.groups] == [[0], [1], [2]]
    await worker.end(0)
    assert [b.start for b in worker.groups[3]] == [100]
    await worker.end_all()


async def test_a_batch_that_does_not_follow_the_one_before_waits_for_its_turn() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 100)
    # Read again from 5, and on from there.
    gathering.add([batch(0, 0, 10), batch(0, 5, 10), batch(0, 15, 5)])
    await settle()
    await worker.end(0)
    assert [[(b.start, b.end) for b in group] for group in worker.groups] == [[(0, 10)], [(5, 20)]]
    await worker.end_all()


async def test_a_topics_batches_become_one_in_their_order() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 100)
    gathering.add([batch(0, 0, 10), batch(0, 10, 10), batch(0, 0, 10, PURCHASES)])
    await settle()
    taken = [[(b.topic, b.start, b.end, len(b.records)) for b in g] for g in worker.groups]
    assert taken == [[(INTERACTIONS, 0, 20, 20), (PURCHASES, 0, 10, 10)]]
    await worker.end_all()


async def test_there_is_room_while_nothing_waits() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 10)
    gathering.add([batch(0, 0, 1)])
    assert gathering.room.is_set()
    gathering.add([batch(0, 1, 1)])
    assert not gathering.room.is_set()
    await settle()
    await worker.end(0)
    assert gathering.room.is_set()
    assert [group[0].start for group in worker.groups] == [0, 1]
    await worker.end_all()


async def test_beside_large_groups_a_bounded_number_of_events_may_wait() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 10)
    for start in range(0, 40, 10):
        gathering.add([batch(0, start, 10)])
        assert gathering.room.is_set()
    gathering.add([batch(0, 40, 10)])
    assert not gathering.room.is_set()
    await settle()
    await worker.end(0)
    assert gathering.room.is_set()
    await worker.end_all()


async def test_there_is_room_while_a_group_is_written() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 10)
    gathering.add([batch(0, 0, 1)])
    gathering.add([batch(0, 1, 1)])
    assert not gathering.room.is_set()
    gathering.look_ahead()
    assert gathering.room.is_set()
    gathering.add([batch(0, 2, 40)])
    assert not gathering.room.is_set()
    await settle()
    await worker.end(0)
    # Another group is computed now, and something waits for it.
    gathering.add([batch(0, 42, 1)])
    assert not gathering.room.is_set()
    await worker.end_all()


async def test_the_end_waits_for_what_is_under_way_only() -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 10)
    gathering.add([batch(0, 0, 1)])
    await settle()
    gathering.add([batch(1, 0, 1)])
    ending = asyncio.create_task(gathering.finish(30.0))
    await settle()
    assert not ending.done()
    await worker.end(0)
    await ending
    assert len(worker.groups) == 1
    await worker.end_all()


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 40)), max_size=30),
    st.randoms(use_true_random=False),
)
def test_every_batch_is_taken_once_and_in_order(
    sizes: list[tuple[int, int]], random: Random
) -> None:
    asyncio.run(taken_once_and_in_order(sizes, random))


async def taken_once_and_in_order(sizes: list[tuple[int, int]], random: Random) -> None:
    worker = Worker()
    gathering = Gathering(worker.process, 50)
    starts = dict.fromkeys(range(4), 0)
    for partition, size in sizes:
        gathering.add([batch(partition, starts[partition], size)])
        starts[partition] += size
        await settle()
        under_way = [i for i, end in enumerate(worker.ends) if not end.is_set()]
        busy = [b.partition for i in under_way for b in worker.groups[i]]
        assert len(busy) == len(set(busy))
        if under_way and random.random() < 0.6:
            await worker.end(random.choice(under_way))
    await worker.end_all()
    ends = dict.fromkeys(range(4), 0)
    for taken in (b for group in worker.groups for b in group):
        assert taken.start == ends[taken.partition]
        ends[taken.partition] = taken.end
    assert ends == starts
