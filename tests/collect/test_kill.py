"""SIGKILL under load: every event that was answered with 200 is in Kafka."""

import http.client
import json
import threading
import time
from pathlib import Path

import pytest

from stream.local import Server
from tests.collect.harness import AUTHORIZED, KEY
from tests.collect.live import Collector, kept

_CLIENTS = 6
_KILLS = 3
_LOAD_SECONDS = 0.7


class Load(threading.Thread):
    """Sends single events and batches as fast as they are answered; knows which got 200."""

    def __init__(self, port: int, name: str, ending: threading.Event) -> None:
        super().__init__(name=name)
        self.port = port
        self.ending = ending
        self.taken: list[str] = []
        self.failures = 0

    def run(self) -> None:
        number = 0
        while not self.ending.is_set():
            ids = [f"{self.name}-{number + i}" for i in range(1 + number % 5)]
            number += len(ids)
            if self._send(ids):
                self.taken += ids
            else:
                self.failures += 1
                time.sleep(0.05)

    def _send(self, ids: list[str]) -> bool:
        calls = [
            {"type": "track", "event": "e", "userId": f"{self.name}-{i % 3}", "messageId": name}
            for i, name in enumerate(ids)
        ]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("POST", "/v1/batch", json.dumps({"batch": calls}), AUTHORIZED)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def test_every_200_is_in_kafka_after_sigkill(broker: Server, unique: str, tmp_path: Path):
    ending = threading.Event()
    with Collector(broker, tmp_path, KEY) as collector:
        loads = [Load(collector.port, f"{unique}-{i}", ending) for i in range(_CLIENTS)]
        for load in loads:
            load.start()
        try:
            for _ in range(_KILLS):
                time.sleep(_LOAD_SECONDS)
                collector.process.kill()
                collector.start()
            time.sleep(_LOAD_SECONDS)
        finally:
            ending.set()
            for load in loads:
                load.join()
    taken = {name for load in loads for name in load.taken}
    assert len(taken) > 500
    assert sum(load.failures for load in loads) >= _KILLS
    found = {event["event_id"] for _, event in kept(broker, unique)}
    assert taken - found == set()


@pytest.mark.kafka
@pytest.mark.slow
def test_kafka_that_is_away_is_told_and_nothing_is_lost(
    apache_kafka: Server, unique: str, tmp_path: Path
):
    ending = threading.Event()
    with Collector(apache_kafka, tmp_path, KEY) as collector:
        load = Load(collector.port, unique, ending)
        load.start()
        time.sleep(1)
        apache_kafka.kill()  # type: ignore[attr-defined]
        time.sleep(12)
        begun = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", collector.port, timeout=15)
        call = json.dumps({"event": "e", "userId": f"{unique}-late"})
        connection.request("POST", "/v1/track", call, AUTHORIZED)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert (answer.status, body["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert time.monotonic() - begun < 10
        connection.close()
        apache_kafka.restart()  # type: ignore[attr-defined]
        before, deadline = len(load.taken), time.monotonic() + 40
        while len(load.taken) < before + 100 and time.monotonic() < deadline:
            time.sleep(0.2)
        ending.set()
        load.join()
        assert len(load.taken) >= before + 100
    found = [event["event_id"] for _, event in kept(apache_kafka, unique)]
    assert set(load.taken) - set(found) == set()
    assert len(found) == len(set(found))
