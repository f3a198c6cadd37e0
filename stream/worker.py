"""Runs one worker process from its start-up checks to its exit code."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module

from faust import Worker

from stream import admin
from stream.agents import Crew, assemble
from stream.errors import AgosError, ConfigurationError
from stream.settings import Settings
from stream.store.store import opened

log = logging.getLogger(__name__)

#: The learning thread hands over to the event loop this often.
_SWITCH_SECONDS = 0.0005
#: A worker that is stopping has ended after so long, by itself or not.
_LAST_SECONDS = 8.0


def run(settings: Settings) -> int:
    """Work until a signal comes (0) or something goes wrong (1).

    Raises
    ------
    AgosError
        If the topics or the Redis are not as they must be.
    """
    logging.basicConfig(
        level=settings.log.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("faust", "mode", "aiokafka", "kafka"):
        logging.getLogger(noisy).setLevel("WARNING" if settings.log != "debug" else "DEBUG")
    topic_ids = admin.check(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Not uvloop, a tenth faster: it raises on writing to a connection that is being lost, and
    # neither redis-py nor aiokafka expects that.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_check_store(settings))
    app, crew = assemble(settings, topic_ids)
    _serve_metrics(settings, crew)
    worker = Worker(app, quiet=True, override_logging=False, redirect_stdouts=False, loop=loop)
    finish = _finish(crew)
    app.on_before_shutdown.connect(finish)
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        log.debug("Faust ended with %s", stop.code)
        failed = bool(stop.code)
    except AgosError:
        failed = True
    return 1 if failed or crew.failure is not None else 0


def _serve_metrics(settings: Settings, crew: Crew) -> None:
    if not settings.metrics:
        return
    try:
        serving = import_module("stream.metrics.serving")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "prometheus_client":
            raise
        raise ConfigurationError(
            "AGOS_METRICS needs prometheus-client, which is not installed: "
            "pip install 'agos[dashboard]'"
        ) from None
    serving.serve_worker(settings, crew)


def _finish(crew: Crew) -> Callable[..., Awaitable[None]]:
    async def finish(*_: object, **__: object) -> None:
        # Where Faust's stop fails half-way, its consumer thread stays in the group: partitions
        # would be this process's for good, and nobody would apply them.
        last = threading.Timer(_LAST_SECONDS, os._exit, (1,))
        last.daemon = True
        last.start()
        await crew.finish()

    return finish


async def _check_store(settings: Settings) -> None:
    async with opened(settings):
        pass
