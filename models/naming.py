"""Names for segments, made of what sets them apart from the average customer.

A name is a noun of one to three terms (``orders+ spend+`` → "frequent big spenders"), with an
adjective where that tells segments apart. It is chosen so that all names together fit best and no
two are alike, and it is kept as long as every one of its terms still applies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.languages import AVERAGE, Language
from models.space import F64, Space

#: A feature may be part of a name from this many deviations on, and stays in it down to the other.
SALIENT = 0.45
STILL = 0.25
#: More than this says no more: 4 deviations of views do not outweigh everything else.
ENOUGH = 2.5
#: What a name loses for an adjective, and for fitting another segment too.
LENGTH_COST = 0.45
SHARED_COST = 0.6
SALIENT_MOST = 6
EFFECTS_KEPT = 5


@dataclass(frozen=True, slots=True)
class Name:
    """A name and the terms it is made of."""

    text: str
    terms: tuple[str, ...]


def effects(features: Sequence[str], centroid: F64) -> tuple[tuple[str, float], ...]:
    """The features that set a segment apart, in deviations from the average, strongest first."""
    order = np.argsort(-np.abs(centroid), kind="stable")[:EFFECTS_KEPT]
    return tuple((features[i], round(float(centroid[i]), 3)) for i in order)


def names(
    features: Sequence[str],
    centroids: F64,
    words: Language,
    previous: Sequence[tuple[str, ...] | None] = (),
) -> list[Name]:
    """A unique name for each segment.

    Parameters
    ----------
    centroids
        In model space, shape (k, d).
    previous
        The terms of the name that each segment had, None for a new one; a name that still fits
        is kept.
    """
    fits = [_Fit(features, centroid) for centroid in centroids]
    chosen: dict[int, Name] = {}
    for row, terms in enumerate(previous):
        if terms is not None and fits[row].holds(terms):
            name = _spelled(terms, words)
            if name.text not in {kept.text for kept in chosen.values()}:
                chosen[row] = name
    taken = {name.text for name in chosen.values()}
    open_rows = [row for row in range(len(fits)) if row not in chosen]
    chosen.update(_best(open_rows, fits, words, taken))
    return [chosen[row] for row in range(len(fits))]


def sentence(
    features: Sequence[str], centroid: F64, weight: float, space: Space, words: Language
) -> str:
    """One sentence on a segment: its share, and its strongest features in their own units."""
    share = f"{weight:.0%}" if weight >= 0.01 else f"{weight:.1%}"
    typical, average = space.raw(centroid), space.raw(np.zeros_like(centroid))
    parts = [
        words.effect.format(
            feature=words.feature(features[i]),
            compared=words.compared(float(centroid[i])),
            value=_number(float(typical[i])),
            average=_number(float(average[i])),
        )
        for i in np.argsort(-np.abs(centroid), kind="stable")[:3]
        if abs(centroid[i]) >= AVERAGE
    ]
    if not parts:
        return words.sentence_typical.format(share=share)
    return words.sentence.format(share=share, effects=words.join(parts))


class _Fit:
    """How well terms describe one segment."""

    def __init__(self, features: Sequence[str], centroid: F64) -> None:
        self.strength: dict[str, float] = {}
        for feature, value in zip(features, centroid.tolist(), strict=True):
            self.strength[f"{feature}+"] = value
            self.strength[f"{feature}-"] = -value

    def salient(self) -> list[str]:
        strong = [term for term, value in self.strength.items() if value >= SALIENT]
        return sorted(strong, key=lambda term: -self.strength[term])[:SALIENT_MOST]

    def holds(self, terms: tuple[str, ...]) -> bool:
        if not terms:
            return not self.salient()
        return all(self.strength.get(term, -1.0) >= STILL for term in terms)

    def score(self, terms: tuple[str, ...]) -> float:
        """Sum of the strengths; a term that does not apply at all spoils the name."""
        values = [min(self.strength[term], ENOUGH) for term in terms]
        return sum(values) if all(value > 0.0 for value in values) else -ENOUGH


def _best(rows: list[int], fits: list[_Fit], words: Language, taken: set[str]) -> dict[int, Name]:
    """The names with the largest sum of scores, none of them twice."""
    offered = {row: _candidates(fits[row], words) for row in rows}
    texts = sorted({name.text for names_ in offered.values() for name in names_} - taken)
    column = {text: i for i, text in enumerate(texts)}
    scores = np.full((len(rows), len(texts) + len(rows)), -1e6)
    by_place: dict[tuple[int, int], Name] = {}
    for i, row in enumerate(rows):
        scores[i, len(texts) + i] = -1e3
        for name in offered[row]:
            if name.text in column:
                j, score = column[name.text], _worth(name, row, fits)
                if score > scores[i, j]:
                    scores[i, j], by_place[i, j] = score, name
    result: dict[int, Name] = {}
    for i, j in zip(*linear_sum_assignment(-scores), strict=True):
        name = by_place.get((int(i), int(j))) or _numbered(offered[rows[i]], taken)
        taken.add(name.text)
        result[rows[i]] = name
    return result


def _candidates(fit: _Fit, words: Language) -> list[Name]:
    salient = fit.salient()
    if not salient:
        return [Name(words.typical, ())]
    known = set(salient)
    nouns = [terms for terms in words.nouns if known.issuperset(terms)]
    nouns += [(term,) for term in salient if (term,) not in words.nouns]
    found = [_spelled(terms, words) for terms in nouns]
    for terms in nouns:
        for term in salient:
            if term not in terms and term in words.adjectives:
                found.append(_spelled((*terms, term), words))
    return found


def _spelled(terms: tuple[str, ...], words: Language) -> Name:
    """The name of these terms: a noun, or a noun and (the last term) an adjective."""
    if not terms:
        return Name(words.typical, ())
    if len(terms) == 1 or terms in words.nouns:
        return Name(words.noun(terms), terms)
    adjective = words.adjectives.get(terms[-1]) or words.noun(terms[-1:])
    return Name(words.pattern.format(noun=words.noun(terms[:-1]), adjective=adjective), terms)


def _worth(name: Name, row: int, fits: list[_Fit]) -> float:
    """What speaks for a name: it fits this segment, no other so well, and it is short."""
    if not name.terms:
        return 0.0
    others = [fit.score(name.terms) for i, fit in enumerate(fits) if i != row]
    shared = max([0.0, *others])
    root = float(np.sqrt(len(name.terms)))
    length = LENGTH_COST if "," in name.text else 0.0
    return (fits[row].score(name.terms) - SHARED_COST * shared) / root - length


def _numbered(offered: list[Name], taken: set[str]) -> Name:
    """Two segments that words cannot tell apart are told apart by a number."""
    base, number = offered[0], 2
    while f"{base.text} {number}" in taken:
        number += 1
    return Name(f"{base.text} {number}", base.terms)


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 20.0 else f"{value:.1f}".removesuffix(".0")
