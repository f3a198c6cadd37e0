"""Entries and exits as signed HTTP requests: at least once, in order, resumable.

Each webhook is a consumer group of `agos:changes`, so it goes on where it stopped, and one that
is slow holds up no other. What it does not take after all attempts is kept (`store.undelivered`).
"""

import hashlib
import hmac
import http.client
import json
import logging
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError

from stream.errors import AgosError, ConfigurationError, StoreError
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.records import Change
from stream.store.undelivered import UndeliveredChanges

log = logging.getLogger(__name__)

#: Between attempts; after the last one a change is given up.
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0)
_TIMEOUT_SECONDS = 10.0
_AGAIN_SECONDS = 5.0


class Webhook(BaseModel):
    """One receiver."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,60}$")]
    url: HttpUrl
    secret: SecretStr
    segments: list[str] | None = Field(None, description="ids of segments; none: all")
    changes: list[Literal["entered", "left"]] = ["entered", "left"]

    def wants(self, change: Change) -> bool:
        """Whether this change is for this receiver."""
        if change.change not in self.changes:
            return False
        return self.segments is None or change.segment in self.segments


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    webhooks: list[Webhook]


class Undeliverable(AgosError):
    """The receiver did not answer with 2xx."""


def read_webhooks(path: Path) -> list[Webhook]:
    """Webhooks of a YAML file.

    Raises
    ------
    ConfigurationError
        Naming the field, not its value: it may be a secret.
    """
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text()) or {}).webhooks
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path}: {where}: {first['msg']}") from None
    names = [hook.name for hook in found]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"{path}: two webhooks have the same name")
    return found


def signature(secret: str, at_seconds: int, body: bytes) -> str:
    """`t=…,v1=…`: HMAC-SHA-256 of `t`, a dot and the body."""
    signed = b"%d.%b" % (at_seconds, body)
    return f"t={at_seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def as_json(change: Change) -> dict[str, Any]:
    """A change as the topic `segment-changes` has it."""
    return {
        "change_id": change.change_id,
        "customer": change.customer_id,
        "segment": change.segment,
        "change": change.change,
        "at": change.at_ms,
        "cause": change.cause,
        "reason": change.reason,
        "version": change.version,
        **({} if change.due_at_ms is None else {"due_at": change.due_at_ms}),
    }


def post(hook: Webhook, change: Mapping[str, Any]) -> None:
    """One attempt; redirects are not followed.

    Raises
    ------
    Undeliverable
        Saying why.
    """
    body = json.dumps(change, ensure_ascii=False).encode()
    parts = urlsplit(str(hook.url))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "agos",
        "Agos-Change-Id": str(change["change_id"]),
        "Agos-Signature": signature(hook.secret.get_secret_value(), int(time.time()), body),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connection(parts)) as connection:
            connection.request("POST", target, body, headers)
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise Undeliverable(f"{type(error).__name__}: {error}") from None
    if not 200 <= status < 300:
        raise Undeliverable(f"status {status}")


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, parts.port, timeout=_TIMEOUT_SECONDS, context=context
        )
    return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_SECONDS)


class Deliverer(threading.Thread):
    """Delivers to one webhook until it is stopped."""

    def __init__(
        self, hook: Webhook, settings: Settings, pauses_seconds: Sequence[float] = PAUSES_SECONDS
    ) -> None:
        super().__init__(name=f"webhook-{hook.name}", daemon=True)
        self._hook = hook
        self._settings = settings
        self._pauses_seconds = pauses_seconds
        self._ending = threading.Event()

    def stop(self) -> None:
        """Begin no other attempt; what was not taken yet comes again next time."""
        self._ending.set()

    def run(self) -> None:
        while not self._ending.is_set():
            try:
                with (
                    Reader(self._settings) as reader,
                    UndeliveredChanges(self._settings) as undelivered,
                ):
                    self.deliver(reader, undelivered)
            except StoreError as error:
                log.warning("webhook %s: %s", self._hook.name, error)
                self._ending.wait(_AGAIN_SECONDS)

    def deliver(self, reader: Reader, undelivered: UndeliveredChanges, wait: bool = True) -> None:
        """Changes in order; ends where there are no more, unless it waits."""
        group = f"webhook:{self._hook.name}"
        with closing(reader.changes(group=group, consumer="agos", wait=wait)) as changes:
            for change in changes:
                # What was not taken is not done, and comes again next time.
                if self._ending.is_set():
                    return
                if self._hook.wants(change) and not self._delivered(change, undelivered):
                    return

    def _delivered(self, change: Change, undelivered: UndeliveredChanges) -> bool:
        """False only when it was stopped before an end was reached."""
        content = as_json(change)
        problem = ""
        for pause_seconds in (*self._pauses_seconds, None):
            try:
                post(self._hook, content)
                return True
            except Undeliverable as error:
                problem = str(error)
            if pause_seconds is not None and self._ending.wait(pause_seconds):
                return False
        log.warning("webhook %s: gave up change %s: %s", self._hook.name, change.change_id, problem)
        undelivered.add(self._hook.name, content, problem)
        return True


def redrive(hooks: Sequence[Webhook], undelivered: UndeliveredChanges) -> tuple[int, int]:
    """Try each undelivered change once more: how many were taken, how many were not."""
    known = {hook.name: hook for hook in hooks}
    taken = left = 0
    for one in list(undelivered.read()):
        try:
            if one.hook not in known:
                raise Undeliverable("no such webhook")
            post(known[one.hook], one.change)
            undelivered.remove(one.position)
            taken += 1
        except Undeliverable:
            left += 1
    return taken, left
