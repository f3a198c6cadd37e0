"""Servers and supervised commands with real processes: they come up, and none stays behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from stream.local import (
    EmbeddedBroker,
    EmbeddedRedis,
    Process,
    ProcessError,
    Supervisor,
    free_port,
    kafka_answers,
)
from stream.local.process import stop_all
from stream.local.servers import port_taken

LINUX = sys.platform == "linux"
SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = """
import signal, time, pathlib, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(60)
"""
# Starts everything that `agos up` does, says so, and waits; ends as the test wants it to.
PARENT = """
import json, sys, time
from stream.local import EmbeddedBroker, EmbeddedRedis, Supervisor, terminable
with terminable(), EmbeddedBroker() as broker, EmbeddedRedis() as redis, Supervisor() as commands:
    child = commands.start("sleep", [sys.executable, "-c", "import time; time.sleep(60)"])
    print(json.dumps({
        "pids": [broker.process.pid, redis.process.pid, child.pid],
        "ports": [broker.port, redis.port],
        "directories": [str(broker.directory), str(redis.directory)],
    }), flush=True)
    if sys.argv[1] == "crash":
        raise RuntimeError("as a bug would")
    commands.run()
"""


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has waited for yet does not."""
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Parent:
    """A process of its own that runs PARENT."""

    def __init__(self, how: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PARENT, how],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert self.popen.stdout is not None
        told = json.loads(self.popen.stdout.readline())
        self.pids: list[int] = told["pids"]
        self.ports: list[int] = told["ports"]
        self.directories = [Path(name) for name in told["directories"]]

    def close(self) -> None:
        self.popen.kill()
        self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()


