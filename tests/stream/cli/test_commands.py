"""Commands in this process: what they say, and how they end."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from redis import Redis

from stream.cli.main import COMMANDS
from stream.customer import Table
from stream.events import MODELS
from stream.extra import Extra
from stream.local import free_port
from stream.settings import Settings
from stream.topics import partition_of


def test_help_lists_every_command_with_its_sentence(agos):
    result = agos("--help")
    assert result.code == 0
    for name, (_, sentence) in COMMANDS.items():
        assert name in result.said
        assert sentence in " ".join(result.said.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(agos, name):
    result = agos(name, "--help")
    assert result.code == 0
    assert result.told == ""
    assert f"Usage: agos {name}" in result.said
    assert COMMANDS[name][1] in " ".join(result.said.replace("│", " ").split())
    assert "agos settings" in result.said


def test_no_command_shows_help(agos):
    result = agos()
    assert result.code == 2
    assert "Usage: agos" in result.said + result.told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["customer"], "Missing argument"),
        (["watch", "--every", "0"], "--every"),
        (["schema", "nonsense"], "topic is 'nonsense', expected one of interactions"),
        (["replay", "/no/such/file", "--format", "otto"], "/no/such/file"),
        (["replay", __file__, "--format", "cobol"], "--format is 'cobol', expected one of"),
        (["replay", __file__, "--format", "otto", "--speed", "fast"], "speed is 'fast', expected"),
        (["demo", __file__], "--format is missing, expected one of online-retail"),
        (["demo", "--format", "otto"], "expected a FILE"),
        (["dead-letters", "--json", "--redrive"], "expected one of them"),
        (["topics", "--partitions", "0"], "AGOS_PARTITIONS"),
    ],
)
def test_wrong_use_is_said_and_ends_with_2(agos, arguments, words):
    result = agos(*arguments)
    assert result.code == 2
    assert words in " ".join(result.told.replace("│", " ").split())
    assert "Traceback" not in result.told


def test_a_wrong_setting_is_wrong_use(agos, monkeypatch):
    monkeypatch.setenv("AGOS_BATCH", "many")
    result = agos("segments")
    assert result.code == 2
    assert result.told.startswith("agos: AGOS_BATCH: ")
    assert "(got 'many')" in result.told


@pytest.mark.parametrize("command", [["segments"], ["customer", "ada"], ["watch"]])
def test_no_redis_is_one_sentence_in_bounded_time(agos, monkeypatch, command):
    monkeypatch.setenv("AGOS_REDIS", f"redis://ada:hush@127.0.0.1:{free_port()}/0")
    started_s = time.monotonic()
    result = agos(*command)
    assert time.monotonic() - started_s < 8
    assert result.code == 1
    assert result.told.startswith("agos: AGOS_REDIS: no Redis answers at redis://…@127.0.0.1:")
    assert len(result.told.splitlines()) == 1
    assert "hush" not in result.told


@pytest.mark.slow
def test_no_broker_is_one_sentence_in_bounded_time(redis_url):
    """In processes of their own, at the same time: each waits ten seconds for the broker."""
    commands = ("topics", "simulate", "dead-letters", "worker")
    environment = {**os.environ, "AGOS_KAFKA": f"127.0.0.1:{free_port()}", "AGOS_REDIS": redis_url}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "stream.cli", command],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    ends = [process.communicate(timeout=40)[1] for process in processes]
    for command, process, told in zip(commands, processes, ends, strict=True):
        assert process.returncode == 1, command
        lines = told.splitlines()
        assert lines[-1].startswith("agos: AGOS_KAFKA: no broker answers at 127.0.0.1:"), command
        assert "Traceback" not in told, command
        # Only the worker writes a log.
        assert len(lines) == 1 or command == "worker"


def test_version(agos):
    assert agos("--version").said.startswith("agos ")


def test_schema_has_every_topic_and_is_json(agos):
    schemas = json.loads(agos("schema").said)
    assert schemas.keys() == MODELS.keys()
    assert {"order_id", "total", "currency"} <= set(schemas["purchases"]["required"])
    assert json.loads(agos("schema", "purchases").said) == schemas["purchases"]


def test_settings_name_every_variable_and_hide_secrets(agos, monkeypatch):
    monkeypatch.setenv("AGOS_KAFKA_PASSWORD", "hush-1")
    monkeypatch.setenv("AGOS_WRITE_KEYS", "hush-2")
    monkeypatch.setenv("AGOS_REDIS", "redis://ada:hush-3@example.test:1/0")
    said = agos("settings").said
    for name in Settings.model_fields:
        assert f"AGOS_{name.upper()} " in said
    assert "hush" not in said
    assert "redis://…@example.test:1/0" in said
    assert said.count("(set, not shown)") == 2


@pytest.fixture
def filled(redis_url, monkeypatch):
    """One customer, as the contract and the stored state say it."""
    monkeypatch.setenv("AGOS_REDIS", redis_url)
    states = Table(1)
    states.load(["ada"], [None])
    states.rows[0]["weights"][:2] = (1.0, 3.0)
    states.rows[0]["categories"][:2] = (11, 22)
    states.extra[0] = Extra(traits={"country": ("PH", 1), "age": (None, 2)})
    stored = states.dump(np.array([0]))[0]
    home = partition_of("ada", 8)
    now_ms = time.time_ns() // 1_000_000
    with Redis.from_url(redis_url) as redis:
        redis.hset(f"agos:{{{home}}}:states", "ada", stored)
        redis.hset(f"agos:{{{home}}}:categories", mapping={"11": "books", "22": "toys"})
        redis.hset(
            "agos:customer:ada",
            mapping={
                "segments": "cluster-1,loyal", "cluster": "cluster-1", "confidence": "0.80",
                "events": 12, "orders": 1, "spend": 123456, "first_seen": now_ms - 90_000_000,
                "last_seen": now_ms - 7_300_000, "updated_at": now_ms, "source": "purchases-3@41",
            },
        )  # fmt: skip
        known = {"name": "Big [spenders]", "kind": "discovered", "origin": "discovered"}
        redis.hset("agos:segments", "cluster-1", json.dumps(known))
        redis.hset("agos:segments", "loyal", json.dumps({"name": "Loyal", "kind": "defined"}))
        redis.hset("agos:model", "names", json.dumps({"cluster-1": "Big [spenders]"}))
        redis.zadd("agos:segment:cluster-1:members", {"ada": now_ms - 200_000, "bob": 1})
        redis.zadd("agos:segment:loyal:members", {"ada": now_ms - 7_200_000})
        redis.xadd(
            "agos:changes",
            {
                "change_id": "x", "customer": "ada", "segment": "cluster-1", "change": "entered",
                "at": now_ms, "cause": "event", "reason": "spend far above average", "version": 3,
            },
        )  # fmt: skip


def test_a_customer_is_shown_readably(agos, filled):
    result = agos("customer", "ada")
    assert result.code == 0
    lines = {" ".join(text.split()) for text in result.said.splitlines()}
    assert "ada" in lines
    assert "totals 12 events, 1 order, 1,234.56 USD" in lines
    assert "country PH" in lines
    assert "likes toys 75%, books 25%" in lines
    assert not any(text.startswith("age") for text in lines), "a removed trait"
    text = " ".join(result.said.split())
    assert "(2 h ago)" in text and "(1 d ago)" in text
    assert "Big [spenders] cluster-1 since" in text
    assert "(3 min ago) 80% sure" in text
    assert "→ entered Big [spenders] (event)" in text
    assert "spend far above average" in text


def test_a_customer_as_json(agos, filled):
    found = json.loads(agos("customer", "ada", "--json").said)
    assert found["customer"]["spend_minor"] == 123456
    assert found["traits"] == {"country": "PH"}
    assert found["categories"] == {"toys": 0.75, "books": 0.25}
    assert [change["segment"] for change in found["changes"]] == ["cluster-1"]


def test_an_earlier_id_shows_the_customer_it_became(agos, filled, redis_url):
    with Redis.from_url(redis_url) as redis:
        redis.set("agos:link:anon-1", "anon-2")
        redis.set("agos:link:anon-2", "ada")
    lines = [" ".join(text.split()) for text in agos("customer", "anon-1").said.splitlines()]
    assert lines[:2] == ["anon-1 was merged into", "ada"]
    assert "merged" not in agos("customer", "ada").said
    assert json.loads(agos("customer", "anon-1", "--json").said)["customer"]["customer_id"] == "ada"


def test_an_unknown_customer_is_a_clear_sentence(agos, filled):
    result = agos("customer", "nobody")
    assert result.code == 1
    assert result.told.startswith("agos: customer 'nobody' is unknown at redis://127.0.0.1:")
    assert result.said == ""


def test_segments_are_listed_by_kind(agos, filled):
    said = agos("segments").said
    assert said.index("Defined") < said.index("Loyal") < said.index("Discovered")
    assert "Big [spenders]" in said
    sizes = {known["id"]: known["size"] for known in json.loads(agos("segments", "--json").said)}
    assert sizes == {"cluster-1": 2, "loyal": 1}


def test_one_segment_shows_its_newest_customers(agos, filled):
    said = agos("segments", "cluster-1").said
    assert "discovered, 2 customers" in said
    assert said.index("ada") < said.index("bob")
    result = agos("segments", "nonsense")
    assert result.code == 1
    assert "segment is 'nonsense', expected one of cluster-1, loyal" in result.told


def test_no_segments_yet_is_said(agos, redis_url, monkeypatch):
    monkeypatch.setenv("AGOS_REDIS", redis_url)
    assert "No segments yet" in agos("segments").said


def test_watch_without_a_terminal_prints_lines(agos, filled):
    result = agos("watch", "--seconds", "0.5", "--every", "0.2")
    assert result.code == 0
    lines = result.said.splitlines()
    assert 2 <= len(lines) <= 4
    assert all("0 workers" in text and "Loyal: 1" in text for text in lines)


def test_ctrl_c_ends_with_130_and_no_word(agos, filled, monkeypatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stream.cli.watch.time.sleep", interrupt)
    result = agos("watch")
    assert (result.code, result.told) == (130, "")
