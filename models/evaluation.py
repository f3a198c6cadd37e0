"""How good is a clusterer? Streams with known personas, judged as a running system would be.

``python -m models.evaluation --help`` prints the table that changes to `models/` are judged by.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.lloyd import best_of, lloyd, partition
from models.measures import adjusted_rand, best_f1, churn, silhouette
from models.registry import clusterers
from models.snapshot import UNASSIGNED, Change, Snapshot
from models.space import F64, Ints, Space
from models.streams import PersonaStream, Scenario
from models.trainer import Trainer

CHECKPOINT = 10_000
TICK = 1_000
BATCH = 500
#: Batch k-means is the best of so many starts.
STARTS = 20


@dataclass(slots=True)
class Score:
    """What one run gave; times are of one thread's CPU.

    Attributes
    ----------
    ari, ari_stateless, ari_batch
        Against the personas: ids as customers have them, nearest centroids, and batch k-means
        that was told the number of personas.
    live_churn, frozen_churn
        Share of customers with another id than at the checkpoint before: of all, and of those
        without an update; means over the checkpoints.
    inertia
        Against batch k-means with the same number of segments in the same space.
    found_after
        Updates after the drift until a newborn persona had a segment with F1 ≥ .8.
    kept
        Whether the moved persona kept its id.
    curve
        At every checkpoint: updates so far, number of segments, ARI of the ids, live churn.
    """

    name: str
    seed: int
    stage: str
    personas: int
    k: int = 0
    natural: bool = True
    ari: float = 0.0
    ari_stateless: float = 0.0
    ari_batch: float = 0.0
    inertia: float = 0.0
    silhouette: float = 0.0
    live_churn: float = 0.0
    frozen_churn: float = 0.0
    found_after: int | None = None
    kept: bool | None = None
    changes: list[Change] = field(default_factory=list)
    published: int = 0
    tick_ms: float = 0.0
    slowest_ms: float = 0.0
    assign_us: float = 0.0
    curve: list[tuple[int, int, float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pace:
    """Updates between ticks, and between looks at who has another id."""

    tick: int = TICK
    checkpoint: int = CHECKPOINT


PACE = Pace()


class Run:
    """A population of customers, a trainer, and the ids that customers have.

    Parameters
    ----------
    features, customers
        Names of the columns, and how many customers there are.
    clusterer
        A name of `models.registry`.
    """

    def __init__(self, features: Sequence[str], customers: int, clusterer: str, seed: int) -> None:
        self.trainer = Trainer(features, seed, clusterer)
        self.names = [f"customer-{i}" for i in range(customers)]
        self.X = np.full((customers, len(features)), np.nan)
        self.ids: Ints = np.full(customers, UNASSIGNED, dtype=np.int64)
        self.touched = np.zeros(customers, dtype=bool)
        self.changes: list[Change] = []
        self.tick_ms: list[float] = []
        self.assign_s, self.assigned, self.published = 0.0, 0, 0

    @property
    def snapshot(self) -> Snapshot | None:
        return self.trainer.snapshot

    def feed(self, customers: Ints, X: F64) -> None:
        """One tick's updates: assign, learn, perhaps publish (then everybody is looked at)."""
        for start in range(0, len(customers), BATCH):
            who, rows = customers[start : start + BATCH], X[start : start + BATCH]
            self.X[who] = rows
            self.touched[who] = True
            self.trainer.update_many([self.names[i] for i in who], rows)
            if self.snapshot is not None:
                self._assign(np.unique(who))
        began = time.thread_time()
        snapshot = self.trainer.tick()
        self.tick_ms.append((time.thread_time() - began) * 1e3)
        if snapshot is not None:
            self.published += 1
            self.changes += snapshot.changes
            self._assign(np.flatnonzero(~np.isnan(self.X).all(axis=1)))

    def _assign(self, who: Ints) -> None:
        if self.snapshot is None:
            return
        X, ids = self.X[who], self.ids[who]
        began = time.thread_time()
        self.ids[who], _ = self.snapshot.assign(X, ids)
        self.assign_s += time.thread_time() - began
        self.assigned += len(who)


def stage(
    run: Run, stream: PersonaStream, name: str, updates: int, settle: int,
    newborn: int | None = None, pace: Pace = PACE,
) -> Score:  # fmt: skip
    """Feed `updates`, and measure; churn from `settle` updates on."""
    score = Score(run.trainer.clusterer, run.trainer.seed, name, stream.personas)
    first_tick, first_change, first_version = len(run.tick_ms), len(run.changes), run.published
    live, frozen = [], []
    before = run.ids.copy()
    run.touched[:] = False
    for done in range(pace.tick, updates + 1, pace.tick):
        batch = stream.updates(pace.tick)
        run.feed(batch.customers, batch.X)
        if newborn is not None and score.found_after is None:
            shown = run.touched | (stream.persona != newborn)
            f1, _ = best_f1(stream.persona[shown], run.ids[shown], newborn)
            score.found_after = done if f1 >= 0.8 else None
        if done % pace.checkpoint == 0:
            moved, still = churn(before, run.ids), ~run.touched
            if done > settle:
                live.append(moved)
                frozen.append(churn(before[still], run.ids[still]))
            k = len(run.snapshot.segments) if run.snapshot else 0
            score.curve.append((done, k, adjusted_rand(stream.persona, run.ids), moved))
            before = run.ids.copy()
            if newborn is None:
                run.touched[:] = False
    score.live_churn = float(np.mean(live)) if live else 0.0
    score.frozen_churn = float(np.mean(frozen)) if frozen else 0.0
    score.changes = run.changes[first_change:]
    score.published = run.published - first_version
    time_of(run, score, first_tick)
    judge(run, score, stream.persona)
    return score


