"""Scores of `agos evaluate` as pictures (PNG). Needs matplotlib: the extra `analyze`."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from models.evaluation import Score


def draw(scores: Sequence[Score], folder: Path) -> list[Path]:
    """Write one picture per stage over time, and one that compares the clusterers; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    stages: dict[str, list[Score]] = defaultdict(list)
    for score in scores:
        stages[score.stage].append(score)
    written = []
    for stage, ours in stages.items():
        written.append(_save(_over_time(stage, ours), folder / f"{stage}.png"))
    written.append(_save(_compared(scores), folder / "scores.png"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="png")
    return path


def _over_time(stage: str, scores: Sequence[Score]) -> Figure:
    figure = Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    for score in scores:
        updates = [point[0] for point in score.curve]
        label = f"{score.name}, seed {score.seed}"
        axes[0].plot(updates, [point[1] for point in score.curve], label=label, drawstyle="steps")
        if score.personas:
            axes[1].plot(updates, [point[2] for point in score.curve], label=label)
        axes[2].plot(updates, [100 * point[3] for point in score.curve], label=label)
    for personas in {score.personas for score in scores if score.personas}:
        axes[0].axhline(personas, color="#777777", linewidth=0.8, linestyle=":")
    for axis, what in zip(axes, ("segments", "ARI", "other ids, %"), strict=True):
        axis.set_ylabel(what)
        axis.set_ylim(bottom=0)
    axes[0].set_title(stage)
    axes[0].legend(fontsize="small")
    axes[2].set_xlabel("updates")
    return figure


def _compared(scores: Sequence[Score]) -> Figure:
    """ARI beside that of batch k-means, inertia beside its inertia."""
    figure = Figure(figsize=(9, 1.5 + 0.4 * len(scores)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rows = range(len(scores))
    names = [f"{score.name}, {score.seed}, {score.stage}" for score in scores]
    left.barh(rows, [score.ari for score in scores], color="#0072b2", label="ids")
    left.plot([s.ari_batch for s in scores], rows, "|", color="#d55e00", ms=14, label="batch")
    left.set_yticks(rows, names)
    left.invert_yaxis()
    left.set_xlabel("ARI")
    left.legend(fontsize="small")
    right.barh(rows, [score.inertia for score in scores], color="#0072b2")
    right.axvline(1.0, color="#d55e00")
    right.set_xlim(left=0.98)
    right.set_xlabel("inertia / batch")
    return figure
