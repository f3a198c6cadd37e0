"""`agos why` on a real Redis."""

import time
from pathlib import Path

import pytest
from redis import Redis

from stream.conditions import parse
from tests.stream.stored import NOON, Person, put

TEXT = """
version: 1
segments:
  buyers: {name: Buyers, when: {did: Order Completed, within: 30d}}
  secret: {when: {trait: age, less_than: 30}, shadow: true}
"""
PEOPLE = {"ann": Person(orders=[(5, 100)]), "bob": Person(orders=[(40, 100)], traits={"age": 40})}


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "segments.yaml"
    path.write_text(TEXT)
    return str(path)


@pytest.mark.parametrize("clock", ["wall", "events"])
def test_why_and_why_not_by_the_clock_of_the_workers(agos, redis_url, file, monkeypatch, clock):
    # On the events' clock the partition's newest event, ann's, is now: 35 days after bob's.
    now_ms = time.time_ns() // 1_000_000 if clock == "wall" else NOON - 400 * 86_400_000
    monkeypatch.setenv("AGOS_CLOCK", clock)
    monkeypatch.setenv("AGOS_PARTITIONS", "1")
    with Redis.from_url(redis_url) as client:
        put(client, PEOPLE, parse(TEXT, file), now_ms, 1)
    ann = agos("why", "ann", "buyers", "--segments", file, "--redis", redis_url)
    assert ann.code == 0, ann.told
    assert ann.said.startswith('in "Buyers": Order Completed 1 time within 30 days')
    bob = agos("why", "bob", "buyers", "--segments", file, "--redis", redis_url)
    assert bob.said.startswith('not in "Buyers": no Order Completed within 30 days')


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["eve", "buyers"], 1, "customer 'eve' is unknown"),
        (["ann", "byers"], 2, 'did you mean "buyers"?'),
        (["ann", "x"], 2, "segment 'x' is not defined in "),
        (["ann", "x"], 2, "(it has buyers, secret)"),
    ],
)
def test_wrong_use_of_why_is_said(agos, redis_url, file, arguments, code, words):
    result = agos("why", *arguments, "--segments", file, "--redis", redis_url)
    assert result.code == code
    assert words in result.told


def test_why_without_definitions(agos, redis_url, monkeypatch):
    monkeypatch.delenv("AGOS_SEGMENTS", raising=False)
    result = agos("why", "ann", "buyers", "--redis", redis_url)
    assert result.code == 2
    assert "AGOS_SEGMENTS" in result.told
