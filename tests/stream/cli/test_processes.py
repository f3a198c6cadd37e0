"""`agos up` and `agos demo` as people start them: they work, they stop, nothing stays behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

LINUX = sys.platform == "linux"
READY_SECONDS = 60
AGOS = [sys.executable, "-m", "stream.cli"]


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class Running:
    """A command in a process of its own, with a temporary directory of its own."""

    def __init__(self, place: Path, *arguments: str) -> None:
        self.place, self.output = place, place / "output"
        self.environment = {**os.environ, "TMPDIR": str(place), "COLUMNS": "200"}
        with self.output.open("wb") as file:
            self.popen = subprocess.Popen(
                [*AGOS, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )
        self._family: set[psutil.Process] = set()

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, seconds: float = READY_SECONDS) -> None:
        """Wait until it has printed this, and note its children."""
        assert eventually(lambda: words in self.text or self.popen.poll() is not None, seconds)
        assert words in self.text, self.text
        self.family()

    def family(self) -> set[psutil.Process]:
        """All processes that were ever seen below it."""
        self._family |= set(psutil.Process(self.popen.pid).children(recursive=True))
        return self._family

    def alive(self) -> list[str]:
        """Those that still run."""
        return [p.name() for p in self._family if p.is_running() and p.status() != "zombie"]

    def workers(self) -> list[psutil.Process]:
        """Those of our own commands that run now; the servers are no Python."""
        children = psutil.Process(self.popen.pid).children()
        return [p for p in children if p.status() != "zombie" and "python" in Path(p.exe()).name]

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command of the same user, as in a second terminal."""
        return subprocess.run(
            [*AGOS, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def close(self) -> None:
        """Whatever happened: nothing may stay."""
        for process in self._family:
            if process.is_running():
                process.kill()
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()


@pytest.fixture
def start(place: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def starts(*arguments: str) -> Running:
        begun.append(Running(place, *arguments))
        return begun[-1]

    yield starts
    for running in begun:
        running.close()


def leftovers(place: Path) -> Sequence[Path]:
    """What a stopped instance should have removed."""
    return [*place.glob("agos-server-*"), *place.glob("agos-*/*.json")]


@pytest.mark.slow
def test_up_serves_a_second_terminal_and_ctrl_c_stops_all(start, place):
    up = start("up", "--workers", "2")
    up.wait_for("2 workers ready")
    kafka = re.search(r"export AGOS_KAFKA=(127\.0\.0\.1:\d+)", up.text)
    redis = re.search(r"export AGOS_REDIS=(redis://127\.0\.0\.1:\d+/0)", up.text)
    assert kafka and redis
    assert len(up.family()) >= 4, "broker, Redis, two workers"

    topics = up.ask("topics")
    assert topics.returncode == 0 and "was there" in topics.stdout
    fed = up.ask(
        "simulate", "--history", "500", "--customers", "50", "--seconds", "1", "--rate", "50"
    )
    assert fed.returncode == 0, fed.stderr
    assert "500 events of simulated history sent" in fed.stdout
    first = "c000001"
    assert eventually(lambda: up.ask("customer", first).returncode == 0, 30)
    assert re.search(r"totals +\d+ events?,", up.ask("customer", first).stdout)
    watched = up.ask("watch", "--seconds", "0.5").stdout
    assert "2 workers" in watched

    up.popen.send_signal(signal.SIGINT)
    assert up.popen.wait(timeout=20) == 130
    assert up.text.endswith("Everything is stopped.\n")
    assert "Traceback" not in up.text
    assert up.alive() == []
    assert leftovers(place) == []
    lost = up.ask("segments")
    assert lost.returncode == 1 and "no Redis answers" in lost.stderr


@pytest.mark.slow
def test_up_stops_all_on_term_and_comes_back_when_a_worker_dies(start, place):
    up = start("up")
    up.wait_for("1 worker ready")
    (worker,) = up.workers()
    worker.kill()
    up.wait_for("worker-1 ended with -9; again in", 10)
    assert eventually(lambda: up.workers() not in ([], [worker]), 10)
    up.family()
    up.popen.terminate()
    up.popen.wait(timeout=20)
    assert "Everything is stopped." in up.text
    assert "Traceback" not in up.text
    assert up.alive() == []
    assert leftovers(place) == []


@pytest.mark.skipif(not LINUX, reason="only Linux tells a child that its parent was killed")
def test_nothing_outlives_a_killed_up(start, place):
    up = start("up")
    up.wait_for("1 worker ready")
    assert len(up.family()) >= 3
    up.popen.kill()
    up.popen.wait()
    assert eventually(lambda: up.alive() == [], 5), up.alive()
    assert "no Redis answers" in up.ask("segments").stderr, "a stale announcement is not believed"


@pytest.mark.slow
def test_a_demo_without_a_terminal(start, place):
    demo = start("demo", "--seconds", "9", "--customers", "300", "--history", "3000")
    demo.wait_for("events | ")
    assert eventually(lambda: len(demo.family()) >= 4, 10), "broker, Redis, worker, shop"
    assert demo.popen.wait(timeout=60) == 0, demo.text
    lines = demo.text.splitlines()
    assert lines[0].startswith("simulated shop (agos simulate ")
    events = re.fullmatch(r"([\d,]+) events of (\d+) customers applied, 0 rejected\.", lines[-3])
    assert events, lines[-3:]
    assert int(events[1].replace(",", "")) >= 3_000
    assert events[2] == "300"
    told = re.fullmatch(r"(\d+) segments?, ([\d,]+) changes \(entries and exits\)\.", lines[-2])
    assert told and int(told[1]) > 0, lines[-2]
    assert lines[-1] == "Everything is stopped."
    assert demo.alive() == []
    assert leftovers(place) == []


RETAIL = """InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country
1,A,Thing,2,2011-01-03 10:00:00,1.50,77,Norway
C2,A,Thing,-1,2011-02-03 10:00:00,1.50,77,Norway
3,B,Other,1,2011-02-04 10:00:00,10.00,78,France
"""


@pytest.mark.slow
def test_a_demo_of_a_real_file(start, place):
    file = place / "retail.csv"
    file.write_text(RETAIL)
    demo = start(
        "demo", str(file), "--format", "online-retail", "--speed", "max", "--seconds", "30"
    )
    # Three invoices and the country of two customers.
    demo.wait_for("| 5 events |")
    found = demo.ask("customer", "77")
    # One order of 3.00 and a return of 1.50.
    assert re.search(r"totals +3 events, 1 order, 1\.50 GBP", found.stdout), found
    assert re.search(r"country +Norway", found.stdout)
    demo.popen.send_signal(signal.SIGINT)
    assert demo.popen.wait(timeout=20) == 130
    assert "5 events of 2 customers applied, 0 rejected." in demo.text
    assert demo.text.endswith("Everything is stopped.\n")
    assert demo.alive() == []
