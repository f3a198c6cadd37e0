"""The figures of the page Now, and what is fine, to be watched or to be acted on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from stream.dashboard import text
from stream.errors import ConfigurationError

State = Literal["fine", "watch", "act"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is judged: from `watch` on it is to be watched, from `act` on acted upon."""

    id: str
    title: str
    shown: Callable[[float | None], str]
    meaning: str
    watch: float | None = None
    act: float | None = None
    #: What somebody does who has to act.
    advice: str = ""


FIGURES = (
    Figure("events_per_second", "Events per second", text.count, "events applied, last 5 s"),
    Figure(
        "lag", "Lag", text.count, "events that wait in Kafka", 10_000, 100_000,
        "start more workers",
    ),
    Figure(
        "latency_p50_ms", "Latency, median", text.milliseconds,
        "from an event's timestamp to its change in Redis, last minute", 1_000, 10_000,
        "see what the workers wait for: lag, or a slow Redis",
    ),
    Figure(
        "latency_p99_ms", "Latency, 99 %", text.milliseconds,
        "99 of 100 changes were in Redis so soon after their event", 5_000, 60_000,
        "see what the workers wait for: lag, or a slow Redis",
    ),
    Figure("workers", "Workers", text.count, "that report"),
    Figure(
        "unowned", "Partitions without a worker", text.count,
        "their events wait until a worker takes them", 1, 1,
    ),
    Figure(
        "dead_per_second", "Dead letters per second", text.count,
        "records that could not be applied", 0.1, 50, "see the page Dead letters",
    ),
    Figure(
        "requests_per_second", "Collector requests per second", text.count,
        "answered by collectors, last 5 s",
    ),
    Figure(
        "request_errors", "Collector errors per second", text.count,
        "answers 500 and 503: events that were not taken", 0.1, 10,
        "see Kafka, and the collectors' logs",
    ),
    Figure(
        "model_age_ms", "Model learned", text.milliseconds,
        "since the trainer last learned, while events come", 60_000, 600_000,
        "see the workers' logs",
    ),
    Figure(
        "redis_share", "Redis memory", text.share,
        "of its maxmemory", 0.7, 0.9, "give Redis more memory, or remove idle customers",
    ),
    Figure("segments", "Segments", text.count, "defined and discovered"),
    Figure("changes_per_second", "Changes per second", text.count, "entries and exits, last 5 s"),
    Figure(
        "undelivered", "Undelivered to webhooks", text.count,
        "changes that a webhook did not take", 1, 10_000, "see agos webhooks --undelivered",
    ),
)  # fmt: skip
BY_ID = {figure.id: figure for figure in FIGURES}
Thresholds = Mapping[str, tuple[float, float]]
DEFAULTS: Thresholds = {
    figure.id: (figure.watch, figure.act)
    for figure in FIGURES
    if figure.watch is not None and figure.act is not None
}


def thresholds(given: str) -> Thresholds:
    """The defaults, with those of `lag=1000:50000,redis_share=0.5:0.8` in their place.

    Raises
    ------
    ConfigurationError
        Naming the part that is not as expected.
    """
    found = dict(DEFAULTS)
    for part in filter(None, (part.strip() for part in given.split(","))):
        name, _, numbers = part.partition("=")
        watch, _, act = numbers.partition(":")
        try:
            pair = float(watch), float(act)
        except ValueError:
            pair = (1.0, 0.0)
        if name not in DEFAULTS or not 0 <= pair[0] <= pair[1]:
            raise ConfigurationError(
                f"AGOS_THRESHOLDS: {part!r}, expected figure=watch:act with watch at most act, "
                f"and a figure of {', '.join(DEFAULTS)}"
            )
        found[name] = pair
    return found


def judge(figure: str, value: float | None, limits: Thresholds) -> State:
    """What is not known is fine: whoever cannot look says so by itself."""
    if value is None or figure not in limits:
        return "fine"
    watch, act = limits[figure]
    return "act" if value >= act else "watch" if value >= watch else "fine"
