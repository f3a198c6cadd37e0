"""`agos evaluate` on small streams: what changes to the models are judged by, in CI."""

import json

import numpy as np
import pytest

from models.streams import PersonaStream
from stream.features import NAMES, VERSION

SMALL = ["--customers", "1500", "--personas", "3", "--every", "250", "--separation", "1.3"]


@pytest.fixture
def samples(tmp_path):
    """A file of what the workers send, of three kinds of customers."""
    stream = PersonaStream(5, customers=400, personas=3, separation=1.3)
    batches = [stream.first(), *(stream.updates(400) for _ in range(3))]
    path = tmp_path / "samples.jsonl"
    with path.open("w") as file:
        for batch in batches:
            for customer, x in zip(batch.customers.tolist(), batch.X.tolist(), strict=True):
                record = {"customer": f"c{customer}", "at": 1, "features_version": VERSION, "x": x}
                file.write(json.dumps(record) + "\n")
    return path


def test_the_default_is_near_batch_before_and_after_a_birth(agos):
    result = agos("evaluate", "--scenario", "birth", "--seed", "3", *SMALL,
                  "--updates", "5000", "--after", "10000", "--json")  # fmt: skip
    assert result.code == 0
    before, after = json.loads(result.said)
    assert (before["personas"], before["k"]) == (3, 3)
    assert (after["personas"], after["k"]) == (4, 4)
    for score in (before, after):
        assert score["name"] == "default"
        assert score["ari"] >= 0.98 * score["ari_batch"] > 0.8
        assert score["inertia"] <= 1.005
        assert score["live_churn"] <= 0.01
    assert after["found_after"] <= 10_000
    assert [change["kind"] for change in after["changes"]] in (["born"], ["split"])
    # A look every ten ticks.
    assert [point["updates"] for point in before["curve"]] == [2500, 5000]
    assert after["curve"][-1]["segments"] == 4


def test_the_table_names_every_clusterer_and_pictures_are_drawn(agos, tmp_path):
    pytest.importorskip("matplotlib")
    result = agos("evaluate", "--scenario", "still", "--clusterer", "default", "--clusterer",
                  "river-kmeans", "--updates", "2500", "--plots", str(tmp_path / "plots"),
                  *SMALL)  # fmt: skip
    assert result.code == 0
    rows = [[cell.strip() for cell in line.split("|")] for line in result.said.splitlines()]
    assert rows[0][1:6] == ["clusterer", "seed", "stage", "personas", "k"]
    assert [row[1] for row in rows[2:4]] == ["default", "river-kmeans"]
    pictures = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert pictures == ["before.png", "scores.png"]
    assert all((tmp_path / "plots" / name).read_bytes()[1:4] == b"PNG" for name in pictures)


def test_recorded_samples_are_judged_without_personas(agos, samples):
    result = agos("evaluate", str(samples), "--every", "80", "--json")
    assert result.code == 0
    (score,) = json.loads(result.said)
    assert (score["stage"], score["k"], score["personas"]) == ("recorded", 3, 0)
    assert 1.0 <= score["inertia"] <= 1.005
    assert score["silhouette"] > 0.2
    assert [point["updates"] for point in score["curve"]] == [800, 1600]


def test_what_a_recording_cannot_tell_is_no_figure(agos, samples):
    # 1,600 samples end before the first look, after ten ticks of 400.
    header, _, row = agos("evaluate", str(samples), "--every", "400").said.splitlines()
    names, cells = ([cell.strip() for cell in line.split("|")][1:-1] for line in (header, row))
    said = dict(zip(names, cells, strict=True))
    for name in ("personas", "ARI", "stateless", "batch", "live %", "frozen %", "found after"):
        assert said[name] == "-", name
    assert float(said["inertia"]) >= 1.0


def test_samples_of_other_features_are_passed_over(agos, samples):
    text = samples.read_text()
    other = {"customer": "x", "at": 1, "features_version": VERSION + 1, "x": [1.0] * len(NAMES)}
    short = {"customer": "y", "at": 1, "features_version": VERSION, "x": [1.0]}
    samples.write_text(text + json.dumps(other) + "\n\n" + json.dumps(short) + "\n")
    result = agos("evaluate", str(samples), "--every", "80", "--json")
    assert result.code == 0
    assert "2 samples of other features passed over" in result.told
    samples.write_text(json.dumps(other))
    result = agos("evaluate", str(samples))
    assert result.code == 1
    assert f"no samples of features version {VERSION}" in result.told


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["--clusterer", "k-moans"], "'k-moans', expected one of ", 2),
        (["/no/such/file"], "/no/such/file: No such file", 1),
        ([__file__], "test_evaluate.py:1: ", 1),
        (["--scenario", "war"], "war", 2),
        (["--updates", "999"], "--updates and --after: at least --every (1,000) expected", 2),
    ],
)
def test_wrong_use_is_said(agos, arguments, words, code):
    result = agos("evaluate", *arguments)
    assert result.code == code
    assert words in " ".join(result.told.split())


def test_the_same_seed_gives_the_same_scores(agos, samples):
    def run() -> list[float]:
        (score,) = json.loads(agos("evaluate", str(samples), "--every", "80", "--json").said)
        return [score["inertia"], score["silhouette"], score["k"]]

    first = run()
    assert np.isfinite(first).all()
    assert run() == first
