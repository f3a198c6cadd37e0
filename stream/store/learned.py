"""For live views: how the clusterers do, and what has moved in the customers."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from models.league import Standing
from stream.settings import Settings
from stream.store import keys
from stream.store.connect import Connected, client, told


@dataclass(frozen=True, slots=True)
class Alert:
    """Something has moved: a feature's mean, or (``fit``) the distance from the segments.

    `shift` is in deviations of the feature after its logarithm; `since_ms` is when it began,
    `noticed_ms` when it was certain; `text` says it in the language of the settings.
    """

    feature: str
    shift: float
    since_ms: int
    noticed_ms: int
    text: str
    model_version: int


class League(msgspec.Struct, frozen=True):
    """The clusterer in force, the one that is wanted, and how all of them do.

    `failures` counts ticks in which the model could not learn, since this trainer began.
    `shadow_rounds` is how many rounds a challenger needs before it can be promoted.
    """

    updated_ms: int
    in_force: str
    wanted: str
    shadow_rounds: int
    failures: int
    standings: tuple[Standing, ...]

    def to_json(self) -> str:
        return msgspec.json.encode(self).decode()


class LearnedReader(Connected):
    """Reads what the trainer says of itself; raises StoreError if Redis does not answer."""

    def __init__(
        self,
        where: str | Settings = "redis://127.0.0.1:6379/0",
        *,
        timeout_seconds: float = 5.0,
    ) -> None:
        settings = Settings(redis=where) if isinstance(where, str) else where
        super().__init__(settings, timeout_seconds=timeout_seconds)

    def alerts(self, count: int = 20) -> list[Alert]:
        """The newest alerts, the newest first."""
        with self._told:
            entries = self._redis.xrevrange(keys.ALERTS, count=count)
        return [to_alert(fields) for _, fields in entries]

    def league(self) -> League | None:
        """How the clusterers do; None before the first tick."""
        with self._told:
            text = self._redis.get(keys.LEAGUE)
        return msgspec.json.decode(text, type=League) if text else None

    def model(self) -> tuple[int, int]:
        """Version of the model in force, and how many customers it learned from."""
        with self._told:
            version, customers = self._redis.hmget(keys.MODEL, ("version", "trained_on"))
        return int(version or 0), int(customers or 0)

    def segments(self) -> dict[str, dict[str, Any]]:
        """Id → name, description, share, parents of each segment of the model in force."""
        with self._told:
            names = json.loads(self._redis.hget(keys.MODEL, "names") or "{}")
            known = self._redis.hmget(keys.SEGMENTS, list(names)) if names else []
        return {i: json.loads(text) for i, text in zip(names, known, strict=True) if text}


def ask_for(settings: Settings, clusterer: str) -> None:
    """Let the trainer promote this clusterer once it has been in the shadow for long enough."""
    with told(settings.redis):
        client(settings, timeout_seconds=5.0).set(keys.WANTED, clusterer)


def to_alert(fields: dict[str, str]) -> Alert:
    """Alert of one entry of `agos:model:alerts`."""
    return Alert(
        fields["feature"],
        float(fields["shift"]),
        int(fields["since_ms"]),
        int(fields["noticed_ms"]),
        fields["text"],
        int(fields["model_version"]),
    )
