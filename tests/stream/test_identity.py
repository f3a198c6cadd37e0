"""Merges on a real Redis and a log of lists: every event counts once, under the id it ends at."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from stream.merging import packed
from stream.store.forget import Forgetter
from stream.store.reader import Reader
from stream.topics import INTERACTIONS, PROFILES, PURCHASES, partition_of
from tests.stream.fake_log import Killed, Log, Worker, names
from tests.stream.shop import (
    PARTITIONS,
    counted,
    figures,
    interaction,
    letters,
    purchase,
    settings_for,
    url_of,
)

HERE, HERE_TOO = names(0, PARTITIONS, 2)
THERE, THERE_TOO = names(1, PARTITIONS, 2)
IDS = (HERE, THERE, HERE_TOO, THERE_TOO)
#: What happens: an id and 0 for a view, an id and an amount for an order, or two ids for an
#: identify of the first one that names the second.
Story = list[tuple[str, int | str]]


def identify(known: str, earlier: str, number: int, **more: Any) -> dict[str, Any]:
    fields = {"traits": {"plan": "gold"}, "anonymous_id": earlier, **more}
    return interaction(known, 10_000 + number) | fields


def log_of(story: Story) -> Log:
    log = Log(PARTITIONS)
    for number, (name, what) in enumerate(story):
        if isinstance(what, str):
            log.publish(PROFILES, identify(name, what, number))
        elif what:
            log.publish(PURCHASES, purchase(name, number, what))
        else:
            log.publish(INTERACTIONS, interaction(name, number))
    return log


def groups_of(story: Story) -> dict[str, frozenset[str]]:
    """Everybody → all that are the same person."""
    groups = {name: frozenset([name]) for name, _ in story}
    for name, what in story:
        if isinstance(what, str):
            both = groups[name] | groups.get(what, frozenset([what]))
            groups.update(dict.fromkeys(both, both))
    return groups


def totals_of(story: Story) -> dict[frozenset[str], tuple[int, int, int]]:
    """Person → events, orders and spend, added up by hand."""
    groups, found = groups_of(story), dict[frozenset[str], tuple[int, int, int]]()
    for name, what in story:
        events, orders, spend = found.get(groups[name], (0, 0, 0))
        amount = what if isinstance(what, int) else 0
        found[groups[name]] = events + 1, orders + (amount > 0), spend + 100 * amount
    return found


def assert_exact(redis: Redis, story: Story) -> None:
    groups = groups_of(story)
    found: dict[frozenset[str], tuple[int, ...]] = {}
    for name, (events, orders, spend, *_) in figures(redis).items():
        before = found.get(groups[name], (0, 0, 0))
        found[groups[name]] = before[0] + events, before[1] + orders, before[2] + spend
    assert found == totals_of(story)
    for key in redis.scan_iter("agos:link:*"):
        name = key.removeprefix("agos:link:")
        assert not redis.exists(f"agos:customer:{name}")
        assert groups[str(redis.get(key))] == groups[name]
        for members in redis.scan_iter("agos:segment:*:members"):
            assert redis.zscore(members, name) is None
        assert redis.zscore(f"agos:{{{partition_of(name, PARTITIONS)}}}:due", name) is None
    for partition in range(PARTITIONS):
        assert not redis.exists(f"agos:{{{partition}}}:transfers")


async def live(redis: Redis, log: Log, most: int = 1_000, *, together: bool = False) -> None:
    async with Worker(log, settings_for(redis)) as worker:
        await worker.assign()
        await worker.drain(most, together=together)


PLAIN: Story = [(THERE, 0), (THERE, 30), (HERE, 0), (HERE, THERE), (THERE, 0), (HERE, 12)]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("most", [1, 1_000])
async def test_the_anonymous_customer_becomes_the_known_one(
    redis: Redis, most: int, together: bool
) -> None:
    log = log_of(PLAIN)
    await live(redis, log, most, together=together)
    assert figures(redis).keys() == {HERE}
    assert figures(redis)[HERE][:3] == (6, 2, 4200)
    assert redis.get(f"agos:link:{THERE}") == HERE
    assert_exact(redis, PLAIN)
    assert counted(redis)["handed_over"] == counted(redis)["merged"] == 1
    # Whatever comes later under the old id, and who names it again.
    log.publish(INTERACTIONS, interaction(THERE, 500))
    log.publish(PURCHASES, purchase(THERE, 501, 1))
    log.publish(PROFILES, identify(HERE, THERE, 502))
    log.publish(INTERACTIONS, interaction(THERE, 0))
    await live(redis, log, most, together=together)
    assert figures(redis)[HERE][:3] == (9, 3, 4300)
    # The last one repeats what the anonymous customer had done.
    assert counted(redis)["duplicates"] == 1
    requests = [value for _, value in log.everything() if b"merge_into" in (value or b"")]
    assert len(requests) == 1


async def test_an_alias_and_an_id_that_nothing_is_known_of(redis: Redis) -> None:
    log = Log(PARTITIONS)
    alias = identify(HERE, HERE_TOO, 1, previous_id=THERE, traits={})
    log.publish(PROFILES, alias)
    await live(redis, log)
    assert {name: redis.get(f"agos:link:{name}") for name in (THERE, HERE_TOO)} == {
        THERE: HERE,
        HERE_TOO: HERE,
    }
    log.publish(INTERACTIONS, interaction(THERE, 2))
    log.publish(INTERACTIONS, interaction(HERE_TOO, 3))
    await live(redis, log)
    assert {name: found[0] for name, found in figures(redis).items()} == {HERE: 3}


STORIES: list[Story] = [
    PLAIN,
    # A chain, from both ends, and a circle.
    [(HERE, 5), (THERE, 0), (THERE, HERE), (HERE_TOO, THERE), (HERE, 0), (THERE, 7)],
    [(HERE, 5), (THERE, 0), (HERE_TOO, THERE), (THERE, HERE), (HERE, 0), (THERE, 7)],
    [(HERE, 3), (THERE, 4), (THERE, HERE), (HERE, THERE), (HERE, 0), (THERE, 0)],
]


class Steps:
    """Everything that a worker asks of others, numbered; one of them is the last that it does."""

    def __init__(self, worker: Worker, last: int) -> None:
        self.done, self.last = 0, last
        pipeline: Any = worker.pipeline
        for sends in (pipeline, pipeline._handing):  # noqa: SLF001
            sends._send = self._counting(sends._send)  # noqa: SLF001
        store: Any = worker.store
        for name in ("load", "apply", "transfers", "transferred"):
            setattr(store, name, self._counting(getattr(store, name)))

    def _counting(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def counting(*args: Any) -> Any:
            self._step()
            result = await call(*args)
            self._step()
            return result

        return counting

    def _step(self) -> None:
        self.done += 1
        if self.done >= self.last:
            raise Killed


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("together", [False, True])
async def test_a_worker_killed_at_any_step_moves_everything_once(
    redis: Redis, story: Story, together: bool
) -> None:
    step, killed = 0, True
    while killed:
        step += 1
        redis.flushall()
        log, killed = log_of(story), False
        async with Worker(log, settings_for(redis)) as worker:
            Steps(worker, step)
            try:
                await worker.assign()
                await worker.drain(2, together=together)
            except Killed:
                killed = True
        await live(redis, log, 2, together=together)
        assert_exact(redis, story)
    assert step > 20


ids = st.sampled_from(IDS)
stories = st.lists(
    st.tuples(ids, st.just(0)) | st.tuples(ids, st.integers(1, 99)) | st.tuples(ids, ids),
    max_size=25,
).map(lambda story: [(name, 0 if what == name else what) for name, what in story])


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    stories, st.lists(st.integers(1, 40), max_size=3), st.sampled_from([1, 2, 1_000]), st.booleans()
)
def test_whatever_is_merged_with_whatever_counts_once(
    redis: Redis, story: Story, kills: list[int], most: int, together: bool
) -> None:
    redis.flushall()
    log = log_of(story)

    async def lives() -> None:
        for last in kills:
            async with Worker(log, settings_for(redis)) as worker:
                Steps(worker, last)
                try:
                    await worker.assign()
                    await worker.drain(most, together=together)
                except Killed:
                    pass
        await live(redis, log, most, together=together)

    asyncio.run(lives())
    assert_exact(redis, story)
    # Sent on for ever, the log would not end.
    assert not letters(log)


async def test_a_transfer_that_comes_again_counts_once(redis: Redis) -> None:
    log = log_of(PLAIN)
    await live(redis, log)
    place = (PROFILES, partition_of(HERE, PARTITIONS))
    sent = [r for r in log.records[place] if b"merged_state" in (r.value or b"")]
    assert len(sent) == 1
    log.append(*place, sent[0].value, sent[0].key)
    await live(redis, log)
    assert figures(redis)[HERE][:3] == (6, 2, 4200)
    assert counted(redis)["merge_repeats"] == 1


async def test_a_message_that_cannot_be_read_is_a_dead_letter(redis: Redis) -> None:
    log = Log(PARTITIONS)
    broken: Sequence[dict[str, Any]] = (
        {"merge_into": 5},
        {"merged_state": "?", "via": [THERE]},
        {"merged_state": packed(b"\x01\x00\x01\x93"), "via": [THERE]},
    )
    for number, fields in enumerate(broken):
        log.publish(PROFILES, interaction(HERE, number) | {"traits": {}} | fields)
    log.publish(INTERACTIONS, interaction(HERE, 7))
    await live(redis, log)
    assert Counter(letter["reason"] for letter in letters(log)) == {"broken-merge": 3}
    assert figures(redis)[HERE][0] == 1


async def test_readers_follow_the_link_and_forgetting_ends_it(redis: Redis) -> None:
    log = log_of(PLAIN)
    await live(redis, log)
    with Reader(url_of(redis)) as reader:
        found = reader.customer(THERE)
        assert found is not None
        assert (found.customer_id, found.events) == (HERE, 6)
        assert reader.segments(THERE) == reader.segments(HERE)
        assert reader.customer("nobody") is None
    with Forgetter(settings_for(redis)) as forgetter:
        forgetter.forget(HERE)
    left = [key for key in redis.scan_iter("*") if HERE in key or THERE in key]
    assert left == []
    assert all(
        HERE not in json.dumps(redis.hgetall(f"agos:{{{p}}}:transfers")) for p in range(PARTITIONS)
    )
