"""Random definitions and random histories, small enough that everything happens often."""

from typing import Any

from hypothesis import strategies as st

from tests.stream.conditions.oracle import Record

NAMES = ("Product Viewed", "Product Added", "Order Completed", "Order Refunded")
CATEGORIES = ("shoes", "hats", "bags")
#: The unit of time, as durations spell it, and in ms: turns fall on its multiples.
GRIDS = {"ms": 1, "s": 1_000, "h": 3_600_000}
SPAN = 60
START = 100


def wheres() -> st.SearchStrategy[dict[str, Any]]:
    category = st.sampled_from(CATEGORIES)
    values = st.one_of(
        category,
        category.map(lambda c: {"is_not": c}),
        st.lists(category, min_size=1, max_size=2, unique=True).map(lambda c: {"in": c}),
        st.sampled_from([{"contains": "sh"}, {"matches": "^.a"}, {"exists": True}]),
    )
    prices = st.sampled_from([{"at_least": 10}, {"less_than": 10.5}, {"between": [5, 20]}])
    totals = st.sampled_from([{"at_least": 10.05}, {"at_most": 25}])
    return st.one_of(
        st.builds(dict, category=values),
        st.builds(dict, price=prices),
        st.builds(dict, total=totals),
        st.builds(dict, category=values, price=prices),
    )


def durations(unit: str, longest: int = 20) -> st.SearchStrategy[str]:
    return st.integers(1, longest).map(lambda n: f"{n}{unit}")


def counts() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.just({}),
        st.integers(1, 4).map(lambda n: {"at_least": n}),
        st.integers(0, 3).map(lambda n: {"at_most": n}),
        st.integers(0, 3).map(lambda n: {"exactly": n}),
        st.tuples(st.integers(1, 2), st.integers(2, 4)).map(lambda p: {"between": list(p)}),
    )


def maybe(key: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(st.just({}), values.map(lambda v: {key: v}))


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {k: v for part in found for k, v in part.items()})


@st.composite
def ages(draw: st.DrawFn, unit: str) -> dict[str, str]:
    older, longer = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    both = {"older_than": f"{older}{unit}", "younger_than": f"{older + longer}{unit}"}
    return {key: both[key] for key in draw(st.sampled_from([list(both), *([k] for k in both)]))}


def traits_tests() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [
            {"trait": "age", "between": [18, 34]},
            {"trait": "age", "at_least": 30},
            {"trait": "age", "exists": False},
            {"trait": "country", "in": ["PH", "NO"]},
            {"trait": "country", "is_not": "PH"},
            {"trait": "country", "not_in": ["PH", "SE"]},
            {"trait": "interests", "contains": "hats"},
            {"trait": "interests", "is": "shoes"},
            {"trait": "country", "matches": "^[NP]"},
            {"trait": "vip", "is": True},
        ]
    )


def events() -> st.SearchStrategy[str]:
    return st.sampled_from([*NAMES, "*"])


def leaves(unit: str) -> st.SearchStrategy[dict[str, Any]]:
    within, where = maybe("within", durations(unit)), maybe("where", wheres())
    did = merged(events().map(lambda n: {"did": n}), where, within, counts())
    did_not = merged(events().map(lambda n: {"did_not": n}), where, within)
    last = merged(events().map(lambda n: {"last": n}), where, ages(unit))
    first = merged(events().map(lambda n: {"first": n}), where, ages(unit))
    steps = merged(events().map(lambda n: {"did": n}), where)
    chains = st.lists(steps, min_size=2, max_size=4).map(lambda s: {"sequence": s})
    affinity = st.sampled_from([{"at_least": 0.4}, {"less_than": 0.25}]).map(
        lambda b: {"affinity": "shoes", **b}
    )
    cluster = st.sampled_from([{"cluster": "cluster-1"}, {"cluster": ["cluster-2", "cluster-3"]}])
    return st.one_of(
        did,
        did,
        did_not,
        did_not,
        last,
        first,
        merged(chains, within),
        traits_tests(),
        affinity,
        amounts(unit),
        amounts(unit),
        measures(unit),
        measures(unit),
        cluster,
    )


