"""How a second terminal finds what runs."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stream.cli import runtime
from stream.cli.common import UsageError, settings_of
from stream.errors import AgosError

HERE = {"AGOS_KAFKA": "127.0.0.1:7", "AGOS_REDIS": "redis://127.0.0.1:8/0", "AGOS_PARTITIONS": "3"}


def test_nothing_runs(place):
    assert runtime.running() is None
    assert settings_of().kafka == "127.0.0.1:9092"


def test_what_runs_is_found_and_gone_afterwards(place):
    with runtime.announced("up", HERE) as path:
        assert path.exists()
        found = runtime.running()
        assert found is not None and found.environment == HERE
        settings = settings_of()
        assert (settings.kafka, settings.partitions) == ("127.0.0.1:7", 3)
    assert runtime.running() is None
    assert list(runtime.directory().iterdir()) == []


def test_the_environment_and_options_come_first(place, monkeypatch):
    with runtime.announced("up", HERE):
        assert settings_of(redis="redis://other:1/0").kafka == "127.0.0.1:9092"
        assert settings_of(partitions=5).partitions == 5
        assert settings_of(partitions=5).kafka == "127.0.0.1:7"
        monkeypatch.setenv("AGOS_KAFKA", "elsewhere:9092")
        settings = settings_of()
        assert (settings.kafka, settings.partitions) == ("elsewhere:9092", 8)


ANNOUNCE = """
import sys, time
from stream.cli import runtime
with runtime.announced("up", {"AGOS_KAFKA": sys.argv[1]}):
    print("there", flush=True)
    time.sleep(60)
"""


def announcer(kafka: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ANNOUNCE, kafka], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "there\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_killed_one_is_not_found_and_removed_by_the_next(place):
    process = announcer("killed:1")
    try:
        found = runtime.running()
        assert found is not None and found.pid == process.pid
    finally:
        end(process)
    assert len(list(runtime.directory().glob("*.json"))) == 1
    assert runtime.running() is None
    with runtime.announced("up", HERE) as path:
        assert list(runtime.directory().glob("*.json")) == [path]


def test_of_two_the_newer_is_found(place):
    first = announcer("first:1")
    try:
        time.sleep(0.01)
        with runtime.announced("demo", HERE):
            found = runtime.running()
            assert found is not None and found.command == "demo"
        found = runtime.running()
        assert found is not None and found.environment["AGOS_KAFKA"] == "first:1"
    finally:
        end(first)


def test_a_directory_that_others_may_write_is_not_believed(place):
    with runtime.announced("up", HERE):
        runtime.directory().chmod(0o777)
        assert runtime.running() is None
        with pytest.raises(AgosError, match="belongs to somebody else"):
            with runtime.announced("up", HERE):
                pass


def test_what_is_no_announcement_is_passed_over(place):
    with runtime.announced("up", HERE):
        other = runtime.directory() / "1.json"
        other.write_text("{")
        (runtime.directory() / "2.json").write_text(json.dumps({"pid": 1}))
        found = runtime.running()
        assert found is not None and found.environment == HERE


def test_the_place_is_for_this_user_only(place: Path):
    with runtime.announced("up", HERE):
        assert runtime.directory().stat().st_mode & 0o077 == 0


def test_a_setting_that_is_wrong_is_wrong_use(place, monkeypatch):
    monkeypatch.setenv("AGOS_CLOCK", "sundial")
    with pytest.raises(UsageError, match="AGOS_CLOCK"):
        settings_of()
