"""What is fine, to be watched, to be acted on; and what the document says of it."""

import pytest

from stream.dashboard.figures import DEFAULTS, FIGURES, judge, thresholds
from stream.dashboard.pages.now import ranges
from stream.dashboard.text import count, milliseconds, share, size
from stream.errors import ConfigurationError
from tests.test_docs import ROOT, rows_below, unquoted

DOCUMENT = (ROOT / "docs" / "dashboard.md").read_text()


def test_the_thresholds_are_documented():
    documented = {
        unquoted(row[0])[0]: (float(row[1]), float(row[2]))
        for row in rows_below(DOCUMENT, "### Thresholds")
    }
    assert documented == DEFAULTS


def test_every_figure_is_documented():
    told = " ".join(row[0] for row in rows_below(DOCUMENT, "## Figures"))
    missing = [f.title for f in FIGURES if f.title.partition(",")[0] not in told]
    assert missing == []


@pytest.mark.parametrize(
    ("value", "state"), [(0, "fine"), (9.9, "fine"), (10, "watch"), (50, "act"), (None, "fine")]
)
def test_states(value: float | None, state: str):
    assert judge("lag", value, {"lag": (10, 50)}) == state


def test_a_figure_without_threshold_is_fine():
    assert judge("events_per_second", 10**9, DEFAULTS) == "fine"


def test_given_thresholds_replace_defaults():
    found = thresholds(" lag=5:6, redis_share=0.1:0.1 ")
    assert found["lag"] == (5, 6)
    assert found["redis_share"] == (0.1, 0.1)
    assert found["undelivered"] == DEFAULTS["undelivered"]


@pytest.mark.parametrize("wrong", ["lag", "lag=1", "lag=2:1", "nothing=1:2", "lag=a:b", "lag=-1:2"])
def test_wrong_thresholds_are_named(wrong: str):
    with pytest.raises(ConfigurationError, match="AGOS_THRESHOLDS") as caught:
        thresholds(wrong)
    assert wrong in str(caught.value)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (count(1_234_567), "1,234,567"), (count(0.25), "0.2"), (count(3), "3"), (count(None), "-"),
        (milliseconds(45), "45 ms"), (milliseconds(1_240), "1.2 s"),
        (milliseconds(180_000), "3 min"),
        (size(8_600_000), "8.2 MB"), (size(512), "512 B"), (share(0.128), "13 %"),
        (ranges((0, 1, 2, 5, 7, 8)), "0-2, 5, 7-8"), (ranges(()), "none"),
    ],
)  # fmt: skip
def test_numbers_as_people_read_them(shown: str, expected: str):
    assert shown == expected
