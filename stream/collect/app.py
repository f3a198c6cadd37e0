"""The collector as an ASGI application, and the process that serves it."""

import asyncio
import contextlib
import http
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from stream import admin
from stream.collect.browser import browser_routes
from stream.collect.document import describe
from stream.collect.gate import Gate
from stream.collect.keyring import Keyring
from stream.collect.lookup import lookup_routes
from stream.collect.mapping import Mapper
from stream.collect.producing import started
from stream.collect.refusal import Refusal, invalid, later
from stream.collect.service import service_routes
from stream.collect.tracking import Tracking, kind_of
from stream.errors import AgosError, StoreError
from stream.logs import set_up
from stream.metrics.collecting import CollectorHealth, health_routes, metrics_served, traced
from stream.serving import serve_until_signal
from stream.settings import Settings, host_and_port
from stream.store.forget import ForgottenCustomers
from stream.store.seen import SeenEvents

#: Makes the producer of the gate.
Connect = Callable[[Settings], Awaitable[Any]]

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 5.0
_GRACE_SECONDS = 10
#: Longer than the idle connections of the clients and of common load balancers (60 s).
_KEEP_ALIVE_SECONDS = 75


class Collector:
    """Tracking at once, everything else through FastAPI and its layers."""

    def __init__(self, tracking: Tracking, app: FastAPI, health: CollectorHealth) -> None:
        self.tracking = tracking
        self.health = health
        self.app = app
        self._others = ProxyHeadersMiddleware(app)  # type: ignore[arg-type]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and kind_of(scope["path"]) is not None:
            await self.tracking(scope, receive, send)
        else:
            await self._others(scope, receive, send)


def collector(
    settings: Settings, connect: Connect = started, *, remember: bool = True
) -> Collector:
    """The application; it connects to Kafka when its lifespan begins.

    Parameters
    ----------
    remember
        Whether Redis remembers what was sent; without, only what is under way is recognised.

    Raises
    ------
    ConfigurationError
        If there are no write keys.
    """
    keyring = Keyring(settings.write_keys.get_secret_value())
    tracking = Tracking(keyring, Mapper(settings.currency))
    health = CollectorHealth()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            producer = await connect(settings)
            stack.push_async_callback(_stop, producer)
            seen, forgotten = None, None
            if remember:
                seen, forgotten = SeenEvents(settings), ForgottenCustomers(settings)
                stack.push_async_callback(seen.close)
                stack.push_async_callback(forgotten.close)
                await _take_up_marks(forgotten)
            gate = Gate(producer, settings.partitions, seen)
            stack.push_async_callback(gate.close)
            watching = asyncio.create_task(_watch(keyring, forgotten))
            stack.callback(watching.cancel)
            tracking.gate, tracking.forgotten = gate, forgotten
            watched = health.watched(settings, tracking, producer, report=remember)
            await stack.enter_async_context(watched)
            try:
                yield
            finally:
                tracking.gate = None

    app = FastAPI(
        title="Agos collector", version="1", lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.add_exception_handler(StarletteHTTPException, _plain_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StoreError, _refused)
    app.router.routes.extend(browser_routes(keyring))
    app.include_router(service_routes(tracking))
    app.include_router(health_routes(health))
    app.include_router(lookup_routes(settings, keyring))
    describe(app)
    return Collector(tracking, app, health)


def serve(settings: Settings) -> int:
    """Serve until a signal comes; exit code.

    Raises
    ------
    AgosError
        If a setting is wrong, or Kafka or its topics are not as they must be.
    """
    # What Kafka's clients have to say comes back as errors, and is told in our own words.
    set_up(settings, {"kafka": "CRITICAL", "aiokafka": "CRITICAL", "uvicorn": "WARNING"})
    host, port = host_and_port("AGOS_COLLECTOR", settings.collector)
    app = collector(settings, traced(started, settings))
    admin.check(settings)
    log.info("listening on http://%s:%d", host, port)
    with metrics_served(settings, app.tracking, app.health):
        return serve_until_signal(
            app, host, port, _GRACE_SECONDS,
            date_header=False, timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        )  # fmt: skip


async def _plain_error(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, StarletteHTTPException) else 500
    phrase = http.HTTPStatus(status).phrase
    allow = (getattr(error, "headers", None) or {}).get("Allow")
    return _answer(Refusal(status, phrase.lower().replace(" ", "_"), phrase, allow=allow))


async def _invalid(_: Request, error: Exception) -> Response:
    """Which parameter, but not what it was: FastAPI's own answer repeats it."""
    first: dict[str, Any] = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where = ".".join(str(part) for part in first.get("loc", ())[:2])
    return _answer(invalid(f"{where}: not as expected"))


async def _refused(_: Request, error: Exception) -> Response:
    return _answer(error if isinstance(error, Refusal) else later("Redis does not answer"))


def _answer(refusal: Refusal) -> Response:
    return JSONResponse(refusal.content, refusal.status, refusal.headers)


async def _stop(producer: Any) -> None:
    """An idempotent producer would wait for a Kafka that is away for ever."""
    try:
        async with asyncio.timeout(_GRACE_SECONDS):
            await producer.stop()
    except TimeoutError:
        log.warning("Kafka did not take everything; nobody was told that it has it")


async def _take_up_marks(forgotten: ForgottenCustomers) -> None:
    if not await forgotten.refresh():
        log.warning("Redis does not say who was forgotten (the marks read before stay in force)")


async def _watch(keyring: Keyring, forgotten: ForgottenCustomers | None) -> None:
    """Take up changes of the keys file, and who was forgotten."""
    while True:
        await asyncio.sleep(_REFRESH_SECONDS)
        if forgotten is not None:
            await _take_up_marks(forgotten)
        try:
            if await asyncio.to_thread(keyring.refresh):
                log.info("the write keys were taken up again")
        except AgosError as error:
            log.error("%s (the keys read before stay in force)", error)
