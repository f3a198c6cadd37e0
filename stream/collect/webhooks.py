"""Entries and exits as signed HTTP requests: at least once, in order, resumable.

Each webhook is a consumer group of `agos:changes`, so it goes on where it stopped, and one that
is slow holds up no other. What it does not take after all attempts is kept (`store.undelivered`).
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, ValidationError

from stream.collect.posting import Undeliverable, post
from stream.errors import ConfigurationError, StoreError
from stream.settings import Settings
from stream.store.reader import Reader
from stream.store.records import Change
from stream.store.undelivered import UndeliveredChanges

log = logging.getLogger(__name__)

#: Between attempts; after the last one a change is given up.
PAUSES_SECONDS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0)
_AGAIN_SECONDS = 5.0
#: Longer than any attempt or pause takes.
_STUCK_SECONDS = 180.0


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

    def post(self, change: Mapping[str, Any]) -> None:
        """One attempt; raises Undeliverable."""
        post(str(self.url), self.secret.get_secret_value(), change)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    webhooks: list[Webhook]


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


class Deliverer(threading.Thread):
    """Delivers to one webhook until it is stopped.

    Attributes
    ----------
    counts
        Changes `delivered` and `given_up`, and attempts that were `refused`.
    """

    def __init__(
        self,
        hook: Webhook,
        settings: Settings,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name=f"webhook-{hook.name}", daemon=True)
        self.hook = hook
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._pauses_seconds = pauses_seconds
        self._clock = clock
        self._ending = threading.Event()
        #: When the change was written that is under way, and when something was last done for it.
        self._written_s: float | None = None
        self._turned_s = clock()

    @property
    def behind_seconds(self) -> float:
        """How long ago the change was written that is under way; 0 while none is."""
        written_s = self._written_s
        return 0.0 if written_s is None else max(self._clock() - written_s, 0.0)

    def stuck(self) -> str:
        """Why the process should be started again; empty if it should not."""
        if self.ident is not None and not self.is_alive():
            return f"webhook {self.hook.name} has ended"
        hung_seconds = 0.0 if self._written_s is None else self._clock() - self._turned_s
        if hung_seconds > _STUCK_SECONDS:
            return f"webhook {self.hook.name} has hung for {hung_seconds:.0f} s"
        return ""

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
                log.warning("webhook %s: %s", self.hook.name, error)
                self._ending.wait(_AGAIN_SECONDS)

    def deliver(self, reader: Reader, undelivered: UndeliveredChanges, wait: bool = True) -> None:
        """Changes in order; ends where there are no more, unless it waits."""
        group = f"webhook:{self.hook.name}"
        with closing(reader.changes(group=group, consumer="agos", wait=wait)) as changes:
            for change in changes:
                # What was not taken is not done, and comes again next time.
                if self._ending.is_set():
                    return
                if self.hook.wants(change) and not self._delivered(change, undelivered):
                    return

    def _delivered(self, change: Change, undelivered: UndeliveredChanges) -> bool:
        """False only when it was stopped before an end was reached."""
        self._turned_s = self._clock()
        self._written_s = int(change.position.partition("-")[0]) / 1000
        try:
            return self._tried(as_json(change), undelivered)
        finally:
            self._written_s = None

    def _tried(self, content: Mapping[str, Any], undelivered: UndeliveredChanges) -> bool:
        problem = ""
        for pause_seconds in (*self._pauses_seconds, None):
            self._turned_s = self._clock()
            try:
                self.hook.post(content)
                self.counts["delivered"] += 1
                return True
            except Undeliverable as error:
                self.counts["refused"] += 1
                problem = str(error)
            if pause_seconds is not None and self._ending.wait(pause_seconds):
                return False
        log.warning(
            "webhook %s: gave up change %s: %s", self.hook.name, content["change_id"], problem
        )
        undelivered.add(self.hook.name, content, problem)
        self.counts["given_up"] += 1
        return True


def redrive(hooks: Sequence[Webhook], undelivered: UndeliveredChanges) -> tuple[int, int]:
    """Try each undelivered change once more: how many were taken, how many were not."""
    known = {hook.name: hook for hook in hooks}
    taken = left = 0
    for one in list(undelivered.read()):
        try:
            if one.hook not in known:
                raise Undeliverable("no such webhook")
            known[one.hook].post(one.change)
            undelivered.remove(one.position)
            taken += 1
        except Undeliverable:
            left += 1
    return taken, left
