"""`agos up` serves the dashboard, says where, and takes it away again."""

import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest


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
