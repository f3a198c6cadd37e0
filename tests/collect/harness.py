"""A collector within the test's own process, with a Kafka that does as it is told."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiokafka.errors import KafkaError
from pydantic import SecretStr

from stream.collect.app import Collector, collector
from stream.settings import Settings
from stream.topics import partition_of

KEY = "key-of-the-tests"
AUTHORIZED = {"authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class FakeBatch:
    """Takes three records; a fourth does not fit."""

    SIZE = 3

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes]] = []

    def append(self, *, timestamp: Any, key: bytes, value: bytes) -> object | None:
        if len(self.records) == self.SIZE:
            return None
        self.records.append((key, value))
        return object()


class FakeKafka:
    """Acknowledges at once, or when told; `records` is what it has, in order."""

    def __init__(self) -> None:
        self.records: list[tuple[str, int, bytes, bytes]] = []
        self.failing = 0
        self.open = asyncio.Event()
        self.open.set()
        self._tasks: set[Any] = set()

    def create_batch(self) -> FakeBatch:
        return FakeBatch()

    async def send_batch(self, batch: FakeBatch, topic: str, *, partition: int) -> Any:
        end = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(self._deliver(batch, topic, partition, end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return end

    async def stop(self) -> None:
        pass

    async def _deliver(self, batch: FakeBatch, topic: str, partition: int, end: Any) -> None:
        await self.open.wait()
        if self.failing:
            self.failing -= 1
            end.set_exception(KafkaError("not today"))
            return
        self.records += [(topic, partition, key, value) for key, value in batch.records]
        end.set_result(None)

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Topic and content of each record; each must be in its customer's partition."""
        found = []
        for topic, partition, key, value in self.records:
            event = json.loads(value)
            assert key.decode() == event["customer_id"]
            assert partition == partition_of(event["customer_id"], 8)
            found.append((topic, event))
        return found


class Site:
    """Sends requests to a collector."""

    def __init__(self, app: Collector, kafka: FakeKafka) -> None:
        self.app = app
        self.kafka = kafka

    async def send(
        self,
        path: str,
        body: Any = b"",
        headers: Mapping[str, str] = AUTHORIZED,
        method: str = "POST",
    ) -> Answer:
        """`body` is sent as it is if bytes, else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in headers.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        # In two parts, as large bodies come.
        half = len(content) // 2
        parts = [(content[:half], True), (content[half:], False)]
        messages: list[Any] = []

        async def receive() -> Any:
            part, more = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": more}

        async def send(message: Any) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        answered = {k.decode().lower(): v.decode("latin-1") for k, v in messages[0]["headers"]}
        return Answer(
            messages[0]["status"], answered, b"".join(m.get("body", b"") for m in messages[1:])
        )


@asynccontextmanager
async def running(write_keys: str = KEY, **settings: Any) -> AsyncIterator[Site]:
    """A collector that has begun, and will end."""
    kafka = FakeKafka()

    async def connect(_: Settings) -> FakeKafka:
        return kafka

    app = collector(
        Settings(write_keys=SecretStr(write_keys), **settings),
        connect,
        remember="redis" in settings,
    )
    async with app.app.router.lifespan_context(app.app):
        yield Site(app, kafka)
