"""`agos preview` on a real Redis."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from stream.conditions import parse
from tests.stream.stored import NOON, put
from tests.stream.test_preview import NEW, OLD, PEOPLE


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(OLD)
    new.write_text(NEW)
    return str(old), str(new)


def contents(client: Redis) -> dict[bytes, Any]:
    return {key: client.dump(key) for key in client.keys()}


@pytest.mark.parametrize("clock", ["wall", "events"])
def test_figures_as_json_and_nothing_is_changed(agos, redis_url, files, monkeypatch, clock):
    old, new = files
    # On the events' clock now is when the newest event was, whenever that is.
    now_ms = time.time_ns() // 1_000_000 if clock == "wall" else NOON
    monkeypatch.setenv("AGOS_CLOCK", clock)
    monkeypatch.setenv("AGOS_PARTITIONS", "1")
    with Redis.from_url(redis_url) as client:
        put(client, PEOPLE, parse(OLD, old), now_ms, 1)
        before = contents(client)
        result = agos("preview", new, "--running", old, "--redis", redis_url, "--json")
        assert contents(client) == before
    assert result.code == 0, result.told
    found = json.loads(result.said)
    assert (found["customers"], found["judged_by_others"]) == (4, 0)
    rows = {s["id"]: [s["before"], s["after"], s["enter"], s["leave"]] for s in found["segments"]}
    assert rows == {
        "loyal": [2, 1, 0, 1],
        "young": [2, 2, 0, 0],
        "shoes": [0, 0, 0, 0],
        "both": [0, 1, 1, 0],
        "either": [0, 2, 2, 0],
        "gone": [3, 0, 0, 3],
    }


def test_for_people(agos, redis_url, files):
    old, new = files
    with Redis.from_url(redis_url) as client:
        put(client, PEOPLE, parse(OLD, old), time.time_ns() // 1_000_000)
    result = agos("preview", new, "--running", old, "--redis", redis_url)
    said = " ".join(result.said.split())
    assert "4 customers; compared with" in said
    assert "shoes 0 0 0.0% 100% new" in said
    assert "either 0 2 50.0% +2 100% new shadow" in said
    assert "gone 3 0 0.0% -3 removed" in said
    assert "incomplete for 100% of the customers: nobody has counted Product Viewed" in said
    assert 'ann not in "Loyal": Order Completed 1 time within 30 days' in said
    only = agos("preview", new, "--running", old, "--redis", redis_url, "--segment", "young")
    assert "young" in only.said
    assert "shoes" not in only.said


def test_a_file_with_a_mistake_an_unknown_segment_and_an_empty_shop(
    agos, redis_url, files, tmp_path
):
    _, new = files
    broken = tmp_path / "broken.yaml"
    broken.write_text(NEW.replace("within: 7d", "wihtin: 7d"))
    result = agos("preview", str(broken), "--redis", redis_url)
    assert result.code == 1
    assert "wihtin" in result.told
    result = agos("preview", new, "--segment", "shoe", "--redis", redis_url)
    assert "--segment is 'shoe', did you mean \"shoes\"?" in result.told
    assert agos("preview", new, "--redis", redis_url).said == "No customers yet.\n"
