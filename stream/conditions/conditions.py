"""What every condition can do, and the conditions made of other conditions.

`turn` is the heart: a signed moment. It is positive while the condition holds, negative while
it does not, and its size is the earliest moment (ms) at which time alone may turn it, `NEVER`
if nothing but new events or facts can.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from stream.conditions import words
from stream.conditions.keepers import Keeper
from stream.conditions.view import NEVER, Changed, View


class Condition(Protocol):
    """A question about one customer at one moment."""

    def turn(self, view: View) -> int:
        """Signed moment, see above."""

    def reason(self, view: View) -> str:
        """Why it holds, or why it does not, in words."""

    def canonical(self) -> tuple[Any, ...]:
        """The same for conditions that mean the same."""

    @property
    def parts(self) -> "tuple[Condition, ...]":
        """Conditions that it is made of."""

    @property
    def keeper(self) -> Keeper | None:
        """What it needs remembered."""

    @property
    def facts(self) -> int:
        """Facts that it asks about: flags of `Changed`."""

    @property
    def growth(self) -> int:
        """What more events do: 1 they may only make it true, -1 only false, 0 either."""


class Leaf:
    """A condition without parts; by default it needs nothing remembered."""

    __slots__ = ()

    @property
    def parts(self) -> tuple[Condition, ...]:
        return ()

    @property
    def keeper(self) -> Keeper | None:
        return None

    @property
    def facts(self) -> int:
        return Changed.NOTHING

    @property
    def growth(self) -> int:
        return 0


class Branch:
    """A condition made of others."""

    __slots__ = ()

    @property
    def keeper(self) -> Keeper | None:
        return None

    @property
    def facts(self) -> int:
        return Changed.NOTHING

    @property
    def growth(self) -> int:
        return 0


def _cheapest_first(parts: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Facts before events: they are looked up, and time alone does not turn most of them."""
    return tuple(sorted(parts, key=lambda part: (len(part.parts), part.keeper is not None)))


@dataclass(frozen=True, slots=True)
class All(Branch):
    """Holds while every part holds."""

    parts: tuple[Condition, ...]
    _ranked: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ranked", _cheapest_first(self.parts))

    def turn(self, view: View) -> int:
        earliest = NEVER
        for part in self._ranked:
            turn = part.turn(view)
            if turn < 0:
                # Until this part turns, whatever the others do changes nothing.
                return turn
            if turn < earliest:
                earliest = turn
        return earliest

    def reason(self, view: View) -> str:
        failed = [part for part in self.parts if part.turn(view) < 0]
        return "; ".join(part.reason(view) for part in failed or self.parts)

    def canonical(self) -> tuple[Any, ...]:
        return ("all", sorted((part.canonical() for part in self.parts), key=repr))


@dataclass(frozen=True, slots=True)
class AnyOf(Branch):
    """Holds while at least one part holds."""

    parts: tuple[Condition, ...]
    _ranked: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ranked", _cheapest_first(self.parts))

    def turn(self, view: View) -> int:
        earliest = NEVER
        for part in self._ranked:
            turn = part.turn(view)
            if turn > 0:
                return turn
            if -turn < earliest:
                earliest = -turn
        return -earliest

    def reason(self, view: View) -> str:
        for part in self.parts:
            if part.turn(view) > 0:
                return part.reason(view)
        return "; ".join(part.reason(view) for part in self.parts)

    def canonical(self) -> tuple[Any, ...]:
        return ("any", sorted((part.canonical() for part in self.parts), key=repr))


@dataclass(frozen=True, slots=True)
class Not(Branch):
    """Holds while its part does not."""

    part: Condition

    @property
    def parts(self) -> tuple[Condition, ...]:
        return (self.part,)

    def turn(self, view: View) -> int:
        return -self.part.turn(view)

    def reason(self, view: View) -> str:
        return self.part.reason(view)

    def canonical(self) -> tuple[Any, ...]:
        return ("not", self.part.canonical())


@dataclass(frozen=True, slots=True)
class Member(Leaf):
    """Holds while the customer is in another segment."""

    segment: str

    def turn(self, view: View) -> int:
        return NEVER if self.segment in view.members else -NEVER

    def reason(self, view: View) -> str:
        name = f'"{view.scope.names.get(self.segment, self.segment)}"'
        entered_ms = view.members.get(self.segment)
        return (
            f"not in {name}" if entered_ms is None else f"in {name} since {words.date(entered_ms)}"
        )

    def canonical(self) -> tuple[Any, ...]:
        return ("in", self.segment)


def walk(condition: Condition) -> Iterator[Condition]:
    """The condition and everything that it is made of."""
    yield condition
    for part in condition.parts:
        yield from walk(part)
