"""Serves an ASGI application until a signal comes, as the collector and the dashboard do."""

import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn


def serve_until_signal(app: Any, host: str, port: int, grace_seconds: int, **options: Any) -> int:
    """Serve; exit code: 0 after a signal, 1 if it could not begin.

    Parameters
    ----------
    grace_seconds
        Requests that are under way at the end may take so long.
    options
        More of `uvicorn.Config`.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        # Whose word is taken for who asks, each application decides itself.
        proxy_headers=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=grace_seconds,
        **options,
    )
    server = _Server(config)
    server.run()
    return 0 if server.started else 1


class _Server(uvicorn.Server):
    """Ends with its own exit code after a signal, not by the signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()
