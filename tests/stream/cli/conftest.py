"""The command line as a test calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from stream.cli.main import run


class Result(NamedTuple):
    """What a command did. `said` is stdout, `told` is stderr."""

    code: int
    said: str
    told: str


Agos = Callable[..., Result]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings of the surroundings, and no `agos up` that runs beside the tests."""
    for name in ("AGOS_KAFKA", "AGOS_REDIS", "AGOS_PARTITIONS", "AGOS_CURRENCY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def agos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Agos:
    """Runs a command in this process."""

    def call(*arguments: str) -> Result:
        monkeypatch.setattr("sys.argv", ["agos", *arguments])
        capsys.readouterr()
        code = run()
        said, told = capsys.readouterr()
        return Result(code, said, told)

    return call
