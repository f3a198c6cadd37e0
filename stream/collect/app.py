"""The collector as an ASGI application, and the process that serves it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from stream import admin
from stream.collect.browser import browser_routes
from stream.collect.document import describe
from stream.collect.gate import Gate
from stream.collect.keyring import Keyring
from stream.collect.mapping import Mapper
from stream.collect.producing import started
from stream.collect.service import service_routes
from stream.collect.tracking import Tracking, kind_of
from stream.errors import AgosError, ConfigurationError
from stream.settings import Settings

#: Makes the producer of the gate.
Connect = Callable[[Settings], Awaitable[Any]]

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 5.0
_GRACE_SECONDS = 10
#: Longer than the idle connections of the clients and of common load balancers (60 s).
_KEEP_ALIVE_SECONDS = 75


class Collector:
    """Tracking at once, everything else through FastAPI.

    FastAPI's own layers cost more than all of the collector's work on one event, so requests
    that websites send do not pass through them.
    """

    def __init__(self, tracking: Tracking, app: FastAPI) -> None:
        self.tracking = tracking
        self.app = app
        self._others = ProxyHeadersMiddleware(app)  # type: ignore[arg-type]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and kind_of(scope["path"]) is not None:
            await self.tracking(scope, receive, send)
        else:
            await self._others(scope, receive, send)


def collector(settings: Settings, connect: Connect = started) -> Collector:
    """The application; it connects to Kafka when its lifespan begins.

    Raises
    ------
    ConfigurationError
        If there are no write keys.
    """
    keyring = Keyring(settings.write_keys.get_secret_value())
    tracking = Tracking(keyring, Mapper(settings.currency))

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        producer = await connect(settings)
        tracking.gate = Gate(producer, settings.partitions)
        watching = asyncio.create_task(_watch(keyring))
        try:
            yield
        finally:
            watching.cancel()
            gate, tracking.gate = tracking.gate, None
            await gate.close()
            await producer.stop()

    app = FastAPI(
        title="Agos collector", version="1", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.router.routes.extend(browser_routes(keyring))
    app.include_router(service_routes(tracking))
    describe(app)
    return Collector(tracking, app)


def serve(settings: Settings) -> int:
    """Serve until a signal comes; exit code.

    Raises
    ------
    AgosError
        If a setting is wrong, or Kafka or its topics are not as they must be.
    """
    logging.basicConfig(
        level=settings.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("kafka", "aiokafka", "uvicorn"):
        # What Kafka's clients have to say comes back as errors, and is told in our own words.
        logging.getLogger(noisy).setLevel("WARNING" if noisy == "uvicorn" else "CRITICAL")
    host, port = address(settings.collector)
    app = collector(settings)
    admin.check(settings)
    log.info("listening on http://%s:%d", host, port)
    server = _Server(_config(app, host, port))
    server.run()
    return 0 if server.started else 1


def address(text: str) -> tuple[str, int]:
    """Host and port of `host:port`.

    Raises
    ------
    ConfigurationError
        If it is none.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigurationError(f"AGOS_COLLECTOR: {text!r}, expected host:port")
    return host.strip("[]"), int(port)


def _config(app: Collector, host: str, port: int) -> uvicorn.Config:
    options: dict[str, Any] = {
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,
        "log_config": None,
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": _GRACE_SECONDS,
    }
    return uvicorn.Config(app, host=host, port=port, **options)


class _Server(uvicorn.Server):
    """Ends with its own exit code after a signal, not by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()


async def _watch(keyring: Keyring) -> None:
    """Take up changes of the keys file."""
    while True:
        await asyncio.sleep(_REFRESH_SECONDS)
        try:
            if await asyncio.to_thread(keyring.refresh):
                log.info("the write keys were taken up again")
        except AgosError as error:
            log.error("%s (the keys read before stay in force)", error)
