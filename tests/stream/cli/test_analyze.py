"""`agos analyze` on a real Redis."""

import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from redis import Redis

from stream.cli.common import out
from stream.topics import partition_of
from tests.stream.stored import Person, put


@pytest.fixture
def shop(redis_url: str) -> None:
    """Half of the customers are from NO and half of those buy; nobody else does."""
    rng = np.random.default_rng(1)
    people = {}
    for i in range(300):
        country = "NO" if i % 2 else "PH"
        count = 2 if country == "NO" and i % 4 == 1 else 0
        row = {"weights": [1.0, 0, 0, 0, 0, 0], "categories": [11, 0, 0, 0, 0, 0]}
        traits = {"country": country, "$odd [name]": float(rng.random())}
        people[f"c{i}"] = Person(orders=[(3, 1_000)] * count, traits=traits, row=row)
    with Redis.from_url(redis_url) as client:
        put(client, people, None, time.time_ns() // 1_000_000)
        home = partition_of("c0", 8)
        client.hset(f"agos:{{{home}}}:categories", "11", "shoes")


def test_as_json(agos, redis_url, shop):
    result = agos("analyze", "--json", "--redis", redis_url)
    assert result.code == 0, result.told
    found = json.loads(result.said)
    assert found["customers"] == 300
    facts = {fact["name"]: fact for fact in found["facts"]}
    country = facts["country"]
    assert found["facts"][0]["name"] == "country"
    assert country["worth"]
    assert country["groups"] == [
        {"label": "NO", "customers": 150, "mean_spend": 10.0, "conversion": 0.5, "repeat": 0.5},
        {"label": "PH", "customers": 150, "mean_spend": 0.0, "conversion": 0.0, "repeat": 0.0},
    ]
    # A quarter buys, half of one group and none of the other: phi² = (1/16) / (3/16) = 1/3.
    corrected = 1 - (2 / 3) * 299 / 298
    assert country["effects"]["repeat"]["size"] == pytest.approx(corrected**0.5)
    assert facts["shoes"]["verdict"] == "100% have the same (1): separates nobody"


def test_for_people_with_pictures(agos, redis_url, shop, tmp_path: Path):
    folder = tmp_path / "new" / "plots"
    result = agos("analyze", "--plots", str(folder), "--redis", redis_url)
    assert result.code == 0, result.told
    said = " ".join(result.said.split())
    assert "trait country" in said
    assert "worth it, strong" in said
    assert "$odd [name]" in said
    assert "measures made of orders left out" in said
    pictures = sorted(path.name for path in folder.iterdir())
    assert {"effects.png", "country.png", "odd-name.png"} <= set(pictures)
    # A long path is broken over lines.
    assert f"{len(pictures)}picturesin{folder}" in said.replace(" ", "")
    for path in folder.iterdir():
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000


@pytest.mark.parametrize("width", [80, 200])
def test_findings_can_be_read_whatever_the_width(agos, redis_url, shop, monkeypatch, width: int):
    monkeypatch.setattr(out, "width", width)
    lines = agos("analyze", "--redis", redis_url).said.splitlines()
    assert max(map(len, lines)) <= width
    (place,) = (i for i, line in enumerate(lines) if "trait country" in line)
    # The verdict is not broken into pieces: it stands beside the fact, or below it.
    assert any("worth it, strong" in line for line in lines[place : place + 2])


def test_without_matplotlib_it_says_what_to_install(agos, redis_url, shop, monkeypatch, tmp_path):
    monkeypatch.delitem(sys.modules, "stream.analysis.plots", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = agos("analyze", "--plots", str(tmp_path), "--redis", redis_url)
    assert result.code == 2
    assert "pip install 'agos[analyze]'" in result.told
    assert agos("analyze", "--redis", redis_url).code == 0


def test_an_empty_shop(agos, redis_url):
    assert agos("analyze", "--redis", redis_url).said == "No customers yet.\n"


def test_pictures_need_a_folder(agos, redis_url, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("")
    result = agos("analyze", "--plots", str(taken), "--redis", redis_url)
    assert result.code == 2
    assert "which is a file; expected a folder" in result.told
