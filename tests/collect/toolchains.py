"""Clients of other package registries, installed once into .cache; skips where that cannot be."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_CLIENTS = Path(__file__).parent / "clients"
_CACHE = Path(__file__).parents[2] / ".cache"
_SECONDS = 240
_PYTHON = ["rudder-sdk-python==2.1.9", "analytics-python==1.2.9"]
_SCHEMATHESIS = ["schemathesis==4.32.5"]
_GO = "gopkg.in/segmentio/analytics-go.v3@v3.1.0"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>agos</groupId><artifactId>clients</artifactId><version>1</version><dependencies>
<dependency><groupId>com.segment.analytics.java</groupId><artifactId>analytics</artifactId>
<version>3.5.2</version></dependency></dependencies></project>
"""


def python() -> tuple[list[str], dict[str, str]]:
    """Command of the shop with a package of its own, and what its environment needs."""
    return [sys.executable, str(_CLIENTS / "shop.py")], _packages("clients-python", _PYTHON)


def schemathesis() -> tuple[list[str], dict[str, str]]:
    """Its command, and what its environment needs."""
    own = _packages("schemathesis", _SCHEMATHESIS)
    return [sys.executable, "-m", "schemathesis.cli"], own


def java() -> list[str]:
    """Command of the shop in Java 17 or later."""
    _need("java", "mvn")
    place = _CACHE / "clients-java"
    if _is_new(place, _POM):
        (place / "pom.xml").write_text(_POM)
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"
        _run(["mvn", "-q", "-B", goal, "-Dmdep.outputFile=classpath.txt"], place)
        _done(place, _POM)
    classpath = (place / "classpath.txt").read_text().strip()
    return ["java", "-cp", classpath, str(_CLIENTS / "Shop.java")]


def go() -> list[str]:
    """Command of the shop in Go, compiled once."""
    _need("go")
    place = _CACHE / "clients-go"
    source = (_CLIENTS / "shop.go").read_text()
    if _is_new(place, _GO + source):
        (place / "main.go").write_text(source)
        (place / "go.mod").write_text("module shop\n\ngo 1.21\n")
        _run(["go", "get", _GO], place)
        _run(["go", "build", "-o", "shop", "."], place)
        _done(place, _GO + source)
    return [str(place / "shop")]


def _packages(name: str, wanted: list[str]) -> dict[str, str]:
    """Environment that has these packages before any others, which they do not mix with."""
    place, what = _CACHE / name, "\n".join(wanted)
    if _is_new(place, what):
        command = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target"]
        _run([*command, str(place), *wanted], place)
        _done(place, what)
    return {"PYTHONPATH": str(place)}


def _need(*programs: str) -> None:
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"this client needs {' and '.join(missing)} on the PATH")


def _is_new(place: Path, what: str) -> bool:
    place.mkdir(parents=True, exist_ok=True)
    done = place / "installed.txt"
    return not done.exists() or done.read_text() != what


def _done(place: Path, what: str) -> None:
    (place / "installed.txt").write_text(what)


def _run(command: list[str], place: Path) -> None:
    try:
        subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        detail = getattr(error, "stderr", None) or b""
        pytest.skip(f"the client cannot be installed here: {error} {detail[-300:]!r}")
