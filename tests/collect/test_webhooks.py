"""Changes reach the receiver signed, in order, and again until it takes them."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from redis import Redis

from stream.cli.main import run
from stream.collect.webhooks import Deliverer, Webhook, read_webhooks, redrive
from stream.errors import ConfigurationError
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.undelivered import UndeliveredChanges

SECRET = "a secret"


class Receiver(ThreadingHTTPServer):
    """Answers with the next of `statuses`, then with 200; checks every signature."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.taken: list[dict[str, Any]] = []
        self.requests = 0


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        at, _, given = self.headers["agos-signature"].partition(",v1=")
        signed = at.removeprefix("t=").encode() + b"." + body
        assert given == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        change = json.loads(body)
        assert self.headers["agos-change-id"] == change["change_id"]
        self.server.requests += 1
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.taken.append(change)
        self.send_response(status)
        self.send_header("location", "http://127.0.0.1:1/")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def hook_for(receiver: Receiver, **options: Any) -> Webhook:
    url = f"http://127.0.0.1:{receiver.server_port}/agos?x=1"
    return Webhook(name="crm", url=url, secret=SecretStr(SECRET), **options)


def change(client: "Redis[str]", number: int, **fields: str) -> None:
    entry = {"change_id": f"c-{number}", "customer": "maria", "segment": "loyal",
             "change": "entered", "at": "5", "cause": "event", "reason": "because",
             "version": str(number), **fields}  # fmt: skip
    client.xadd("agos:changes", entry)


def deliver(hook: Webhook, redis_url: str, *pauses_seconds: float) -> None:
    settings = Settings(redis=redis_url)
    deliverer = Deliverer(hook, settings, pauses_seconds)
    with Reader(settings) as reader, UndeliveredChanges(settings) as undelivered:
        deliverer.deliver(reader, undelivered, wait=False)


@pytest.fixture
def client(redis_url: str, receiver: Receiver) -> Iterator["Redis[str]"]:
    with Redis.from_url(redis_url, decode_responses=True) as made:
        # A new webhook begins with new changes.
        change(made, 0)
        deliver(hook_for(receiver), redis_url)
        assert receiver.taken == []
        yield made


def test_changes_come_in_order_once_each(client: "Redis[str]", redis_url: str, receiver: Receiver):
    for number in range(1, 6):
        change(client, number)
    deliver(hook_for(receiver), redis_url)
    deliver(hook_for(receiver), redis_url)
    assert [c["change_id"] for c in receiver.taken] == ["c-1", "c-2", "c-3", "c-4", "c-5"]
    assert receiver.taken[0] == {
        "change_id": "c-1",
        "customer": "maria",
        "segment": "loyal",
        "change": "entered",
        "at": 5,
        "cause": "event",
        "reason": "because",
        "version": 1,
    }


def test_only_what_it_asked_for(client: "Redis[str]", redis_url: str, receiver: Receiver):
    change(client, 1, segment="other")
    change(client, 2, change="left")
    change(client, 3)
    deliver(hook_for(receiver, segments=["loyal"], changes=["entered"]), redis_url)
    assert [c["change_id"] for c in receiver.taken] == ["c-3"]


@pytest.mark.parametrize("status", [500, 404, 302])
def test_what_is_not_taken_comes_again(
    client: "Redis[str]", redis_url: str, receiver: Receiver, status: int
):
    receiver.statuses = [status, status]
    change(client, 1)
    change(client, 2)
    deliver(hook_for(receiver), redis_url, 0.0, 0.0)
    assert [c["change_id"] for c in receiver.taken] == ["c-1", "c-2"]
    assert receiver.requests == 4


def test_what_is_given_up_is_kept_and_can_be_sent_again(
    client: "Redis[str]", redis_url: str, receiver: Receiver
):
    receiver.statuses = [503, 503, 503]
    change(client, 1)
    change(client, 2)
    hook = hook_for(receiver)
    deliver(hook, redis_url, 0.0, 0.0)
    assert [c["change_id"] for c in receiver.taken] == ["c-2"]
    with UndeliveredChanges(Settings(redis=redis_url)) as undelivered:
        (kept,) = undelivered.read()
        assert (kept.hook, kept.problem, kept.change["change_id"]) == ("crm", "status 503", "c-1")
        receiver.statuses = [503]
        assert redrive([hook], undelivered) == (0, 1)
        assert redrive([], undelivered) == (0, 1)
        assert redrive([hook], undelivered) == (1, 0)
        assert list(undelivered.read()) == []
    assert [c["change_id"] for c in receiver.taken] == ["c-2", "c-1"]


def test_one_that_was_stopped_goes_on_with_what_was_not_taken(
    client: "Redis[str]", redis_url: str, receiver: Receiver
):
    change(client, 1)
    receiver.statuses = [500] * 3
    settings = Settings(redis=redis_url)
    stopped = Deliverer(hook_for(receiver), settings, (3600.0,))
    stopped.start()
    while receiver.requests == 0:
        threading.Event().wait(0.01)
    stopped.stop()
    stopped.join(10)
    assert not stopped.is_alive()
    receiver.statuses = []
    deliver(hook_for(receiver), redis_url)
    assert [c["change_id"] for c in receiver.taken] == ["c-1"]


def test_a_webhook_that_ended_by_a_bug_ends_the_command(
    tmp_path: Path, redis_url: str, capsys, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "hooks.yaml"
    path.write_text("webhooks: [{name: crm, url: 'http://x', secret: s}]")
    monkeypatch.setattr(Deliverer, "run", lambda self: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["agos", "webhooks", str(path), "--redis", redis_url])
    assert run() == 1
    assert "webhook-crm ended" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("webhooks: [{name: a, url: 'ftp://x', secret: s}]", "webhooks.0.url"),
        ("webhooks: [{name: a, url: 'http://x:99999', secret: s}]", "webhooks.0.url"),
        ("webhooks: [{name: A B, url: 'http://x', secret: s}]", "webhooks.0.name"),
        ("webhooks: [{name: a, url: 'http://x'}]", "webhooks.0.secret"),
        ("webhooks: {", "hooks.yaml"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, text: str, said: str):
    path = tmp_path / "hooks.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_webhooks(path)
