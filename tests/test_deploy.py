"""Compose file, Dockerfile and lock hold together: with the commands, the settings, each other."""

import configparser
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from redis import Redis

from deploy.make_secrets import make
from stream.cli.main import COMMANDS, load
from stream.settings import SECRETS, Settings

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
#: Services of our image that run `agos`.
AGOS = {
    name: service
    for name, service in SERVICES.items()
    if "build" in service and "entrypoint" not in service
}
DOCKERFILE = (ROOT / "Dockerfile").read_text()
_DEFAULTED = re.compile(r"\$\{(\w+):-([^}]*)\}")


def with_defaults(value: object) -> str:
    """As Compose reads it with nothing set: ${NAME:-default} → default."""
    return _DEFAULTED.sub(r"\2", str(value))


@pytest.mark.parametrize("name", AGOS)
def test_services_run_commands_that_exist(name):
    command, *arguments = AGOS[name]["command"]
    assert command in COMMANDS
    # Of what is left out unless somebody asks for it, a file of theirs.
    assert arguments == (["/etc/agos/webhooks.yaml"] if name == "webhooks" else [])
    assert load(command).name == command


@pytest.mark.parametrize("name", AGOS)
def test_the_environment_of_services_is_of_settings_that_exist(name, monkeypatch):
    environment = {key: with_defaults(value) for key, value in AGOS[name]["environment"].items()}
    known = {f"AGOS_{field.upper()}" for field in Settings.model_fields}
    assert environment.keys() <= known
    for key in known:
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    settings = Settings()
    assert settings.partitions == 8
    host, _, port = settings.kafka.partition(":")
    assert host in SERVICES
    assert f"INTERNAL://:{port}" in SERVICES[host]["environment"]["KAFKA_LISTENERS"]
    assert settings.redis == "redis://redis:6379/0"


def test_workers_start_after_what_they_need_is_healthy():
    needed = AGOS["worker"]["depends_on"]
    assert {name: part["condition"] for name, part in needed.items()} == {
        "kafka": "service_healthy",
        "redis": "service_healthy",
        "topics": "service_completed_successfully",
    }
    assert AGOS["topics"]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    named = ("kafka", "redis", "collector", "dashboard", "webhooks")
    assert all("test" in SERVICES[name]["healthcheck"] for name in named)
    assert with_defaults(AGOS["worker"]["deploy"]["replicas"]) == "2"


def test_redis_and_kafka_are_set_as_the_guarantees_need():
    redis = SERVICES["redis"]["command"]
    assert redis[redis.index("--maxmemory-policy") + 1] == "noeviction"
    assert redis[redis.index("--appendonly") + 1] == "yes"
    assert SERVICES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_ports_are_of_this_machine_only_and_can_be_chosen():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == len({port.rpartition(":")[2] for port in ports}) == 6
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{AGOS_\w+:-\d+\}:\d+", port) for port in ports)


def test_images_are_pinned_and_kafka_is_the_one_that_the_tests_run():
    images = [service["image"] for service in SERVICES.values()]
    assert all(re.search(r":v?\d+\.\d+\.\d+", image) for image in images)
    assert AGOS["worker"]["image"] == f"agos:{PROJECT['version']}"
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [re.match(r"python:(\d+\.\d+)-", base)[1] for base in bases] == ["3.12", "3.12"]
    assert SpecifierSet(PROJECT["requires-python"]).contains("3.12.0")
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    dependencies = ET.parse(ROOT / "scripts" / "kafka.pom.xml").findall(".//m:dependency", space)
    versions = {
        part.findtext("m:artifactId", "", space): part.findtext("m:version", "", space)
        for part in dependencies
    }
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"


def test_the_image_runs_agos_without_root_from_files_that_exist():
    assert re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE) == ["10001"]
    assert 'ENTRYPOINT ["agos"]' in DOCKERFILE
    assert "agos" in PROJECT["scripts"]
    kept = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    ]
    for sources in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for source in sources.split():
            assert (ROOT / source).exists(), source
            assert source in kept, f"{source} is ignored"


def test_nothing_in_the_compose_file_is_a_secret():
    names = [name for service in SERVICES.values() for name in service.get("environment", {})]
    assert not [name for name in names if re.search(r"PASSWORD|SECRET|KEYS|TOKEN", name)]


def test_what_others_can_reach_has_its_secret_from_the_job_that_makes_it():
    made = SERVICES["secrets"]["entrypoint"]
    (kept,) = SERVICES["secrets"]["volumes"]
    assert kept == f"secrets:{SECRETS}"
    assert f"COPY deploy/healthy.py {made[1].lstrip('/')} /deploy/" in DOCKERFILE
    assert f"install -d -o agos -m 700 {SECRETS}" in DOCKERFILE
    for service, name in (("dashboard", "dashboard_token"), ("collector", "write_keys")):
        assert name in Settings.model_fields
        assert f"agos_{name}" in made[2:]
        assert f"{kept}:ro" in AGOS[service]["volumes"]
        assert AGOS[service]["depends_on"]["secrets"] == {
            "condition": "service_completed_successfully"
        }
        assert with_defaults(AGOS[service]["environment"][f"AGOS_{service.upper()}"])[:8] == (
            "0.0.0.0:"
        )


