"""A recorded stream of samples, judged as `models.evaluation` judges simulated ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.errors import ModelError
from models.evaluation import PACE, Pace, Run, Score, judge, time_of
from models.measures import churn
from models.snapshot import UNASSIGNED
from models.space import F64, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Samples in the order they came.

    Parameters
    ----------
    features
        Names of the columns.
    customers
        Number of each sample's customer, counted from 0, shape (n,).
    X
        Raw vectors, shape (n, d).
    """

    features: tuple[str, ...]
    customers: Ints
    X: F64

    @classmethod
    def of(
        cls, features: Sequence[str], names: Sequence[str], rows: Sequence[Sequence[float]]
    ) -> "Recording":
        """The recording of customers by name, and their vectors.

        Raises
        ------
        ModelError
            If there are none, or a vector has another length.
        """
        wrong = next((i for i, row in enumerate(rows) if len(row) != len(features)), None)
        if wrong is not None:
            raise ModelError(
                f"sample {wrong + 1}: {len(rows[wrong])} values, {len(features)} expected"
            )
        if not rows:
            raise ModelError("recording: no samples, one or more expected")
        number = {name: i for i, name in enumerate(dict.fromkeys(names))}
        customers = np.array([number[name] for name in names], dtype=np.int64)
        return cls(tuple(features), customers, np.array(rows, dtype=np.float64))


def evaluate_recording(recording: Recording, clusterer: str, seed: int, pace: Pace = PACE) -> Score:
    """One clusterer on a recording; nobody knows the right segments, so there is no ARI."""
    count = int(recording.customers.max()) + 1
    run = Run(recording.features, count, clusterer, seed)
    score = Score(clusterer, seed, "recorded", personas=0)
    live, frozen = [], []
    before = run.ids.copy()
    for start in range(0, len(recording.customers), pace.tick):
        end = start + pace.tick
        run.feed(recording.customers[start:end], recording.X[start:end])
        if end % pace.checkpoint == 0:
            known = before != UNASSIGNED
            moved = churn(before[known], run.ids[known])
            still = known & ~run.touched
            live.append(moved)
            frozen.append(churn(before[still], run.ids[still]))
            k = len(run.snapshot.segments) if run.snapshot else 0
            score.curve.append((end, k, 0.0, moved))
            before = run.ids.copy()
            run.touched[:] = False
    # The first half is when the model comes to be.
    settled = slice(len(live) // 2, None)
    score.live_churn = float(np.mean(live[settled])) if live else 0.0
    score.frozen_churn = float(np.mean(frozen[settled])) if frozen else 0.0
    score.changes, score.published = run.changes, run.published
    time_of(run, score)
    judge(run, score, None)
    return score