def time_of(run: Run, score: Score, first_tick: int = 0) -> None:
    """CPU times of the run, from a tick on."""
    ticks = run.tick_ms[first_tick:]
    score.tick_ms, score.slowest_ms = float(np.mean(ticks)), max(ticks)
    score.assign_us = 1e6 * run.assign_s / max(1, run.assigned)


def judge(run: Run, score: Score, truth: Ints | None) -> None:
    """Quality now: against batch k-means, and against the personas if they are known."""
    snapshot = run.snapshot
    if snapshot is None:
        return
    rng = np.random.default_rng(run.trainer.seed)
    seen = ~np.isnan(run.X).all(axis=1)
    Z = snapshot.scaled(run.X[seen])
    found = partition(Z, snapshot.centroids)
    score.k, score.natural = found.k, snapshot.natural
    score.silhouette = silhouette(Z, found.centroids, found.labels)
    same_k = best_of(Z, found.k, STARTS, rng)
    polished = lloyd(Z, found.centroids, 100)
    score.inertia = found.inertia / max(min(same_k.inertia, polished.inertia), 1e-12)
    if truth is None:
        return
    truth = truth[seen]
    score.ari = adjusted_rand(truth, run.ids[seen])
    score.ari_stateless = adjusted_rand(truth, found.labels)
    own = Space.of(run.X[seen], snapshot.space.logged).project(run.X[seen])
    score.ari_batch = adjusted_rand(truth, best_of(own, score.personas, STARTS, rng).labels)


def evaluate(
    clusterer: str,
    seed: int,
    scenario: Scenario = "market",
    updates: int = 150_000,
    after: int = 150_000,
    customers: int = 18_500,
    personas: int = 6,
    anisotropic: bool = False,
    separation: float = 1.0,
    pace: Pace = PACE,
) -> list[Score]:
    """One stream before and (if the scenario has one) after its drift."""
    stream = PersonaStream(
        seed, customers, personas, scenario, anisotropic=anisotropic, separation=separation
    )
    run = Run(stream.features, customers, clusterer, seed)
    first = stream.first()
    for start in range(0, customers, pace.tick):
        end = start + pace.tick
        run.feed(first.customers[start:end], first.X[start:end])
    scores = [stage(run, stream, "before", updates, min(50_000, updates // 2), pace=pace)]
    if scenario != "still":
        mover = best_f1(stream.persona, run.ids, 1)[1]
        stream.drift()
        newborn = int(stream.persona.max()) if scenario in ("birth", "split", "market") else None
        scores.append(stage(run, stream, scenario, after, after // 2, newborn, pace))
        if scenario in ("move", "glide", "market"):
            scores[-1].kept = best_f1(stream.persona, run.ids, 1)[1] == mover
    return scores


HEADER = (
    "clusterer", "seed", "stage", "personas", "k", "ARI", "stateless", "batch", "inertia",
    "live %", "frozen %", "found after", "kept", "changes", "tick ms", "assign us",
)  # fmt: skip


def row(score: Score) -> tuple[str, ...]:
    """The cells under `HEADER`, a dash for what could not be measured."""
    changes = ", ".join(f"{c.kind} {c.segment}" for c in score.changes)
    indices = (score.ari, score.ari_stateless, score.ari_batch)
    return (
        score.name, str(score.seed), score.stage, str(score.personas or "-"),
        f"{score.k}" if score.natural else f"({score.k})",
        *(f"{index:.3f}" if score.personas else "-" for index in indices),
        f"{score.inertia:.4f}", f"{100 * score.live_churn:.2f}" if score.curve else "-",
        f"{100 * score.frozen_churn:.3f}" if score.curve else "-", str(score.found_after or "-"),
        {None: "-", True: "yes", False: "no"}[score.kept], changes or "-",
        f"{score.tick_ms:.0f}/{score.slowest_ms:.0f}", f"{score.assign_us:.2f}",
    )  # fmt: skip


def table(scores: Sequence[Score]) -> str:
    """The scores as a Markdown table."""
    lines = [HEADER, tuple("---" for _ in HEADER), *(row(score) for score in scores)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run streams and print the table."""
    parser = argparse.ArgumentParser(prog="models.evaluation", description=__doc__)
    parser.add_argument("--clusterers", nargs="+", default=["default"], choices=clusterers())
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument(
        "--scenarios", nargs="+", default=["market"],
        choices=["still", "move", "glide", "birth", "death", "split", "market"],
    )  # fmt: skip
    parser.add_argument("--updates", type=int, default=150_000, help="before the drift")
    parser.add_argument("--after", type=int, default=150_000, help="after it")
    parser.add_argument("--customers", type=int, default=18_500)
    parser.add_argument("--personas", type=int, default=6)
    parser.add_argument("--separation", type=float, default=1.0)
    parser.add_argument("--anisotropic", action="store_true")
    given = parser.parse_args(arguments)
    print("| " + " | ".join(HEADER) + " |\n|" + " --- |" * len(HEADER))
    for name in given.clusterers:
        for scenario in given.scenarios:
            for seed in given.seeds:
                for score in evaluate(
                    name, seed, scenario, given.updates, given.after, given.customers,
                    given.personas, given.anisotropic, given.separation,
                ):  # fmt: skip
                    print("| " + " | ".join(row(score)) + " |", flush=True)


if __name__ == "__main__":
    main()
