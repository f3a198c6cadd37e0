"""`agos repartition` with the topics of a real broker."""

import pytest
from redis import Redis

from stream import admin
from stream.local import EmbeddedBroker
from stream.settings import Settings
from stream.store.repartition import Repartitioner
from stream.topics import PURCHASES, partition_of
from tests.conftest import remove_topics

CUSTOMERS = [f"c{number}" for number in range(40)]


@pytest.fixture
def topics(embedded_broker: EmbeddedBroker, redis_url, monkeypatch):
    """Has the environment and the topics, new ones, be of so many partitions; their ids."""
    monkeypatch.setenv("AGOS_KAFKA", embedded_broker.address)
    monkeypatch.setenv("AGOS_REDIS", redis_url)

    def create(partitions: int) -> dict[str, str]:
        remove_topics(embedded_broker)
        monkeypatch.setenv("AGOS_PARTITIONS", str(partitions))
        admin.create(Settings())
        return admin.check(Settings())

    yield create
    remove_topics(embedded_broker)


@pytest.fixture
def raw(redis_url):
    with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def put(raw: Redis, partitions: int, ids: dict[str, str]) -> None:
    for customer in CUSTOMERS:
        home = partition_of(customer, partitions)
        raw.hset(f"agos:{{{home}}}:states", customer, "s" * 100)
        raw.zadd(f"agos:{{{home}}}:due", {customer: 5})
        offsets = {PURCHASES: 7, f"{PURCHASES}:id": ids[PURCHASES], "writer": "w"}
        raw.hset(f"agos:{{{home}}}:offsets", mapping={"partitions": f"of {partitions}", **offsets})


def homes(raw: Redis) -> dict[str, int]:
    found = {}
    for key in raw.scan_iter("agos:{*}:states"):
        found |= {name: int(key[6]) for name in raw.hkeys(key)}
    return found


def test_new_topics_then_repartition(agos, topics, raw):
    put(raw, 4, topics(4))
    nothing = agos("repartition")
    said = "Nothing to do: all that Redis keeps is where 4 partitions want it.\n"
    assert (nothing.code, nothing.said) == (0, said)
    # The topics are not these yet.
    early = agos("repartition", "--partitions", "6")
    assert early.code == 1 and "partition counts differ" in early.told
    topics(6)
    why = agos("why", "c1", "hot_cart", "--segments", "segments.yaml")
    assert why.code == 1
    assert "divided into 4 partitions, AGOS_PARTITIONS is 6" in why.told
    assert "`agos repartition`" in why.told
    moving = [c for c in CUSTOMERS if partition_of(c, 4) != partition_of(c, 6)]
    done = agos("repartition")
    assert done.code == 0, done.told
    assert done.said == f"Redis is divided into 6 partitions: {len(moving)} customers moved.\n"
    assert homes(raw) == {customer: partition_of(customer, 6) for customer in CUSTOMERS}
    assert agos("repartition").said.startswith("Nothing to do")


def test_topics_that_were_changed_in_place_are_refused(agos, topics, raw):
    # As Kafka's own tool does it: more partitions, and the same topics.
    put(raw, 4, topics(6))
    refused = agos("repartition")
    assert refused.code == 1
    assert f"topic '{PURCHASES}' is the one that Redis has offsets of" in refused.told
    assert homes(raw) == {customer: partition_of(customer, 4) for customer in CUSTOMERS}


def test_ctrl_c_in_the_middle_and_on_with_the_next_run(agos, topics, raw, monkeypatch):
    put(raw, 4, topics(4))
    topics(6)
    real = Repartitioner.move

    def interrupted(self):
        yield next(real(self))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Repartitioner, "move", interrupted)
        stopped = agos("repartition")
    assert stopped.code == 130
    assert "run `agos repartition` again" in stopped.told
    assert homes(raw) != {customer: partition_of(customer, 6) for customer in CUSTOMERS}
    forget = agos("forget", "c1")
    assert forget.code == 1 and "has not come to its end: run it again" in forget.told
    assert agos("repartition").code == 0
    assert homes(raw) == {customer: partition_of(customer, 6) for customer in CUSTOMERS}
