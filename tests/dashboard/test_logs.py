"""Logs as JSON: one line an event, whatever is in it."""

import json
import logging
import re
import subprocess
import sys

import pytest

from stream.logs import JsonLines

_RUN = """
import logging
from stream.logs import set_up
from stream.settings import load
set_up(load(), {"noisy": "ERROR"})
logging.getLogger("noisy").warning("not told")
logging.getLogger("agos.test").info("partition %d: %s", 3, "two\\nlines \\u2028 \\x1b[31m")
logging.getLogger("agos.test").debug("not told")
"""


def logged(**settings: str) -> str:
    variables = {f"AGOS_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-W", "ignore", "-c", _RUN]
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stderr


def test_an_event_is_one_line_of_json():
    lines = logged(log_format="json").splitlines()
    assert len(lines) == 1
    told = json.loads(lines[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("time"))
    assert told == {
        "level": "info", "logger": "agos.test",
        "message": "partition 3: two\nlines \u2028 \x1b[31m",
    }  # fmt: skip
    assert lines[0].isascii()
    assert lines[0].isprintable()


def test_text_is_for_people():
    assert " INFO agos.test: partition 3: two" in logged()
    assert logged(log="warning") == ""


def test_an_exception_is_in_its_line():
    try:
        raise KeyError("name")
    except KeyError:
        record = logging.LogRecord("l", logging.ERROR, "f", 1, "it failed", None, sys.exc_info())
    told = json.loads(JsonLines().format(record))
    assert told["message"] == "it failed"
    assert told["error"].endswith("KeyError: 'name'")


@pytest.mark.parametrize(("created", "told"), [(0.0, "1970-01-01T00:00:00.000Z"),
                                               (1.5, "1970-01-01T00:00:01.500Z")])  # fmt: skip
def test_times_are_universal(created: float, told: str):
    record = logging.LogRecord("l", logging.INFO, "f", 1, "m", None, None)
    record.created = created
    assert json.loads(JsonLines().format(record))["time"] == told
