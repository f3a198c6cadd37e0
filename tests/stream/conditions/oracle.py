"""The language evaluated the naive way: every event is kept, every moment looked at afresh.

Works on the plain data of a definitions file and shares no code with `stream.conditions`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

Spec = Mapping[str, Any]
Rank = Callable[[str, int | None, float], float | None]


@dataclass(frozen=True)
class Record:
    """An event (`name`), or with `traits` a profile's update; it arrives at `seen`."""

    seen: int
    at: int
    name: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    minor: int | None = None
    traits: Mapping[str, Any] | None = None
    affinities: Mapping[str, float] | None = None
    cluster: str | None = None


def no_rank(measure: str, within: int | None, value: float) -> float | None:
    return None


@dataclass
class World:
    """All that is known at `now`."""

    now: int
    records: list[Record]
    members: dict[str, int]
    rank: Rank = no_rank

    def events(self) -> list[Record]:
        return [r for r in self.records if r.name]

    def traits(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        for record in self.records:
            merged.update(record.traits or {})
        return {name: value for name, value in merged.items() if value is not None}

    def latest(self, attribute: str, default: Any) -> Any:
        found = [getattr(r, attribute) for r in self.records]
        found = [value for value in found if value is not None]
        return found[-1] if found else default


def ms(text: str) -> int:
    digits = "".join(c for c in text if c.isdigit())
    return int(digits) * UNITS[text[len(digits) :]]


def holds(c: Spec, w: World) -> bool:
    """Whether a condition, as the file spells it, is true."""
    if "all" in c:
        return all(holds(part, w) for part in c["all"])
    if "any" in c:
        return any(holds(part, w) for part in c["any"])
    if "not" in c:
        return not holds(c["not"], w)
    if "did" in c:
        return count_fits(len(chosen(c, c["did"], w)), c)
    if "did_not" in c:
        return not chosen(c, c["did_not"], w)
    if "first" in c or "last" in c:
        found = sorted(r.at for r in chosen(c, c.get("first", c.get("last")), w))
        return bool(found) and age_fits(w.now - found[0 if "first" in c else -1], c)
    if "sequence" in c:
        return sequence_holds(c, w)
    if "trait" in c:
        return value_fits(w.traits().get(c["trait"]), c)
    if "measure" in c:
        return measure_holds(c, w)
    if "sum" in c or "average" in c:
        return amount_holds(c, w)
    if "affinity" in c:
        return value_fits(w.latest("affinities", {}).get(c["affinity"], 0.0), c)
    if "cluster" in c:
        wanted = c["cluster"] if isinstance(c["cluster"], list) else [c["cluster"]]
        return w.latest("cluster", None) in wanted
    return c["in"] in w.members


def chosen(c: Spec, name: str | tuple[str, ...], w: World) -> list[Record]:
    names = (name,) if isinstance(name, str) else name
    return [
        r
        for r in w.events()
        if (names == ("*",) or r.name in names)
        and ("within" not in c or r.at + ms(c["within"]) > w.now)
        and all(value_fits(prop(r, p), as_test(t)) for p, t in c.get("where", {}).items())
    ]


def prop(r: Record, name: str) -> Any:
    if name == "total" and r.minor is not None:
        return r.minor / 100
    return r.properties.get(name)


def as_test(test: Any) -> Spec:
    return test if isinstance(test, dict) else {"is": test}


def count_fits(n: int, c: Spec) -> bool:
    if not any(k in c for k in ("at_least", "at_most", "exactly", "between")):
        return n >= 1
    return number_fits(n, c)


def number_fits(n: Any, c: Spec) -> bool:
    exact = Fraction(str(n))
    return (
        ("at_least" not in c or exact >= Fraction(str(c["at_least"])))
        and ("at_most" not in c or exact <= Fraction(str(c["at_most"])))
        and ("more_than" not in c or exact > Fraction(str(c["more_than"])))
        and ("less_than" not in c or exact < Fraction(str(c["less_than"])))
        and ("exactly" not in c or exact == Fraction(str(c["exactly"])))
        and (
            "between" not in c
            or Fraction(str(c["between"][0])) <= exact <= Fraction(str(c["between"][1]))
        )
    )


def age_fits(age: int, c: Spec) -> bool:
    old = "older_than" not in c or age >= ms(c["older_than"])
    return old and ("younger_than" not in c or age < ms(c["younger_than"]))


NUMERIC = ("at_least", "at_most", "more_than", "less_than", "exactly", "between")


def value_fits(value: Any, c: Spec) -> bool:
    values = value if isinstance(value, list) else [] if value is None else [value]
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    texts = [v for v in values if isinstance(v, str)]

    def among(wanted: Iterable[Any]) -> bool:
        pairs = [(v, one) for v in values for one in wanted]
        return any(v == one and isinstance(v, bool) == isinstance(one, bool) for v, one in pairs)

    checks: dict[str, Callable[[Any], bool]] = {
        "is": lambda x: among([x]),
        "is_not": lambda x: not among([x]),
        "in": among,
        "not_in": lambda x: not among(x),
        "exists": lambda x: (value is not None) == x,
        "matches": lambda x: any(re.search(x, v) for v in texts),
        "contains": lambda x: x in value if isinstance(value, str) else among([x]),
    }
    if any(k in c for k in NUMERIC) and not any(number_fits(n, c) for n in numbers):
        return False
    return all(check(c[k]) for k, check in checks.items() if k in c)


def sequence_holds(c: Spec, w: World) -> bool:
    """Tries every start; a chain takes the earliest next event that is later."""
    steps = [
        sorted(r.at for r in chosen({**step, **within_of(c)}, step["did"], w))
        for step in c["sequence"]
    ]
    for start in steps[0]:
        at = start
        for step in steps[1:]:
            later = [t for t in step if t > at]
            if not later:
                break
            at = later[0]
        else:
            return True
    return False


def within_of(c: Spec) -> dict[str, str]:
    return {"within": c["within"]} if "within" in c else {}


def rank_fits(rank: float | None, c: Spec) -> bool:
    if rank is None:
        return False
    at_least = "percentile_at_least" not in c or rank >= c["percentile_at_least"]
    return at_least and ("percentile_at_most" not in c or rank <= c["percentile_at_most"])


PURCHASES = ("Order Completed", "Order Refunded")


def measure_holds(c: Spec, w: World) -> bool:
    measure = c["measure"]
    if measure in ("first_seen", "last_seen"):
        times = [r.at for r in w.records]
        return age_fits(w.now - (min if measure == "first_seen" else max)(times), c)
    windowed = "within" in c
    if measure == "spend":
        found = [r for r in chosen(within_of(c), PURCHASES, w) if r.minor is not None]
        value = Fraction(sum(r.minor or 0 for r in found), 100)
        ranked = bool(found) if windowed else True
    else:
        name = "*" if measure == "events" else "Order Completed"
        found = chosen(within_of(c), name, w)
        value = Fraction(len(found) if windowed or measure == "orders" else len(w.records))
        ranked = bool(found) if windowed else True
    if not windowed and measure in ("spend", "orders"):
        ranked = any(r.name == "Order Completed" for r in w.events())
    if "percentile_at_least" in c or "percentile_at_most" in c:
        within = ms(c["within"]) if windowed else None
        return ranked and rank_fits(w.rank(measure, within, float(value)), c)
    return number_fits(value, c)


def amount_holds(c: Spec, w: World) -> bool:
    name = c.get("sum") or c["average"]
    amounts = []
    for r in chosen(c, c["of"], w):
        found = prop(r, name)
        if name == "total" and r.minor is not None:
            amounts.append(Fraction(r.minor, 100))
        elif isinstance(found, int | float) and not isinstance(found, bool):
            amounts.append(Fraction(round(Fraction(str(found)) * 10_000), 10_000))
    if "sum" in c:
        return number_fits(sum(amounts, Fraction(0)), c)
    return bool(amounts) and number_fits(sum(amounts, Fraction(0)) / len(amounts), c)


def order_of(segments: Mapping[str, Spec]) -> list[str]:
    """Ids, each after those it needs."""
    done: list[str] = []
    while len(done) < len(segments):
        for name, segment in segments.items():
            if name not in done and all(n in done for n in mentioned(segment["when"])):
                done.append(name)
    return done


def mentioned(c: Spec) -> list[str]:
    if "in" in c and isinstance(c["in"], str):
        return [c["in"]]
    parts = [*c.get("all", []), *c.get("any", []), *([c["not"]] if "not" in c else [])]
    return [name for part in parts for name in mentioned(part)]


def step(segments: Mapping[str, Spec], w: World) -> list[tuple[int, str, str]]:
    """Bring the world's memberships up to its moment; what changed."""
    changes = []
    for name in order_of(segments):
        segment = segments[name]
        true, entered = holds(segment["when"], w), w.members.get(name)
        stay = ms(segment["stay_at_least"]) if "stay_at_least" in segment else 0
        if true and entered is None:
            w.members[name] = w.now
            changes.append((w.now, name, "entered"))
        elif not true and entered is not None and w.now >= entered + stay:
            del w.members[name]
            changes.append((w.now, name, "left"))
    return changes


def history(
    segments: Mapping[str, Spec],
    records: Iterable[Record],
    start: int,
    end: int,
    grid: int,
    rank: Rank = no_rank,
) -> list[tuple[int, str, str]]:
    """Every entry and exit from `start` to `end`, looking at each multiple of `grid`.

    At a moment at which something arrives, first what time alone turned, then the arrivals.
    A customer exists from its first record on; what arrived before `start` is known then.
    """
    pending = sorted(records, key=lambda r: r.seen)
    world = World(start, [r for r in pending if r.seen < start], {}, rank)
    changes = []
    for now in range(start, end + 1, grid):
        world.now = now
        if world.records:
            changes += step(segments, world)
        arrived = [r for r in pending if r.seen == now]
        if arrived:
            world.records += arrived
            changes += step(segments, world)
    return changes
