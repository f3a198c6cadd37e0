"""Every setting of Agos, read from the environment (prefix `AGOS_`); the only reader of it."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from stream.errors import ConfigurationError

#: Units of US dollar for one unit: ECB euro foreign exchange reference rates of 31 December 2024.
#: To try things out with; set `AGOS_RATES` to your own.
REFERENCE_RATES_USD = {
    "USD": 1.0,
    "EUR": 1.0389,
    "GBP": 1.2529,
    "AUD": 0.6194,
    "CAD": 0.6950,
    "JPY": 0.006371,
    "PHP": 0.017229,
}


#: So that the largest amount still fits the totals.
_LARGEST_RATE = 1e4


class Settings(BaseSettings):
    """Frozen settings; `Settings()` reads the environment, arguments override it."""

    model_config = SettingsConfigDict(env_prefix="AGOS_", frozen=True, extra="ignore")

    kafka: str = Field("127.0.0.1:9092", description="bootstrap servers, comma-separated")
    kafka_security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca: Path | None = Field(None, description="CA certificates of the brokers, PEM")
    kafka_session_timeout: float = Field(
        10.0, gt=0, le=300, description="seconds until the group gives up on a silent worker"
    )
    kafka_fetch_wait: float = Field(
        0.5, gt=0, le=5, description="seconds a fetch may wait at the broker for the next event"
    )
    replication: int = Field(1, ge=1, description="copies of each topic `agos topics` asks for")
    redis: str = Field("redis://127.0.0.1:6379/0", description="URL; rediss:// for TLS")
    redis_user: str = ""
    redis_password: SecretStr = SecretStr("")
    redis_sentinel: str = Field("", description="name of the Sentinel service; URL names one")
    partitions: int = Field(8, ge=1, le=4096, description="partitions of each event topic")
    group: str = Field("agos", min_length=1, description="consumer group of the workers")
    segments: Path | None = Field(None, description="YAML file of the segment definitions")
    collector: str = Field("127.0.0.1:8080", description="host:port")
    dashboard: str = Field("127.0.0.1:8090", description="host:port")
    dashboard_token: SecretStr = Field(SecretStr(""), description="who has it may log in")
    dashboard_user_header: str = Field(
        "", description="header in which a reverse proxy names who has logged in"
    )
    dashboard_proxies: str = Field(
        "127.0.0.1,::1", description="addresses whose header is believed, comma-separated"
    )
    dashboard_read_only: bool = Field(True, description="nothing can be changed or sent back")
    metrics: str = Field("", description="host:port of the metrics and health; none without")
    traces: str = Field("", description="OTLP/HTTP URL that traces are sent to; none without")
    traces_share: float = Field(0.01, gt=0, le=1, description="share of events that are traced")
    prometheus: str = Field("", description="URL of one with the dashboard's history; none: Redis")
    prometheus_token: SecretStr = Field(SecretStr(""), description="bearer token for it")
    alert_webhook: SecretStr = Field(SecretStr(""), description="URL that alerts are sent to")
    thresholds: str = Field("", description="figure=watch:act,… instead of the defaults")
    write_keys: SecretStr = Field(SecretStr(""), description="comma-separated")
    clock: Literal["wall", "events"] = Field(
        "wall", description="what `now` is: the wall clock, or the newest event (for replays)"
    )
    currency: str = Field("USD", min_length=3, max_length=3, description="base of all amounts")
    rates: Annotated[dict[str, float], NoDecode] = Field(
        {}, description="value of one unit in the base currency, as in EUR=1.08,GBP=1.27"
    )
    batch: int = Field(2_000, ge=1, le=5_000, description="most events in one write")
    cache: int = Field(400_000, ge=1_000, description="customers kept in memory per worker")
    changes: int = Field(1_000_000, ge=1_000, description="entries kept in agos:changes, about")
    retention_days: float | None = Field(
        None, gt=0, description="customers to whom nothing happened for longer are removed"
    )
    panel: int = Field(3_000, ge=50, le=100_000, description="customers the model learns from")
    clusterer: str = Field("default", description="name in the model registry")
    challengers: str = Field(
        "river-kmeans", description="clusterers that learn in the shadow, comma-separated"
    )
    language: Literal["en", "fil"] = Field(
        "en", description="of the names and explanations of discovered segments"
    )
    seed: int = Field(1, description="of everything random")
    stall_seconds: float = Field(
        30.0, gt=0, description="exit when there is lag and nothing was applied for so long"
    )
    memory_mb: int = Field(2_048, ge=200, description="exit (to be restarted) above this RSS")
    log: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"

    @field_validator("rates", mode="before")
    @classmethod
    def _split_rates(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        rates = {name.strip(): float(rate) for name, _, rate in pairs}
        if wrong := {name: rate for name, rate in rates.items() if not 0 < rate <= _LARGEST_RATE}:
            raise ValueError(f"rates must be above 0 and at most {_LARGEST_RATE:g}, not {wrong}")
        return rates

    def exchange_rates(self) -> dict[str, float]:
        """Currency → value of one unit in the base currency."""
        if self.rates:
            return {**self.rates, self.currency: 1.0}
        base = REFERENCE_RATES_USD.get(self.currency)
        if base is None:
            return {self.currency: 1.0}
        return {name: rate / base for name, rate in REFERENCE_RATES_USD.items()} | {
            self.currency: 1.0
        }


#: Files named as settings, in small letters, are read where the environment has none: Docker and
#: Kubernetes mount secrets there.
SECRETS = Path("/run/secrets")
#: Settings whose values are not to be shown, by what is in their names.
_SECRET = ("PASSWORD", "KEYS", "TOKEN", "WEBHOOK")


def load(**overrides: Any) -> Settings:
    """Settings from the environment and `overrides` (None: not given).

    Raises
    ------
    ConfigurationError
        Naming the variable, its value and what was expected.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        return Settings(_secrets_dir=SECRETS if os.access(SECRETS, os.R_OK) else None, **given)
    except SettingsError as error:
        why = f"{error}: {error.__cause__}"
        raise ConfigurationError(f"{SECRETS}: {why}, expected a file with one value") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "AGOS_" + "_".join(str(part) for part in first["loc"]).upper()
        secret = any(word in name for word in _SECRET)
        shown = "" if secret else f" (got {first['input']!r:.80})"
        raise ConfigurationError(f"{name}: {first['msg']}{shown}") from None


def host_and_port(variable: str, text: str) -> tuple[str, int]:
    """What a setting of the form `host:port` says.

    Raises
    ------
    ConfigurationError
        If it is none; it names the variable.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ConfigurationError(f"{variable}: {text!r}, expected host:port")
    return host.strip("[]"), int(port)
