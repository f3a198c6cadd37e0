"""Write keys: whose events these are, and what that source may send.

Kept are SHA-256 digests only; a key of 128 random bits (`new_key`) cannot be found from its digest.
"""

import hashlib
import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stream.collect.refusal import Refusal
from stream.errors import ConfigurationError

_FILE_PREFIX = "@"
_DEFAULT_SOURCE = "default"

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class SourceLine(BaseModel):
    """One key of the keys file. Several may have the same source: that is how a key is rotated."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[str, Field(min_length=1, max_length=100)]
    sha256: Digest
    until: datetime | None = Field(None, description="the key is refused from then on")
    events_per_second: float | None = Field(None, gt=0)
    events: list[str] | None = Field(None, description="names that it may send; none: all")
    origins: list[str] | None = Field(None, description="websites that browsers may send from")
    consent: list[str] = Field([], description="categories that must not be denied")


class KeysFile(BaseModel):
    """The keys file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: list[SourceLine] = []
    admin: list[Digest] = Field([], description="SHA-256 of tokens for look-up and deletion")


@dataclass(slots=True)
class Source:
    """What a write key stands for; `take` counts its events against its rate."""

    name: str
    until_seconds: float | None = None
    events_per_second: float | None = None
    events: frozenset[str] | None = None
    origins: frozenset[str] | None = None
    consent: frozenset[str] = frozenset()
    _tokens: float = field(default=0.0, init=False)
    _at: float = field(default=0.0, init=False)

    def take(self, events: int, now_seconds: float) -> None:
        """Count events; a burst of two seconds' worth may come at once, or one whole request.

        Raises
        ------
        Refusal
            429 with the time after which they would be taken.
        """
        rate = self.events_per_second
        if rate is None:
            return
        most = 2 * rate
        self._tokens = min(most, self._tokens + (now_seconds - self._at) * rate)
        self._at = now_seconds
        # A request larger than the bucket passes when the bucket is full, and is paid off after.
        missing = min(events, most) - self._tokens
        if missing > 0:
            seconds = max(1, math.ceil(missing / rate - 1e-9))
            raise Refusal(429, "rate_limited", "this write key sends too many events", seconds)
        self._tokens -= events

    def permit_origin(self, origin: bytes | None) -> None:
        """Raise Refusal 403 if a browser sends from a website that is not allowed.

        Without their headers browsers keep answers from a page, but have sent the events by then.
        """
        if self.origins is None or origin is None:
            return
        if origin.decode("latin-1") not in self.origins:
            raise Refusal(
                403, "origin_not_allowed", "this write key may not be used from this website"
            )

    def permit(self, names: Sequence[str]) -> None:
        """Raise Refusal 403 if one of the names is not allowed."""
        if self.events is not None and not self.events.issuperset(names):
            raise Refusal(
                403, "event_not_allowed", "this write key may not send an event of this name"
            )


class Keyring:
    """Finds the source of a write key; reads its file again when that has changed.

    Parameters
    ----------
    text
        `AGOS_WRITE_KEYS`: keys, comma-separated, or `@` and the path of a keys file.

    Raises
    ------
    ConfigurationError
        Naming what is wrong, without the keys.
    """

    def __init__(self, text: str) -> None:
        self._path = Path(text[1:]) if text.startswith(_FILE_PREFIX) else None
        self._stamp = 0
        self._sources: Mapping[bytes, Source] = {}
        self._admin: frozenset[bytes] = frozenset()
        #: Websites that some key may be used from; None: any.
        self.origins: frozenset[str] | None = None
        if self._path is None:
            plain = [key.strip() for key in text.split(",") if key.strip()]
            self._sources = {digest(key): Source(_DEFAULT_SOURCE) for key in plain}
        else:
            self.refresh()
        if not self._sources:
            raise ConfigurationError(
                "AGOS_WRITE_KEYS: no write key, expected keys separated by commas, or @ and the "
                "path of a keys file (`agos collect --new-key SOURCE` makes a key)"
            )

    def find(self, key: str | None, now_seconds: float) -> Source:
        """Source of a key; Refusal 401 for none, an unknown one and one whose time is over."""
        source = self._sources.get(digest(key)) if key else None
        if source is None or (
            source.until_seconds is not None and now_seconds >= source.until_seconds
        ):
            raise Refusal(401, "unauthorized", "the write key is missing or not valid")
        return source

    def is_admin(self, token: str) -> bool:
        """Whether this is a token for the routes that read and delete customers."""
        return digest(token) in self._admin

    def refresh(self) -> bool:
        """Take up the file if it has changed; whether it was taken up.

        Raises
        ------
        ConfigurationError
            If it cannot be read; what was read before stays in force.
        """
        if self._path is None:
            return False
        try:
            stamp = self._path.stat().st_mtime_ns
            if stamp == self._stamp:
                return False
            found = KeysFile.model_validate(yaml.safe_load(self._path.read_text()) or {})
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"AGOS_WRITE_KEYS: {self._path}: {error}") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                f"AGOS_WRITE_KEYS: {self._path}: {where}: {first['msg']}"
            ) from None
        if not found.keys:
            raise ConfigurationError(
                f"AGOS_WRITE_KEYS: {self._path}: no write key, expected at least one under `keys`"
            )
        self._stamp = stamp
        self._sources = {bytes.fromhex(line.sha256): _source(line) for line in found.keys}
        self._admin = frozenset(bytes.fromhex(line) for line in found.admin)
        self.origins = _union([source.origins for source in self._sources.values()])
        return True


@lru_cache(maxsize=1024)
def digest(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode(errors="replace")).digest()


def new_key(source: str) -> tuple[str, str]:
    """A new key, and its line of the keys file."""
    key = secrets.token_hex(16)
    made = datetime.now(UTC).date().isoformat()
    line = f"- {{source: {source}, sha256: {digest(key).hex()}}}  # made {made}"
    return key, line


def _union(all_of: Sequence[frozenset[str] | None]) -> frozenset[str] | None:
    found: frozenset[str] = frozenset()
    for some in all_of:
        if some is None:
            return None
        found |= some
    return found


def _source(line: SourceLine) -> Source:
    until = line.until
    if until is not None and until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return Source(
        line.source,
        until.timestamp() if until else None,
        line.events_per_second,
        frozenset(line.events) if line.events is not None else None,
        frozenset(line.origins) if line.origins is not None else None,
        frozenset(line.consent),
    )