def test_mounted_files_exist_and_prometheus_asks_every_process():
    for service in SERVICES.values():
        for volume in service.get("volumes", []) if "profiles" not in service else []:
            source = with_defaults(volume).partition(":")[0]
            assert not source.startswith(".") or (ROOT / source).exists(), source
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    jobs = {job["job_name"]: json.dumps(job) for job in scraped["scrape_configs"]}
    assert jobs.keys() == AGOS.keys() - {"topics"}
    for name, job in jobs.items():
        port = AGOS[name]["environment"]["AGOS_METRICS"].rpartition(":")[2]
        assert port in job
        assert name in job


def test_a_secret_is_made_once_and_for_its_owner_only(tmp_path):
    assert make("agos_write_keys", tmp_path)
    key = (tmp_path / "agos_write_keys").read_text()
    assert re.fullmatch("[0-9a-f]{32}", key)
    assert not make("agos_write_keys", tmp_path)
    assert (tmp_path / "agos_write_keys").read_text() == key
    assert (tmp_path / "agos_write_keys").stat().st_mode & 0o777 == 0o600
    assert make("agos_dashboard_token", tmp_path)
    assert (tmp_path / "agos_dashboard_token").read_text() != key
    assert {path.name for path in tmp_path.iterdir()} == {"agos_write_keys", "agos_dashboard_token"}


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not there")
def test_docker_compose_accepts_the_file():
    given = {"AGOS_REDIS_PORT": "7001", "AGOS_WORKERS": "3", "COMPOSE_PROJECT_NAME": "agos"}
    done = subprocess.run(
        ["docker-compose", "--profile", "*", "--file", str(ROOT / "docker-compose.yml"), "config"],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert services.keys() == SERVICES.keys()
    assert "127.0.0.1:7001:6379" in str(services["redis"]["ports"])
    assert int(services["worker"]["deploy"]["replicas"]) == 3


def healthy(redis_url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "healthy.py")],
        env={**os.environ, "AGOS_REDIS": redis_url, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("host", "age_seconds", "code"),
    [(socket.gethostname(), 0, 0), (socket.gethostname(), 600, 1), ("another-host", 0, 1)],
)
def test_health_is_a_fresh_report_of_this_host(redis_url, host, age_seconds, code):
    report = {"worker": "w", "host": host, "at_ms": int((time.time() - age_seconds) * 1000)}
    with Redis.from_url(redis_url) as client:
        client.hset("agos:workers", "w", json.dumps(report))
    done = healthy(redis_url)
    assert done.returncode == code, done.stderr
    assert ("has reported lately" in done.stderr) == (code == 1)


def test_without_redis_nothing_is_healthy():
    done = healthy("redis://127.0.0.1:1/0")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr
    assert "Traceback" not in done.stderr


def locked() -> dict[str, list[str]]:
    """Package → its versions in the lock (several where they differ by platform)."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            requirement = Requirement(line)
            (specifier,) = requirement.specifier
            assert specifier.operator == "==", line
            found.setdefault(requirement.name.lower(), []).append(specifier.version)
    return found


def test_the_lock_has_what_the_project_asks_for():
    extras = PROJECT["optional-dependencies"]
    # Extras that are part of `dev`, by name, are asked for with it.
    parts = ("embedded", "dev", "collect", "analyze")
    wanted = [*PROJECT["dependencies"], *(text for part in parts for text in extras[part])]
    versions = locked()
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name == PROJECT["name"]:
            continue
        found = versions.get(requirement.name.lower(), [])
        assert found, f"{requirement.name} is not in requirements.lock: run scripts/lock"
        for version in found:
            assert requirement.specifier.contains(version), f"{text}: the lock has {version}"


def test_the_lock_names_no_host():
    assert not re.search(r"://|--\w+-url|@ ", (ROOT / "requirements.lock").read_text())


@pytest.mark.parametrize(
    ("wall", "free"),
    [("faust", {"agents", "app", "cli", "transport", "worker"}), ("redis", {"store"})],
)
def test_every_room_stands_behind_its_walls(wall, free):
    walls = configparser.ConfigParser()
    walls.read(ROOT / ".importlinter")
    listed = walls[f"importlinter:contract:{wall}"]["source_modules"].split()
    rooms = {path.stem for path in (ROOT / "stream").glob("*.py")} - {"__init__"}
    rooms |= {path.parent.name for path in (ROOT / "stream").glob("*/__init__.py")}
    assert set(listed) == {f"stream.{room}" for room in rooms - free}
