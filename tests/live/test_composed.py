"""The processes of docker-compose.yml, with its environment, by hand: Kafka, topics, workers."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from redis import Redis

from stream.local import Supervisor
from tests.servers import ApacheKafka, remove_topics

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.kafka
def test_topics_then_two_workers_become_healthy(
    apache_kafka: ApacheKafka, redis_url: str, tmp_path: Path
):
    remove_topics(apache_kafka)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    # In containers each has its own port for metrics, and the definitions are mounted.
    environment = {
        name: value
        for name, value in services["worker"]["environment"].items()
        if not value.startswith("${") and name != "AGOS_METRICS"
    } | {
        "AGOS_KAFKA": apache_kafka.address,
        "AGOS_REDIS": redis_url,
        "AGOS_SEGMENTS": str(ROOT / "segments.yaml"),
    }
    agos = [sys.executable, "-m", "stream.cli"]
    everything = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    subprocess.run([*agos, *services["topics"]["command"]], env=everything, check=True, timeout=60)
    command = [*agos, *services["worker"]["command"]]
    with Supervisor(tmp_path / "logs", max_fast_failures=1) as supervisor:
        for number in (1, 2):
            supervisor.start(f"worker-{number}", command, everything)
        health = [sys.executable, str(ROOT / "deploy" / "healthy.py")]
        deadline = time.monotonic() + 60
        with Redis.from_url(redis_url) as client:
            while client.hlen("agos:workers") < 2:
                assert supervisor.check()
                assert time.monotonic() < deadline, "two workers did not report within a minute"
                time.sleep(0.2)
        subprocess.run(health, env=everything, check=True, timeout=30)
        started_s = time.monotonic()
        supervisor.stop()
        assert time.monotonic() - started_s < 6
