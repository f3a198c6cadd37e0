"""What has moved in the stream: feature means, and how well customers fit their segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from river import drift

from models.languages import Language
from models.snapshot import Snapshot
from models.space import F64, Space, distances

HOUR_MS = 3_600_000
HOURS = 24
#: Hours with fewer samples than this say nothing.
LEAST_SAMPLES = 20
#: An hour is compared with the mean of the same hour over about so many days.
DAYS = 7
#: Shifts smaller than this (deviations of the feature) are no news.
NOTABLE = 0.15
#: ADWIN is made for values within 0..1; in units so small its slack for that does not matter.
UNIT = 0.02
#: Chance of a false alarm per test of ADWIN.
DELTA = 1e-4
#: Name under which the distance from the own centroid is watched.
FIT = "fit"


@dataclass(frozen=True, slots=True)
class DriftAlert:
    """Something has moved.

    Attributes
    ----------
    feature
        Its name, or `FIT`: the distance of customers from their segments' centroids.
    shift
        By how much, in deviations of the feature (`FIT`: in model space), after the logarithm.
    since_ms
        From about when.
    noticed_ms
        When it was certain.
    """

    feature: str
    shift: float
    since_ms: int
    noticed_ms: int

    def sentence(self, words: Language) -> str:
        """What moved, by how much, since when."""
        since = datetime.fromtimestamp(self.since_ms / 1e3, UTC).strftime("%Y-%m-%d %H:%M UTC")
        if self.feature == FIT:
            template = words.fit_worse if self.shift > 0.0 else words.fit_better
        else:
            template = words.risen if self.shift > 0.0 else words.fallen
        feature = words.feature(self.feature)
        return template.format(feature=feature, shift=f"{abs(self.shift):.2f}", since=since)


class DriftWatch:
    """Watches hourly means with ADWIN (Bifet and Gavaldà 2007), each against its hour of the day.

    What comes back every day is no drift: an hour is only judged by what the same hour was on the
    days before, so there are no alerts on the first day.

    Parameters
    ----------
    features
        Names of the columns.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = (*features, FIT)
        self._space: Space | None = None
        self._hour = -1
        self._sum = np.zeros(len(self.features))
        self._count = 0
        self._usual = np.zeros((HOURS, len(self.features)))
        self._days = np.zeros(HOURS, dtype=np.int64)
        self._detectors = [self._detector() for _ in self.features]
        self._residuals: list[list[float]] = [[] for _ in self.features]

    def observe(self, snapshot: Snapshot, X: F64, at_ms: int) -> list[DriftAlert]:
        """Take in samples of one moment.

        Parameters
        ----------
        snapshot
            In force; the first one's space is kept as the measure.
        X
            Raw vectors, shape (n, d).
        at_ms
            When, milliseconds since 1970 (UTC); may not go back by more than its hour.

        Returns
        -------
        Alerts, each shift only once.
        """
        if self._space is None:
            self._space = snapshot.space
        hour = at_ms // HOUR_MS
        alerts = self._close() if hour > self._hour else []
        self._hour = max(hour, self._hour)
        if len(X):
            fit = np.sqrt(distances(snapshot.scaled(X), snapshot.centroids).min(axis=1))
            self._sum[:-1] += self._space.project(X).sum(axis=0)
            self._sum[-1] += fit.sum()
            self._count += len(X)
        return alerts

    def state(self) -> dict[str, Any]:
        """What `restored` needs, in numbers, texts, lists and dicts."""
        space = self._space
        return {
            "features": list(self.features),
            "space": [space.mean.tolist(), space.scale.tolist(), space.logged.tolist(), space.clip]
            if space
            else [],
            "hour": self._hour,
            "sum": self._sum.tolist(),
            "count": self._count,
            "usual": self._usual.tolist(),
            "days": self._days.tolist(),
            "residuals": self._residuals,
        }

    @classmethod
    def restored(cls, state: dict[str, Any]) -> "DriftWatch":
        """The watch that `state` was taken of; detectors see the hours remembered once more."""
        watch = cls(state["features"][:-1])
        if state["space"]:
            mean, scale, logged, clip = state["space"]
            watch._space = Space(np.array(mean), np.array(scale), np.array(logged), clip)
        watch._hour, watch._count = state["hour"], state["count"]
        watch._sum = np.array(state["sum"])
        watch._usual, watch._days = np.array(state["usual"]), np.array(state["days"])
        watch._residuals = [list(rests) for rests in state["residuals"]]
        for detector, rests in zip(watch._detectors, watch._residuals, strict=True):
            for rest in rests:
                detector.update(rest / UNIT)
        return watch

    def _close(self) -> list[DriftAlert]:
        """The hour is over: compare it with what is usual."""
        count, self._count = self._count, 0
        total, self._sum = self._sum, np.zeros_like(self._sum)
        if count < LEAST_SAMPLES:
            return []
        mean, of_day = total / count, int(self._hour % HOURS)
        alerts = []
        if self._days[of_day]:
            rest = mean - self._usual[of_day]
            found = [self._judge(i, float(rest[i])) for i in range(len(self.features))]
            alerts = [alert for alert in found if alert is not None]
        self._days[of_day] += 1
        weight = 1.0 / min(int(self._days[of_day]), DAYS)
        self._usual[of_day] += weight * (mean - self._usual[of_day])
        return alerts

    def _judge(self, i: int, rest: float) -> DriftAlert | None:
        """One more hour's rest (what is not usual) of one feature."""
        detector, history = self._detectors[i], self._residuals[i]
        history.append(rest)
        del history[: -HOURS * DAYS]
        detector.update(rest / UNIT)
        if not detector.drift_detected:
            return None
        width, shift = _change(np.array(history))
        if abs(shift) < NOTABLE:
            return None
        self._usual[:, i] += float(np.mean(history[-width:]))
        self._detectors[i], self._residuals[i] = self._detector(), []
        end_ms = (self._hour + 1) * HOUR_MS
        return DriftAlert(self.features[i], shift, end_ms - width * HOUR_MS, end_ms)

    def _detector(self) -> Any:
        make: Any = drift.ADWIN
        return make(delta=DELTA, clock=1, min_window_length=3, grace_period=6)


def _change(history: F64) -> tuple[int, float]:
    """Where a series divides best in two levels: the length of the second, and the shift."""
    n = len(history)
    if n < 2:
        return n, 0.0
    lengths = np.arange(1, n)
    before = np.cumsum(history)[:-1] / lengths
    after = np.cumsum(history[::-1])[:-1][::-1] / (n - lengths)
    shifts = after - before
    at = int((np.abs(shifts) * np.sqrt(lengths * (n - lengths))).argmax())
    return n - 1 - at, float(shifts[at])
