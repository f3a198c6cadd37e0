"""`agos evaluate`."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from models.evaluation import Pace, Score, evaluate, table
from models.recording import Recording, evaluate_recording
from models.registry import clusterers
from stream import features
from stream.cli.common import AsJson, UsageError, drawing, err, new_app, out, plural
from stream.errors import AgosError
from stream.replay.history import lines
from stream.samples import Sample, read

app = new_app()


class Scenario(StrEnum):
    """What happens to the simulated customers half-way."""

    STILL = "still"
    MOVE = "move"
    GLIDE = "glide"
    BIRTH = "birth"
    DEATH = "death"
    SPLIT = "split"
    MARKET = "market"


Samples = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE]", help="Records of topic model-samples, one JSON a line."),
]


@app.command(name="evaluate")
def command(
    samples: Samples = None,
    clusterer: Annotated[
        list[str] | None, typer.Option(help="Name in the registry; may be repeated.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="May be repeated.")] = None,
    scenario: Annotated[
        list[Scenario] | None, typer.Option(help="Of simulated customers; may be repeated.")
    ] = None,
    updates: Annotated[int, typer.Option(min=1, help="Before the drift.")] = 150_000,
    after: Annotated[int, typer.Option(min=1, help="After it.")] = 150_000,
    customers: Annotated[int, typer.Option(min=50)] = 18_500,
    personas: Annotated[int, typer.Option(min=2, max=20)] = 6,
    separation: Annotated[float, typer.Option(min=0.1, help="Distance of personas.")] = 1.0,
    long: Annotated[bool, typer.Option("--long", help="Personas are long, not round.")] = False,
    every: Annotated[int, typer.Option(min=1, help="Updates between ticks.")] = 1_000,
    plots: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw the scores there (PNG).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How good are the clusterers? Judged on simulated customers, or on recorded samples.

    ARI: the ids that customers have against their personas; stateless: those of the nearest
    centroids; batch: k-means refitted on everybody and told the right number. Inertia is against
    batch k-means with as many segments. Churn (live: of all; frozen: of customers without an
    update) is between looks ten ticks apart. Recorded customers have no personas, so no ARI.
    """
    if samples is None and min(updates, after) < every:
        raise UsageError(f"--updates and --after: at least --every ({every:,}) expected")
    pictures = drawing("stream.cli.evaluate_plots") if plots is not None else None
    names, pace = _known(clusterer or ["default"]), Pace(every, 10 * every)
    scores: list[Score] = []
    recording = _recording(samples) if samples is not None else None
    with err.status("learning") as status:
        for name in names:
            for number in seed or [1]:
                if recording is not None:
                    status.update(f"{name}, seed {number}: {samples}")
                    scores.append(evaluate_recording(recording, name, number, pace=pace))
                    continue
                for what in scenario or [Scenario.MARKET]:
                    status.update(f"{name}, seed {number}: {what}")
                    scores += evaluate(
                        name, number, what.value, updates, after, customers, personas, long,
                        separation, pace,
                    )  # fmt: skip
    written = pictures.draw(scores, plots) if pictures is not None else []
    if as_json:
        print(json.dumps([_record(score) for score in scores]))
        return
    print(table(scores))
    if written:
        out.print(f"\n{plural(len(written), 'picture')} in {escape(str(plots))}")


def _known(names: list[str]) -> list[str]:
    for name in names:
        if name not in clusterers():
            raise UsageError(f"clusterer {name!r}, expected one of {', '.join(clusterers())}")
    return names


def _recording(path: Path) -> Recording:
    """Samples of the features that this version has; others are passed over and counted."""
    names, rows, passed = [], [], 0
    for sample in _samples(path):
        if sample.current:
            names.append(sample.customer)
            rows.append(sample.x)
        else:
            passed += 1
    if passed:
        err.print(f"{plural(passed, 'sample')} of other features passed over")
    if not rows:
        raise AgosError(f"{path}: no samples of features version {features.VERSION}")
    return Recording.of(features.NAMES, names, rows)


def _samples(path: Path) -> Iterator[Sample]:
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            try:
                yield read(line)
            except msgspec.MsgspecError as error:
                raise AgosError(f"{path}:{number}: {error}") from None


def _record(score: Score) -> dict[str, Any]:
    record = asdict(score)
    record["curve"] = [
        dict(zip(("updates", "segments", "ari", "churn"), point, strict=True))
        for point in score.curve
    ]
    record["changes"] = [msgspec.to_builtins(change) for change in score.changes]
    return record
