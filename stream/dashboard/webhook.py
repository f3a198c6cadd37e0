"""Sends alerts to a URL: JSON, each tried a few times, in order, without holding anything up."""

import asyncio
import http.client
import json
import logging
import urllib.error
import urllib.request
from typing import Any

import msgspec

from stream.dashboard.alerts import RULES, Alert
from stream.errors import ConfigurationError

log = logging.getLogger(__name__)

_MOST_WAITING = 200
_TIMEOUT_SECONDS = 5.0
_PAUSES_SECONDS = (1.0, 5.0, 30.0)


class Webhook:
    """Sends from a task of its own; without a URL it does nothing.

    Raises
    ------
    ConfigurationError
        If the URL is none of HTTP.
    """

    def __init__(self, url: str) -> None:
        if url and not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "AGOS_ALERT_WEBHOOK: expected a URL that begins with http:// or https://"
            )
        self._url = url
        self._waiting: asyncio.Queue[Alert] = asyncio.Queue(_MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def send(self, alert: Alert) -> None:
        """Send it soon; if too many wait, it is left out and that is logged."""
        if not self._url:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        try:
            self._waiting.put_nowait(alert)
        except asyncio.QueueFull:
            log.error("the webhook is too far behind: %s was not sent", alert.rule)

    async def close(self) -> None:
        """Send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            alert = await self._waiting.get()
            for pause_seconds in (*_PAUSES_SECONDS, None):
                problem = await asyncio.to_thread(post, self._url, body(alert))
                if not problem:
                    break
                if pause_seconds is None:
                    log.error("the webhook did not take %s: %s", alert.rule, problem)
                    break
                await asyncio.sleep(pause_seconds)


def body(alert: Alert) -> dict[str, Any]:
    """What is sent."""
    return {
        "alert": alert.rule,
        "meaning": RULES[alert.rule],
        "status": "over" if alert.until_ms else "raised",
        **{k: v for k, v in msgspec.structs.asdict(alert).items() if k != "rule"},
    }


def post(url: str, content: dict[str, Any]) -> str:
    """What went wrong, empty if nothing did. Blocking; the URL may hold a secret and is not
    repeated."""
    request = urllib.request.Request(
        url, json.dumps(content).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return f"status {error.code}"
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