def amounts(unit: str) -> st.SearchStrategy[dict[str, Any]]:
    head = st.sampled_from(
        [
            {"sum": "total", "of": "Order Completed"},
            {"sum": "total", "of": "Order Refunded"},
            {"average": "total", "of": "Order Completed"},
            {"sum": "price", "of": "Product Viewed"},
            {"average": "price", "of": "*"},
        ]
    )
    limits: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [
            {"at_least": 10},
            {"at_most": 15.5},
            {"more_than": 9.99},
            {"less_than": 0.01},
            {"between": [10, 30]},
            {"exactly": 0},
        ]
    )
    return merged(head, maybe("where", wheres()), maybe("within", durations(unit)), limits)


def measures(unit: str) -> st.SearchStrategy[dict[str, Any]]:
    seen = st.sampled_from(["first_seen", "last_seen"]).map(lambda m: {"measure": m})
    limits: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [{"at_least": 2}, {"at_most": 2}, {"between": [1, 3]}, {"more_than": 1}, {"less_than": 2}]
    )
    ranks = st.sampled_from(
        [{"percentile_at_least": 60}, {"percentile_at_most": 40}, {"percentile_at_least": 0}]
    )
    measure = st.sampled_from(["spend", "orders", "events"]).map(lambda m: {"measure": m})
    bounded = merged(measure, maybe("within", durations(unit)), st.one_of(limits, ranks))
    return st.one_of(merged(seen, ages(unit)), bounded, bounded)


def conditions(unit: str, known: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    basic = leaves(unit)
    if known:
        basic = st.one_of(basic, basic, st.sampled_from(known).map(lambda n: {"in": n}))
    return st.recursive(
        basic,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
            inner.map(lambda part: {"not": part}),
        ),
        max_leaves=4,
    )


@st.composite
def definitions(draw: st.DrawFn, unit: str) -> dict[str, dict[str, Any]]:
    """Segments as a file spells them; later ones may need earlier ones."""
    segments: dict[str, dict[str, Any]] = {}
    for i in range(draw(st.integers(1, 4))):
        segment: dict[str, Any] = {"when": draw(conditions(unit, list(segments)))}
        if draw(st.integers(0, 3)) == 0:
            segment["stay_at_least"] = draw(durations(unit))
        segments[f"s{i}"] = segment
    return segments


@st.composite
def records(draw: st.DrawFn, grid: int) -> Record:
    """Most events arrive when they happen, some late, a few a little ahead of time."""
    seen = draw(st.integers(START, START + SPAN)) * grid
    kind = draw(st.sampled_from(["event"] * 6 + ["profile", "facts"]))
    if kind == "profile":
        return Record(seen, seen, traits=draw(profiles()))
    if kind == "facts":
        weight = draw(st.sampled_from([0.1, 0.25, 0.4, 0.9]))
        cluster = draw(st.sampled_from(["cluster-1", "cluster-2", "cluster-4"]))
        return Record(seen, seen, affinities={"shoes": weight}, cluster=cluster)
    ahead_ms = min(2 * grid, 300_000 // grid * grid)
    late = draw(st.one_of(st.just(0), st.just(0), st.integers(0, 40)))
    at = seen + ahead_ms if draw(st.integers(0, 15)) == 0 else seen - late * grid
    name = draw(st.sampled_from(NAMES))
    if name.startswith("Order"):
        minor = draw(st.integers(0, 4_000))
        bought = draw(st.lists(st.sampled_from(CATEGORIES), max_size=2, unique=True))
        signed = minor if name == "Order Completed" else -minor - 1
        return Record(seen, at, name, {"category": bought, "currency": "USD"}, signed)
    properties: dict[str, Any] = {"category": draw(st.sampled_from(CATEGORIES))}
    if draw(st.booleans()):
        properties["price"] = draw(st.sampled_from([4, 9.99, 10, 10.5, 20, 20.01, "ten"]))
    return Record(seen, at, name, properties)


def profiles() -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(
        [
            {"age": 18},
            {"age": 34.5, "country": "PH"},
            {"age": None},
            {"age": "34"},
            {"country": "NO", "interests": ["shoes", "hats"]},
            {"interests": "whats"},
            {"vip": True, "country": "SE"},
            {"vip": 1},
        ]
    )


def histories(grid: int) -> st.SearchStrategy[list[Record]]:
    return st.lists(records(grid), min_size=1, max_size=14)
