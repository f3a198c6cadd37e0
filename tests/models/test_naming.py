"""Names and sentences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.languages import EDGES, LANGUAGES
from models.naming import effects, names, sentence
from models.space import Space

FEATURES = ("recency_days", "views", "orders", "spend", "order_value", "tenure_days")
EN = LANGUAGES["en"]


def centroid(**levels: float) -> np.ndarray:
    return np.array([levels.get(name, 0.0) for name in FEATURES])


def called(*centroids: np.ndarray, language: str = "en") -> list[str]:
    return [name.text for name in names(FEATURES, np.array(centroids), LANGUAGES[language])]


def test_names_say_what_is_plain() -> None:
    assert called(
        centroid(orders=1.6, spend=1.7),
        centroid(views=1.4, orders=-1.0),
        centroid(recency_days=2.0),
        centroid(),
    ) == ["frequent big spenders", "window shoppers", "lapsed customers", "typical customers"]


def test_filipino_is_its_own() -> None:
    assert called(centroid(orders=1.6, spend=1.7), language="fil") == ["madalas at malaki gumastos"]


def test_a_feature_without_words_is_named_by_itself() -> None:
    found = names(("zeal_index",), np.array([[2.0], [-1.0]]), EN)
    assert [name.text for name in found] == ["high zeal index", "low zeal index"]


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (10, len(FEATURES)), elements=st.floats(-5.0, 5.0)),
    st.sampled_from(sorted(LANGUAGES)),
)
def test_names_are_unique_and_short(centroids: np.ndarray, language: str) -> None:
    found = called(*centroids, language=language)
    assert len(set(found)) == len(found)
    assert all(0 < len(name) <= 80 for name in found)


def test_segments_alike_are_told_apart() -> None:
    alike = [centroid(spend=2.0)] * 3
    assert len(set(called(*alike))) == 3


def test_a_name_stays_while_it_fits() -> None:
    first = names(FEATURES, np.array([centroid(orders=1.6, spend=1.7)]), EN)[0]
    later = centroid(orders=0.5, spend=0.6, views=3.0)
    assert names(FEATURES, np.array([later]), EN, [first.terms])[0].text == first.text
    changed = centroid(orders=-0.5, spend=0.6, views=3.0)
    assert names(FEATURES, np.array([changed]), EN, [first.terms])[0].text != first.text


def test_every_pack_has_the_same_words() -> None:
    english = LANGUAGES["en"]
    for name, words in LANGUAGES.items():
        assert set(words.nouns) == set(english.nouns), name
        assert set(words.adjectives) == set(english.adjectives), name
        assert set(words.features) == set(english.features), name
        assert len(set(words.adjectives.values())) == len(words.adjectives), name


def test_effects_are_the_strongest_first() -> None:
    assert effects(("a", "b", "c"), np.array([0.5, -2.0, 1.0]))[:2] == (("b", -2.0), ("c", 1.0))


def test_sentence_gives_units() -> None:
    space = Space(np.array([np.log1p(50.0)]), np.array([1.0]), np.array([True]))
    text = sentence(("spend",), np.array([np.log(2.0)]), 0.125, space, EN)
    # log1p(51·2 - 1) = log1p(50) + ln 2.
    assert text == "12% of customers: spend above average (about 101 against 50)."
    assert "close to the average" in sentence(("spend",), np.zeros(1), 0.5, space, EN)


@pytest.mark.parametrize(
    ("z", "said"),
    [
        (2.0, "very high"), (1.5, "very high"), (1.49, "high"), (0.4, "high"), (0.39, "average"),
        (0.0, "average"), (-0.39, "average"), (-0.4, "low"), (-1.49, "low"), (-1.5, "very low"),
    ],
)  # fmt: skip
def test_levels(z: float, said: str) -> None:
    assert EN.levels_of("spend")[int(EDGES.searchsorted(z))] == f"{said} spend"
