"""What `agos webhooks` says of itself: metrics, and whether it is alive and ready."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from stream.collect.posting import Undeliverable, post
from stream.collect.webhooks import Deliverer
from stream.local import Process, free_port
from stream.metrics.names import WEBHOOKS
from stream.metrics.webhooks import WebhookMetrics, serve_webhooks
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.undelivered import UndeliveredChanges
from tests.collect.test_webhooks import Receiver, change, client, hook_for, receiver
from tests.dashboard.test_metrics import families, get

__all__ = ["client", "receiver"]


def values(port: int, name: str) -> dict[str, float]:
    """Webhook → value of a metric."""
    status, text = get(port, "/metrics")
    assert status == 200
    return {s.labels["webhook"]: s.value for s in families(text)[name].samples}


def test_what_was_taken_refused_and_given_up_is_counted(
    client: "Redis[str]", redis_url: str, receiver: Receiver
):
    receiver.statuses = [200, 503, 200, 503, 503, 503]
    for number in (1, 2, 3):
        change(client, number)
    settings = Settings(redis=redis_url, metrics="127.0.0.1:0")
    deliverer = Deliverer(hook_for(receiver), settings, (0.0, 0.0))
    with Reader(settings) as reader, UndeliveredChanges(settings) as undelivered:
        deliverer.deliver(reader, undelivered, wait=False)
    with serve_webhooks(settings, [deliverer]) as served:
        # Taken at once, taken the second time, refused three times.
        assert values(served.port, "agos_webhook_delivered_total") == {"crm": 2}
        assert values(served.port, "agos_webhook_refused_total") == {"crm": 4}
        assert values(served.port, "agos_webhook_given_up_total") == {"crm": 1}
        assert values(served.port, "agos_webhook_behind_seconds") == {"crm": 0}
        found = families(get(served.port, "/metrics")[1])
        assert {name.name for name in WEBHOOKS} <= found.keys()
        assert "process_resident_memory_bytes" in found
        assert get(served.port, "/health/live") == (200, "ok\n")
        assert get(served.port, "/health/ready") == (200, "ok\n")


def test_one_that_waits_for_its_receiver_is_behind_and_alive_until_it_hangs(
    client: "Redis[str]", redis_url: str, receiver: Receiver
):
    now_s = [time.time()]
    receiver.statuses = [500]
    settings = Settings(redis=redis_url)
    deliverer = Deliverer(hook_for(receiver), settings, (3600.0,), lambda: now_s[0])
    with Reader(settings) as reader:
        metrics = WebhookMetrics([deliverer], reader)
        assert metrics.live() == metrics.ready() == ""
        deliverer.start()
        # Its group begins where it began before: at a change that it has taken.
        change(client, 1)
        while not deliverer.counts["refused"]:
            time.sleep(0.01)
        now_s[0] += 100
        assert 99 < deliverer.behind_seconds < 130
        assert metrics.live() == metrics.ready() == ""
        now_s[0] += 100
        assert metrics.live() == metrics.ready() == "webhook crm has hung for 200 s"
        deliverer.stop()
        deliverer.join(30)
        assert metrics.live() == "webhook crm has ended"
        assert deliverer.behind_seconds == 0


def test_without_redis_it_is_live_but_not_ready():
    settings = Settings(redis="redis://127.0.0.1:1/0", metrics="127.0.0.1:0")
    with serve_webhooks(settings, []) as served:
        assert get(served.port, "/health/live") == (200, "ok\n")
        status, said = get(served.port, "/health/ready")
        assert status == 503
        assert "127.0.0.1:1" in said


def test_the_command_serves_them_and_ends_with_a_signal(tmp_path: Path, redis_url: str):
    hooks = tmp_path / "hooks.yaml"
    hooks.write_text("webhooks: [{name: shop, url: 'http://127.0.0.1:1/', secret: s}]")
    port = free_port()
    command = [sys.executable, "-P", "-m", "stream.cli", "webhooks", str(hooks)]
    environment = {"AGOS_REDIS": redis_url, "AGOS_METRICS": f"127.0.0.1:{port}"}
    process = Process("webhooks", command, tmp_path / "log", environment)

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return get(port, "/health/ready") == (200, "ok\n")
        return False

    process.start()
    try:
        process.wait_until(answers, 60)
        assert values(port, "agos_webhook_delivered_total") == {"shop": 0}
    finally:
        process.stop()
    assert process.returncode == 0


@pytest.fixture
def dripping() -> Iterator[str]:
    """Address of a receiver that sends a byte now and then, and never an end."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not ended.wait(0.02):
                connection.sendall(b"x")

    thread = threading.Thread(target=answer)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    ended.set()
    thread.join()
    listener.close()


def test_an_answer_that_never_ends_is_none(dripping: str):
    with pytest.raises(Undeliverable, match=r"no answer within 0\.5 s"):
        post(dripping, "a secret", {"change_id": "1"}, 0.5)
