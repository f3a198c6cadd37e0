"""The dashboard as an ASGI application, and the process that serves it."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui
from starlette.staticfiles import StaticFiles

from stream.dashboard.access import access
from stream.dashboard.exporting import export_routes
from stream.dashboard.exposition import SystemMetrics, exposition_routes
from stream.dashboard.guard import Guard
from stream.dashboard.live import Live
from stream.dashboard.pages import add_pages
from stream.dashboard.plain import tell_plainly
from stream.logs import set_up
from stream.metrics.endpoint import Endpoint, registry
from stream.serving import serve_until_signal
from stream.settings import Settings, host_and_port

log = logging.getLogger(__name__)

_ASSETS = Path(__file__).parent / "static"
_GRACE_SECONDS = 2
_RECONNECT_SECONDS = 10.0


def dashboard(settings: Settings, live: Live, host: str = "127.0.0.1") -> Guard:
    """The application; it begins to look when its lifespan begins. One in a process.

    Raises
    ------
    ConfigurationError
        If others could look without logging in, or a setting is wrong.
    """
    rules = access(settings, host)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        live.start()
        try:
            yield
        finally:
            await live.stop()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/assets", StaticFiles(directory=_ASSETS))
    app.include_router(export_routes(live))
    app.include_router(exposition_routes(SystemMetrics(live)))
    add_pages(live)
    tell_plainly(pages)
    ui.run_with(
        app,
        title="Agos",
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        reconnect_timeout=_RECONNECT_SECONDS,
        message_history_length=50,
        show_welcome_message=False,
    )
    return Guard(app, rules)


def serve(settings: Settings) -> int:
    """Serve until a signal comes; exit code.

    Raises
    ------
    AgosError
        If a setting is wrong.
    """
    noisy = ("uvicorn", "nicegui", "socketio", "engineio", "httpx", "watchfiles")
    set_up(settings, {"kafka": "CRITICAL", **dict.fromkeys(noisy, "ERROR")})
    host, port = host_and_port("AGOS_DASHBOARD", settings.dashboard)
    live = Live(settings)
    app = dashboard(settings, live, host)
    with _metrics(settings, live):
        log.info("listening on http://%s:%d", host, port)
        # Pages are small; compressing every update would cost more than it saves.
        return serve_until_signal(app, host, port, _GRACE_SECONDS, ws_per_message_deflate=False)


@contextlib.contextmanager
def _metrics(settings: Settings, live: Live) -> Iterator[None]:
    """Metrics without a login at `AGOS_METRICS`, where that is set."""
    if not settings.metrics:
        yield
        return
    shown = SystemMetrics(live)
    endpoint = Endpoint(settings.metrics, registry(shown), shown.live, shown.ready)
    try:
        yield
    finally:
        endpoint.close()
