"""What a fact is worth, in words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stream.analysis.effects import Effect, adjusted, binned, crossed, effect_of
from stream.analysis.facts import OTHERS, TEXT_GROUPS, Fact
from stream.analysis.survey import OUTCOMES, Survey

#: Below this share, or this number, of customers a fact is known for too few.
LEAST_COVERAGE = 0.2
LEAST_CUSTOMERS = 100
#: From this share of one value on, a fact separates nobody.
SAME = 0.95
#: A fact of more values, the frequent ones of which cover less than half, is no grouping.
_FEW_COVERED = 0.5
#: An effect whose interval begins here is small but real, and there it is strong.
SMALL, STRONG = 0.1, 0.3
#: Chance of taking one of all that is asked for real though nothing is.
SIGNIFICANT = 0.01
#: A fact that goes with an existing segment so closely tells nothing new.
REDUNDANT = 0.8
#: Groups and segments of fewer are not spoken of.
_LEAST_GROUP = 20
_SPEND_STEPS = 30


@dataclass(frozen=True, slots=True)
class Group:
    """What the customers of one group of a fact did."""

    label: str
    customers: int
    mean_spend: float
    conversion: float
    repeat: float


@dataclass(frozen=True, slots=True)
class Finding:
    """Everything about one fact. `effects`: by outcome; absent where nothing can be said."""

    fact: Fact
    coverage: float
    #: Share of the known customers who have the most frequent value.
    top_share: float
    groups: tuple[Group, ...]
    effects: dict[str, Effect]
    #: Segments that go with it, the closest first.
    overlaps: tuple[tuple[str, float], ...]
    worth: bool
    verdict: str


def analyse(survey: Survey, category_names: dict[int, str], seed: int = 1) -> list[Finding]:
    """Findings of all facts, those worth segmenting by first, by their strongest effect."""
    if not len(survey):
        return []
    rng = np.random.default_rng(seed)
    facts = survey.facts(category_names)
    outcomes = survey.outcomes()
    steps = {name: binned(values, _SPEND_STEPS) for name, values in outcomes.items()}
    effects = [_effects(fact, steps, rng) for fact in facts]
    asked = [(i, name) for i, found in enumerate(effects) for name in found]
    corrected = adjusted([effects[i][name].p for i, name in asked])
    for (i, name), p in zip(asked, corrected, strict=True):
        old = effects[i][name]
        effects[i][name] = Effect(old.size, old.low, old.high, p)
    members = _members(survey)
    findings = [
        _finding(fact, found, survey, outcomes, _overlaps(fact, members, rng))
        for fact, found in zip(facts, effects, strict=True)
    ]
    return sorted(findings, key=lambda f: (not f.worth, -_strongest(f), f.fact.name))


def _strongest(finding: Finding) -> float:
    return max((effect.low for effect in finding.effects.values()), default=-1.0)


def _effects(
    fact: Fact, steps: dict[str, NDArray[np.int64]], rng: np.random.Generator
) -> dict[str, Effect]:
    if fact.circular or len(fact.who) < LEAST_CUSTOMERS:
        return {}
    found = {}
    for name, codes in steps.items():
        table = crossed(fact.groups, codes[fact.who])
        # Nobody, or everybody but a few, did it: too few to tell.
        if np.sort(table.sum(axis=0))[:-1].sum() >= _LEAST_GROUP:
            found[name] = effect_of(table, rng)
    return found


def _members(survey: Survey) -> dict[str, NDArray[np.int64]]:
    found = {}
    for segment, places in survey.segments.items():
        if _LEAST_GROUP <= len(places) <= len(survey) - _LEAST_GROUP:
            found[segment] = np.zeros(len(survey), np.int64)
            found[segment][places] = 1
    return found


def _overlaps(
    fact: Fact, members: dict[str, NDArray[np.int64]], rng: np.random.Generator
) -> tuple[tuple[str, float], ...]:
    if len(fact.who) < LEAST_CUSTOMERS:
        return ()
    found = []
    for segment, codes in members.items():
        inside = codes[fact.who]
        if _LEAST_GROUP <= inside.sum() <= len(inside) - _LEAST_GROUP:
            found.append((segment, effect_of(crossed(fact.groups, inside), rng).size))
    return tuple(sorted(found, key=lambda pair: -pair[1])[:3])


def _finding(
    fact: Fact,
    effects: dict[str, Effect],
    survey: Survey,
    outcomes: dict[str, NDArray[np.float64]],
    overlaps: tuple[tuple[str, float], ...],
) -> Finding:
    coverage = len(fact.who) / len(survey)
    top_share = fact.spread.top[0][1] / len(fact.who) if len(fact.who) else 0.0
    groups = tuple(_groups(fact, outcomes))
    worth, words = _verdict(fact, coverage, top_share, groups, effects, overlaps)
    return Finding(fact, coverage, top_share, groups, effects, overlaps, worth, words)


def _groups(fact: Fact, outcomes: dict[str, NDArray[np.float64]]) -> list[Group]:
    found = []
    for code, label in enumerate(fact.labels):
        who = fact.who[fact.groups == code]
        means = [float(outcomes[name][who].mean()) for name in OUTCOMES]
        found.append(Group(label, len(who), *means))
    return found


def _verdict(
    fact: Fact,
    coverage: float,
    top_share: float,
    groups: tuple[Group, ...],
    effects: dict[str, Effect],
    overlaps: tuple[tuple[str, float], ...],
) -> tuple[bool, str]:
    if coverage < LEAST_COVERAGE or len(fact.who) < LEAST_CUSTOMERS:
        number = "" if len(fact.who) >= LEAST_CUSTOMERS else f" ({len(fact.who)})"
        return False, f"known for {coverage:.0%} of customers{number}: too few"
    if fact.circular:
        return False, "made of orders, or of the time there was for them: not judged"
    if top_share >= SAME:
        return False, f"{top_share:.0%} have the same ({fact.spread.top[0][0]}): separates nobody"
    others = groups[-1].customers if groups[-1].label == OTHERS else 0
    if others > _FEW_COVERED * len(fact.who):
        return False, (
            f"{fact.spread.distinct:,} different values, the {TEXT_GROUPS} most frequent cover "
            f"{1 - others / len(fact.who):.0%}: group them first"
        )
    if not effects:
        return False, "too few orders to tell"
    real = {name: e for name, e in effects.items() if e.p < SIGNIFICANT}
    if not real:
        return False, "no difference found"
    name = max(real, key=lambda outcome: real[outcome].low)
    effect = real[name]
    size = f"{effect.size:.2f} ({effect.low:.2f} to {effect.high:.2f})"
    if effect.low < SMALL:
        return False, f"a difference in {OUTCOMES[name]}, but a small one: {size}"
    if overlaps and overlaps[0][1] >= REDUNDANT:
        segment, closeness = overlaps[0]
        return False, f"tells what segment {segment} tells already (overlap {closeness:.2f})"
    strength = "worth it, strong" if effect.low >= STRONG else "worth it"
    return True, f"{strength}: separates {OUTCOMES[name]}, {size}{_contrast(name, groups)}"


def _contrast(outcome: str, groups: tuple[Group, ...]) -> str:
    field = {"spend": "mean_spend", "conversion": "conversion", "repeat": "repeat"}[outcome]
    spoken = [group for group in groups if group.customers >= _LEAST_GROUP]
    if len(spoken) < 2:
        return ""
    ranked = sorted(spoken, key=lambda group: float(getattr(group, field)))
    low, high = getattr(ranked[0], field), getattr(ranked[-1], field)
    shown = "{:,.2f}" if outcome == "spend" else "{:.0%}"
    return f"; {ranked[-1].label}: {shown.format(high)}, {ranked[0].label}: {shown.format(low)}"
