"""Runs one worker process from its start-up checks to its exit code."""

import asyncio
import gc
import logging
import os
import sys
import threading
from typing import Any

from faust import Worker

from stream import admin
from stream.agents import Crew, assemble
from stream.errors import AgosError
from stream.logs import set_up
from stream.metrics.extras import optional
from stream.settings import Settings
from stream.store.store import opened

log = logging.getLogger(__name__)

#: The learning thread hands over to the event loop this often.
_SWITCH_SECONDS = 0.0005
#: Objects made from one look for garbage in cycles to the next; there is little of it.
_GARBAGE_OBJECTS = 50_000
#: A worker that is stopping has ended after so long, by itself or not.
_LAST_SECONDS = 4.0


def run(settings: Settings) -> int:
    """Work until a signal comes (0) or something goes wrong (1).

    Raises
    ------
    AgosError
        If the topics or the Redis are not as they must be.
    """
    noisy = "WARNING" if settings.log != "debug" else "DEBUG"
    set_up(settings, dict.fromkeys(("faust", "mode", "aiokafka", "kafka"), noisy))
    topic_ids = admin.check(settings)
    sys.setswitchinterval(_SWITCH_SECONDS)
    # Not uvloop, a tenth faster: it raises on writing to a connection that is being lost, and
    # neither redis-py nor aiokafka expects that.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(_check_store(settings))
    app, crew = assemble(settings, topic_ids)
    if settings.metrics:
        serving = optional("stream.metrics.serving", "AGOS_METRICS", "dashboard")
        serving.serve_worker(settings, crew)
    if settings.traces:
        tracing = optional("stream.tracing.applying", "AGOS_TRACES", "tracing")
        crew.before_group = tracing.trace_worker(settings, crew.pipeline).take
    ending = _Ending(crew)
    worker = _Worker(
        app, quiet=True, override_logging=False, redirect_stdouts=False, loop=loop, ending=ending
    )
    app.on_before_shutdown.connect(ending.finish)
    gc.freeze()
    gc.set_threshold(_GARBAGE_OBJECTS)
    try:
        worker.execute_from_commandline()
    except SystemExit as stop:
        log.debug("Faust ended with %s", stop.code)
        failed = bool(stop.code)
    except AgosError:
        failed = True
    return 1 if failed or crew.failure is not None else 0


class _Ending:
    """Ends the process some seconds after it is asked to, whatever hangs then.

    Where Faust's stop fails half-way, its consumer stays in the group: partitions would be this
    process's for good, and nobody would apply them.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._last: threading.Timer | None = None

    def begin(self) -> None:
        """Count from now, or from the first time that it was said."""
        if self._last is None:
            self._last = threading.Timer(_LAST_SECONDS, self._end)
            self._last.daemon = True
            self._last.start()

    def _end(self) -> None:
        # As safe as any end: what is not in Redis is read again.
        log.warning("the stop took longer than %.1f s and was cut short", _LAST_SECONDS)
        os._exit(0 if self._crew.failure is None else 1)

    async def finish(self, *_: object, **__: object) -> None:
        """Let what is in flight end."""
        self.begin()
        await self._crew.finish()


class _Worker(Worker):
    """Faust's worker, of which a signal is the beginning of the end also while it starts."""

    def __init__(self, *args: Any, ending: _Ending, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._ending = ending

    def _schedule_shutdown(self, signal: Any) -> None:
        self._ending.begin()
        super()._schedule_shutdown(signal)


async def _check_store(settings: Settings) -> None:
    async with opened(settings):
        pass