@pytest.fixture(params=["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "crash"])
def ended_parent(request: pytest.FixtureRequest):
    parent = Parent(request.param)
    try:
        if request.param != "crash":
            os.kill(parent.popen.pid, getattr(signal, request.param))
        parent.popen.wait(timeout=5)
        yield request.param, parent
    finally:
        parent.close()


def test_nothing_outlives_the_parent_however_it_ends(ended_parent):
    how, parent = ended_parent
    if how == "SIGKILL" and not LINUX:
        pytest.skip("only Linux tells a child that its parent was killed")
    assert len(parent.pids) == 3
    assert eventually(lambda: not any(map(alive, parent.pids)), 2), f"left behind after {how}"
    assert not any(map(port_taken, parent.ports))
    if how != "SIGKILL":
        assert not any(directory.exists() for directory in parent.directories)


@pytest.mark.skipif(not LINUX, reason="only Linux tells a child that its parent was killed")
def test_the_next_start_removes_the_directories_of_a_killed_parent():
    parent = Parent("wait")
    parent.popen.send_signal(signal.SIGKILL)
    parent.close()
    assert eventually(lambda: not any(map(alive, parent.pids)), 2)
    assert all(directory.exists() for directory in parent.directories)
    with EmbeddedRedis() as first:
        assert not any(directory.exists() for directory in parent.directories)
        with EmbeddedRedis() as second:
            assert first.directory.exists(), "of a running server, so no leftover"
            assert second.directory != first.directory


def test_redis_keeps_what_agos_needs(redis_server):
    wanted = {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "bind": "127.0.0.1",
    }
    with Redis.from_url(redis_server.address, decode_responses=True) as client:
        # One by one: before Redis 7, CONFIG GET takes a single name.
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_two_of_each_run_beside_each_other():
    with EmbeddedBroker() as one, EmbeddedBroker() as two, EmbeddedRedis() as three:
        with EmbeddedRedis() as four:
            ports = {one.port, two.port, three.port, four.port}
            assert len(ports) == 4
            assert all(map(port_taken, ports))
        assert not port_taken(four.port)
        assert kafka_answers(one.port) and kafka_answers(two.port)
        assert one.address == f"127.0.0.1:{one.port}"
        assert three.address == f"redis://127.0.0.1:{three.port}/0"


def test_a_server_can_be_started_again_after_stop():
    server = EmbeddedRedis()
    with pytest.raises(ProcessError, match="redis has not been started"):
        _ = server.process
    for _ in range(2):
        server.start()
        directory = server.directory
        assert server.running
        server.stop()
        assert not server.running
        assert not directory.exists()


def test_a_port_in_use_is_said_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProcessError, match=rf"redis: port {port} of 127\.0\.0\.1 is in use"):
            EmbeddedRedis(port).start()
    assert list(tmp_path.iterdir()) == []


class BrokenRedis(EmbeddedRedis):
    timeout_seconds = 0.3

    def __init__(self, script: str) -> None:
        super().__init__()
        self.script = script

    def command(self) -> list[str]:
        return [sys.executable, "-c", self.script]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("print('no disk'); raise SystemExit(3)", r"redis ended with 3\n.*last lines.*\n +no disk"),
        ("import time; time.sleep(60)", r"redis did not answer within 0\.3 s"),
    ],
)
def test_a_server_that_does_not_come_up_says_why(script, message, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    server = BrokenRedis(script)
    if "no disk" in script:
        server.timeout_seconds = 10
    with pytest.raises(ProcessError, match=message):
        server.start()
    assert not server.running
    assert list(tmp_path.iterdir()) == []


def test_a_missing_program_is_an_error_with_its_name(tmp_path):
    process = Process("worker", ["/no/such/program"], tmp_path / "log")
    process.start()
    with pytest.raises(ProcessError, match=r"(?s)worker ended with 1.*/no/such/program: No such"):
        process.wait_until(lambda: False, 10)


def test_what_ignores_term_is_killed_after_the_grace(tmp_path):
    marker = tmp_path / "ready"
    process = Process("stubborn", [sys.executable, "-c", STUBBORN, str(marker)])
    process.start()
    assert eventually(marker.exists, 10)
    started_s = time.monotonic()
    process.stop(grace_seconds=0.5)
    assert process.returncode == -signal.SIGKILL
    assert 0.5 <= time.monotonic() - started_s < 2


def test_a_frozen_process_can_be_stopped():
    process = Process("frozen", SLEEP)
    process.start()
    process.signal(signal.SIGSTOP)
    process.stop(grace_seconds=3)
    assert process.returncode == -signal.SIGTERM


def test_several_stop_within_one_grace(tmp_path):
    markers = [tmp_path / str(number) for number in range(3)]
    processes = [
        Process(marker.name, [sys.executable, "-c", STUBBORN, str(marker)]) for marker in markers
    ]
    for process in processes:
        process.start()
    assert eventually(lambda: all(marker.exists() for marker in markers), 10)
    started_s = time.monotonic()
    stop_all(processes, grace_seconds=1.0)
    assert time.monotonic() - started_s < 2
    assert not any(process.running for process in processes)


COUNTING = """
import pathlib, sys
runs = pathlib.Path(sys.argv[1])
runs.write_text(runs.read_text() + "x")
print("run", len(runs.read_text()))
sys.exit(0 if len(runs.read_text()) == int(sys.argv[2]) else 7)
"""


def counting(tmp_path: Path, succeeds_at: int) -> tuple[Path, list[str]]:
    runs = tmp_path / "runs"
    runs.write_text("")
    return runs, [sys.executable, "-c", COUNTING, str(runs), str(succeeds_at)]


def test_a_failing_command_is_started_again_until_it_is_done(tmp_path):
    runs, command = counting(tmp_path, succeeds_at=3)
    restarts: list[str] = []
    logs = tmp_path / "logs"
    with Supervisor(logs, on_restart=restarts.append, backoff_seconds=0.05) as supervisor:
        supervisor.start("worker", command)
        supervisor.run()
    assert runs.read_text() == "xxx"
    assert restarts == [
        "worker ended with 7; again in 0.05 s",
        "worker ended with 7; again in 0.1 s",
    ]
    assert (logs / "worker.log").read_text() == "run 1\nrun 2\nrun 3\n"


def test_the_pause_between_restarts_is_capped(tmp_path):
    _, command = counting(tmp_path, succeeds_at=5)
    restarts: list[str] = []
    with Supervisor(
        tmp_path, on_restart=restarts.append, backoff_seconds=0.05, backoff_cap_seconds=0.12
    ) as supervisor:
        supervisor.start("worker", command)
        supervisor.run()
    assert [text.rpartition("in ")[2] for text in restarts] == [
        "0.05 s",
        "0.1 s",
        "0.12 s",
        "0.12 s",
    ]


def test_a_command_that_keeps_failing_is_given_up_and_the_others_stop(tmp_path):
    runs, command = counting(tmp_path, succeeds_at=0)
    with (
        pytest.raises(ProcessError, match=r"(?s)worker failed 3 times in a row.* 7\n.*run 3"),
        Supervisor(tmp_path / "logs", backoff_seconds=0.02, max_fast_failures=3) as supervisor,
    ):
        other = supervisor.start("collector", SLEEP)
        supervisor.start("worker", command)
        supervisor.run()
    assert runs.read_text() == "xxx"
    assert not other.running


def test_slow_failures_are_never_given_up(tmp_path):
    runs, command = counting(tmp_path, succeeds_at=4)
    with Supervisor(
        tmp_path, backoff_seconds=0.02, fast_seconds=0.0, max_fast_failures=1
    ) as supervisor:
        supervisor.start("worker", command)
        supervisor.run()
    assert runs.read_text() == "xxxx"


def test_a_killed_command_comes_back_with_its_environment(tmp_path):
    told = tmp_path / "told"
    script = "import os, pathlib, time; p = pathlib.Path(os.environ['TOLD']); "
    script += "p.write_text(p.read_text() + 'x' if p.exists() else 'x'); time.sleep(60)"
    with Supervisor(tmp_path, backoff_seconds=0.02) as supervisor:
        command = [sys.executable, "-c", script]
        process = supervisor.start("worker", command, {"TOLD": str(told)})
        assert eventually(lambda: told.exists() and told.read_text() == "x", 10)
        first = process.pid
        process.kill()

        def back() -> bool:
            return supervisor.check() and told.read_text() == "xx"

        assert eventually(back, 10)
        assert process.pid != first
        assert process.running
    assert not process.running


def test_a_server_that_ends_is_an_error(tmp_path):
    with (
        EmbeddedRedis() as server,
        Supervisor(tmp_path, servers=[server]) as supervisor,
    ):
        supervisor.start("worker", SLEEP)
        assert supervisor.check()
        server.process.kill()
        with pytest.raises(ProcessError, match="redis has ended"):
            supervisor.check()


def test_names_are_unique(tmp_path):
    with Supervisor(tmp_path) as supervisor:
        supervisor.start("worker", SLEEP)
        with pytest.raises(ProcessError, match="'worker' already"):
            supervisor.start("worker", SLEEP)


def test_nobody_answers_on_a_free_port():
    port = free_port()
    assert not kafka_answers(port)
    assert not port_taken(port)


def test_something_else_on_the_port_is_no_broker(redis_server):
    assert not kafka_answers(redis_server.port)
