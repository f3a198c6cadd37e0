"""Synthetic customers with known personas: what learners are judged on.

Every customer has a persona and a place within it; every update shows a noisy look at that
place as raw features (days, counts, money with heavy tails, a share), in the order a stream of
real customers would have. What happens at the drift is the scenario's.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.space import F64, Ints

Scenario = Literal["still", "move", "glide", "birth", "death", "split", "market"]

#: Feature → (kind, level, unit): the logarithm lies around `level`, one latent unit is `unit`.
FEATURES: dict[str, tuple[str, float, float]] = {
    "recency_days": ("days", 2.5, 0.6),
    "order_recency_days": ("days", 3.5, 0.6),
    "tenure_days": ("days", 5.0, 0.5),
    "activity": ("amount", 3.2, 0.6),
    "views": ("count", 3.0, 0.6),
    "searches": ("count", 2.0, 0.6),
    "carts": ("count", 1.6, 0.5),
    "other_actions": ("count", 1.6, 0.5),
    "intent": ("amount", 0.9, 0.3),
    "orders": ("count", 1.8, 0.5),
    "spend": ("money", 5.0, 0.8),
    "order_value": ("money", 3.5, 0.5),
    "category_focus": ("share", 0.0, 0.9),
    "order_rhythm_days": ("days", 3.0, 0.6),
}


#: Updates that a gliding persona takes.
GLIDE = 60_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Updates in the order they came.

    Attributes
    ----------
    customers
        Index of the customer, shape (n,).
    X
        Raw vectors, shape (n, d).
    """

    customers: Ints
    X: F64


class PersonaStream:
    """Updates of customers with personas.

    Parameters
    ----------
    seed
        Of everything random.
    customers
        How many there are.
    personas
        How many before the drift; sizes fall evenly (in logarithm) from `largest` to `smallest`
        before they are made to sum to one.
    scenario
        What `drift` does: ``still`` nothing; ``move`` the second persona is elsewhere from one
        update to the next, ``glide`` it goes there within `GLIDE` updates; ``birth`` a new one
        (7.5 % of the customers, from all others); ``death`` the third goes over to the others;
        ``split`` the largest becomes two; ``market`` a move and a birth.
    anisotropic
        Personas are long in some directions of their own, not round.
    separation
        Distance between persona centres, in latent units; smaller overlaps more.
    tails
        Degrees of freedom of Student's t for money; small is heavy.
    """

    def __init__(
        self,
        seed: int,
        customers: int = 18_500,
        personas: int = 6,
        scenario: Scenario = "still",
        anisotropic: bool = False,
        separation: float = 1.0,
        largest: float = 0.34,
        smallest: float = 0.05,
        tails: float = 4.0,
    ) -> None:
        self.features = tuple(FEATURES)
        self.scenario, self.tails = scenario, tails
        self._rng = np.random.default_rng(seed)
        self._separation = separation
        self._d = len(self.features)
        shares = np.geomspace(largest, smallest, personas)
        self._centres = self._placed(personas)
        self._shapes = [self._shape(anisotropic) for _ in range(personas)]
        self._anisotropic = anisotropic
        self.persona: Ints = self._rng.choice(personas, size=customers, p=shares / shares.sum())
        self._place = self._rng.standard_normal((customers, self._d)) * np.sqrt(0.5)
        pace = self._rng.lognormal(0.0, 0.8, customers)
        self._pace = pace / pace.sum()
        self._level = np.array([level for _, level, _ in FEATURES.values()])
        self._unit = np.array([unit for _, _, unit in FEATURES.values()])
        self._target, self._gliding = self._centres[0], 0
        self._kind = [kind for kind, _, _ in FEATURES.values()]

    @property
    def customers(self) -> int:
        return len(self.persona)

    @property
    def personas(self) -> int:
        """How many there are now."""
        return len(np.unique(self.persona))

    def first(self) -> Batch:
        """One look at every customer, in random order."""
        return self._look(self._rng.permutation(self.customers))

    def updates(self, count: int) -> Batch:
        """Looks at customers drawn by how active each is."""
        if self._gliding > 0:
            step = min(count, self._gliding) / self._gliding
            self._centres[1] += step * (self._target - self._centres[1])
            self._gliding -= min(count, self._gliding)
        return self._look(self._rng.choice(self.customers, size=count, p=self._pace))

    def drift(self) -> None:
        """Let the scenario happen; customers show it at their next update."""
        if self.scenario in ("move", "market"):
            self._centres[1] = self._placed(1, self._centres)[0]
        if self.scenario == "glide":
            self._target, self._gliding = self._placed(1, self._centres)[0], GLIDE
        if self.scenario in ("birth", "market"):
            self._converts(np.arange(self.customers), 0.075)
        if self.scenario == "split":
            self._converts(np.flatnonzero(self.persona == 0), 0.45)
        if self.scenario == "death":
            leaving = np.flatnonzero(self.persona == 2)
            others = np.array([p for p in np.unique(self.persona) if p != 2])
            self.persona[leaving] = self._rng.choice(others, size=len(leaving))

    def _converts(self, among: Ints, share: float) -> None:
        """A share of these customers get a new persona."""
        self._centres = np.concatenate([self._centres, self._placed(1, self._centres)])
        self._shapes.append(self._shape(self._anisotropic))
        chosen = self._rng.choice(among, size=round(share * len(among)), replace=False)
        self.persona[chosen] = len(self._centres) - 1

    def _placed(self, count: int, taken: F64 | None = None) -> F64:
        """Centres of which none are nearer than .8 of the typical distance; (count, d)."""
        rows = [] if taken is None else list(taken)
        start, typical = len(rows), self._separation * np.sqrt(2 * self._d)
        while len(rows) < start + count:
            row = self._rng.standard_normal(self._d) * self._separation
            if all(np.linalg.norm(row - other) > 0.8 * typical for other in rows):
                rows.append(row)
        return np.array(rows[start:])

    def _shape(self, anisotropic: bool) -> F64:
        """A matrix that makes round noise into a persona's; rows (d, d), of equal volume."""
        if not anisotropic:
            return np.diag(np.exp(self._rng.normal(0.0, 0.15, self._d)))
        turned, _ = np.linalg.qr(self._rng.standard_normal((self._d, self._d)))
        lengths = np.exp(self._rng.normal(0.0, 0.6, self._d))
        shape: F64 = (turned * (lengths / np.sqrt((lengths**2).mean()))) @ turned.T
        return shape

    def _look(self, who: Ints) -> Batch:
        noise = self._rng.standard_normal((len(who), self._d)) * np.sqrt(0.5)
        inside = self._place[who] + noise
        latent = np.empty_like(inside)
        for p, shape in enumerate(self._shapes):
            mine = self.persona[who] == p
            latent[mine] = self._centres[p] + inside[mine] @ shape
        return Batch(who, self._raw(latent))

    def _raw(self, latent: F64) -> F64:
        L = self._level + self._unit * latent
        X = np.empty_like(L)
        for column, kind in enumerate(self._kind):
            values = L[:, column]
            if kind == "share":
                X[:, column] = 1.0 / (1.0 + np.exp(-values))
            elif kind == "count":
                X[:, column] = self._rng.poisson(np.expm1(np.clip(values, 0.0, 12.0)))
            elif kind == "money":
                tail = self._rng.standard_t(self.tails, len(values)) * 0.25
                X[:, column] = np.expm1(np.clip(values + tail, 0.0, 20.0))
            else:
                X[:, column] = np.expm1(np.clip(values, 0.0, 12.0))
        return X
