"""What a condition sees of one customer at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

#: The turn of what time alone never turns; fits msgpack and a Redis score.
NEVER = 1 << 53


class Percentiles(Protocol):
    """Where a value stands among all customers."""

    def rank(self, measure: str, within_ms: int | None, value: float) -> float | None:
        """Percentage (0-100) of customers at or below `value`; None while unknown."""


class Facts(Protocol):
    """What is known of a customer besides the events that conditions ask about."""

    @property
    def traits(self) -> Mapping[str, Any]: ...
    @property
    def events(self) -> int: ...
    @property
    def orders(self) -> int: ...
    @property
    def spend_minor(self) -> int: ...
    @property
    def first_seen_ms(self) -> int: ...
    @property
    def last_seen_ms(self) -> int: ...
    def affinities(self, categories: frozenset[str]) -> Mapping[str, float]:
        """Weights (0-1) of those of the categories that the customer has an interest in."""

    @property
    def cluster(self) -> str | None: ...
    @property
    def percentiles(self) -> Percentiles: ...


class Changed:
    """Which facts may differ from the last evaluation; observed events are known anyway.

    Plain numbers to be joined with `|`: an `IntFlag` costs half a microsecond each time.
    """

    NOTHING: Final = 0
    TRAITS: Final = 1
    #: `events`, `first_seen_ms` and `last_seen_ms`.
    ACTIVITY: Final = 2
    #: `orders` and `spend_minor`.
    ORDERS: Final = 4
    AFFINITIES: Final = 8
    CLUSTER: Final = 16
    #: Where the customer stands among all.
    RANKS: Final = 32
    EACH: Final = (TRAITS, ACTIVITY, ORDERS, AFFINITIES, CLUSTER, RANKS)
    ALL: Final = 63


@dataclass(frozen=True, slots=True)
class Scope:
    """What is the same for all customers: names of segments by id, and the categories asked for."""

    names: Mapping[str, str] = field(default_factory=dict)
    categories: frozenset[str] = frozenset()


@dataclass(slots=True)
class View:
    """One customer at `now_ms`; `members` maps segment → moment entered."""

    states: Mapping[str, Any]
    facts: Facts
    now_ms: int
    members: Mapping[str, int]
    scope: Scope
    #: True while the future is worked out: nothing but time goes on.
    projecting: bool = False
    _traits: Mapping[str, Any] | None = field(default=None, init=False, repr=False)
    _affinities: Mapping[str, float] | None = field(default=None, init=False, repr=False)
    _owned: dict[str, int] | None = field(default=None, init=False, repr=False)

    @property
    def traits(self) -> Mapping[str, Any]:
        """The customer's traits, put together once for all conditions."""
        if self._traits is None:
            self._traits = self.facts.traits
        return self._traits

    @property
    def affinities(self) -> Mapping[str, float]:
        """The customer's affinities, put together once for all conditions."""
        if self._affinities is None:
            self._affinities = self.facts.affinities(self.scope.categories)
        return self._affinities

    def enter(self, segment: str, at_ms: int) -> None:
        """Make the customer a member, here and not in the mapping that was given."""
        self._own()[segment] = at_ms

    def leave(self, segment: str) -> None:
        """End a membership, here and not in the mapping that was given."""
        del self._own()[segment]

    def _own(self) -> dict[str, int]:
        if self._owned is None:
            self.members = self._owned = dict(self.members)
        return self._owned
