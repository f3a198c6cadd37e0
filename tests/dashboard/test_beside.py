"""`agos up` serves the dashboard, says where, and takes it away again."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from stream.cli.stack import Stack
from stream.settings import load


@pytest.mark.slow
def test_up_serves_it_and_stops_it(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AGOS_")}
    command = [sys.executable, "-P", "-W", "ignore", "-m", "stream.cli", "up", "--seconds", "45"]
    with subprocess.Popen(
        command, env={**environment, "TMPDIR": str(tmp_path), "COLUMNS": "160"},
        stdout=subprocess.PIPE, text=True,
    ) as up:  # fmt: skip
        try:
            assert up.stdout is not None
            address = None
            for line in up.stdout:
                if found := re.match(r"Page +(http://127\.0\.0\.1:\d+)", line):
                    address = found[1]
                if "ready" in line:
                    break
            assert address is not None
            deadline = time.monotonic() + 20
            while True:
                try:
                    with urllib.request.urlopen(f"{address}/health/ready", timeout=2) as answer:
                        assert answer.status == 200
                        break
                except OSError:
                    assert time.monotonic() < deadline
                    time.sleep(0.2)
        finally:
            up.terminate()
            up.wait(20)
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{address}/health/live", timeout=2)


def test_each_process_of_a_stack_has_a_port_of_its_own_for_its_metrics():
    started = []

    class Started:
        def start(self, name, command, environment):
            started.append((name, command[-1], environment["AGOS_METRICS"]))

    for address, expected in (
        ("127.0.0.1:9100", ["127.0.0.1:9100", "127.0.0.1:9101"]),
        # The system chooses.
        ("127.0.0.1:0", ["127.0.0.1:0", "127.0.0.1:0"]),
        ("", ["", ""]),
    ):
        started.clear()
        running = Stack(load(metrics=address), {}, Started(), Path("."))
        running.start("worker-1", "worker")
        running.start("dashboard", "dashboard")
        assert started == [
            ("worker-1", "worker", expected[0]),
            ("dashboard", "dashboard", expected[1]),
        ]
