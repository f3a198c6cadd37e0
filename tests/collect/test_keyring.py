"""Keys come and go without a restart, and each says whose events these are."""

import os
from pathlib import Path

import pytest

from stream.collect.keyring import Keyring, digest, new_key
from stream.collect.refusal import Refusal
from tests.collect.harness import running

NEW_YEAR = 1_798_761_600.0  # 2027-01-01 00:00:00 UTC


def line(key: str, more: str = "") -> str:
    return f"- {{source: web, sha256: {digest(key).hex()}{more}}}\n"


def write(path: Path, *lines: str) -> None:
    path.write_text("keys:\n" + "".join(lines))
    # Two writes within one tick of the file system's clock are two all the same.
    os.utime(path, ns=(0, path.stat().st_mtime_ns + len(lines)))


def test_a_key_is_rotated_in_three_steps(tmp_path: Path):
    path = tmp_path / "keys.yaml"
    write(path, line("old"))
    keyring = Keyring(f"@{path}")
    assert keyring.find("old", NEW_YEAR).name == "web"
    with pytest.raises(Refusal):
        keyring.find("new", NEW_YEAR)
    write(path, line("old", ", until: 2027-01-01T00:00:00Z"), line("new"))
    assert keyring.refresh()
    assert keyring.find("old", NEW_YEAR - 1).name == keyring.find("new", NEW_YEAR - 1).name == "web"
    with pytest.raises(Refusal) as caught:
        keyring.find("old", NEW_YEAR)
    assert caught.value.status == 401
    write(path, line("new"), "# the old one is gone\n", "")
    assert keyring.refresh()
    with pytest.raises(Refusal):
        keyring.find("old", NEW_YEAR - 1)
    assert not keyring.refresh()


def test_the_line_of_a_new_key_holds_only_its_digest(tmp_path: Path):
    key, text = new_key("shop")
    assert key not in text
    path = tmp_path / "keys.yaml"
    path.write_text(f"keys:\n{text}\n")
    assert Keyring(f"@{path}").find(key, NEW_YEAR).name == "shop"


async def test_the_source_of_the_key_is_in_the_record(tmp_path: Path):
    path = tmp_path / "keys.yaml"
    write(path, line("k"))
    async with running(f"@{path}") as site:
        call = {"userId": "ada", "event": "x", "writeKey": "k"}
        assert (await site.send("/v1/track", call, {})).status == 200
        ((_, event),) = site.kafka.events()
    assert event["source"] == "web"


@pytest.mark.parametrize("opening", ["[", '{"a":'])
async def test_what_is_nested_deeply_is_refused(opening: str):
    async with running() as site:
        body = b'{"writeKey":"key-of-the-tests","userId":"ada","event":"x","properties":{"p":%b}}'
        deep = (opening * 4_000 + "1" + {"[": "]", '{"a":': "}"}[opening] * 4_000).encode()
        assert (await site.send("/v1/track", body % deep, {})).status == 400
