"""Alerts on what moves, none on what comes back every day."""

import json

import numpy as np
import pytest

from models.drift import FIT, HOUR_MS, DriftAlert, DriftWatch
from models.languages import LANGUAGES
from models.snapshot import Segment, Snapshot

SNAPSHOT = Snapshot(
    version=1, features=("orders", "views"), mean=np.array([2.0, 3.0]), scale=np.ones(2),
    segments=(Segment(1, (0.0, 0.0), "all", "", 1.0, ()),), trained_on=100,
)  # fmt: skip


def watched(seed: int, days: int, shift_from: int, shift: float) -> list[DriftAlert]:
    """Hourly samples with a daily wave in orders; views shift on a day."""
    rng = np.random.default_rng(seed)
    watch, alerts = DriftWatch(SNAPSHOT.features), []
    for hour in range(24 * days):
        level = np.array([2.0 + 0.8 * np.sin(hour / 24 * 2 * np.pi), 3.0])
        level[1] += shift * (hour >= 24 * shift_from)
        X = np.expm1(rng.normal(level, 1.0, (400, 2)))
        alerts += watch.observe(SNAPSHOT, X, hour * HOUR_MS)
    return alerts


def test_days_are_no_drift() -> None:
    for seed in range(5):
        assert watched(seed, days=14, shift_from=99, shift=0.0) == []


def test_a_shift_is_told_once_with_its_size_and_its_beginning() -> None:
    alerts = watched(1, days=14, shift_from=8, shift=0.5)
    views = [alert for alert in alerts if alert.feature == "views"]
    assert len(views) == 1
    assert abs(views[0].shift - 0.5) < 0.15
    assert abs(views[0].since_ms / HOUR_MS - 8 * 24) <= 12
    assert views[0].noticed_ms <= (8 * 24 + 36) * HOUR_MS
    assert not [alert for alert in alerts if alert.feature == "orders"]


def test_a_worse_fit_is_told() -> None:
    rng = np.random.default_rng(3)
    watch, alerts = DriftWatch(SNAPSHOT.features), []
    for hour in range(24 * 8):
        deviation = 1.0 if hour < 24 * 5 else 1.6
        X = np.expm1(rng.normal([2.0, 3.0], deviation, (400, 2)))
        alerts += watch.observe(SNAPSHOT, X, hour * HOUR_MS)
    assert FIT in {alert.feature for alert in alerts}


def test_too_few_samples_say_nothing() -> None:
    watch = DriftWatch(SNAPSHOT.features)
    for hour in range(24 * 6):
        X = np.full((5, 2), 1.0 if hour < 72 else 1e6)
        assert watch.observe(SNAPSHOT, X, hour * HOUR_MS) == []
    assert watch.observe(SNAPSHOT, np.zeros((0, 2)), 24 * 7 * HOUR_MS) == []


def test_a_restart_forgets_nothing() -> None:
    """Stored every hour and taken up again, it tells the same."""
    rng = np.random.default_rng(1)
    watch, kept = DriftWatch(SNAPSHOT.features), DriftWatch(SNAPSHOT.features)
    told, expected = [], []
    for hour in range(24 * 7):
        X = np.expm1(rng.normal([2.0, 3.0 + 0.5 * (hour >= 24 * 4)], 1.0, (400, 2)))
        told += watch.observe(SNAPSHOT, X, hour * HOUR_MS)
        expected += kept.observe(SNAPSHOT, X, hour * HOUR_MS)
        watch = DriftWatch.restored(json.loads(json.dumps(watch.state())))
    assert len(expected) == 1
    assert told == expected


@pytest.mark.parametrize(
    ("feature", "shift", "said"),
    [
        ("spend", 0.5, "spend: 0.50 deviations higher than was usual, since about "),
        ("spend", -0.25, "spend: 0.25 deviations lower than was usual, since about "),
        (FIT, 0.5, "customers lie 0.50 farther from their segments, since about "),
        (FIT, -0.5, "customers lie 0.50 nearer to their segments, since about "),
    ],
)
def test_an_alert_in_words(feature: str, shift: float, said: str) -> None:
    # 26 hours after 1970 began.
    alert = DriftAlert(feature, shift, 26 * HOUR_MS, 50 * HOUR_MS)
    assert alert.sentence(LANGUAGES["en"]) == said + "1970-01-02 02:00 UTC"
    assert "1970-01-02 02:00 UTC" in alert.sentence(LANGUAGES["fil"])
