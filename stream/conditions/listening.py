"""Who listens to which event: worked out once per file, so that others cost nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.conditions.gates import texts_of
from stream.conditions.keepers import Chain, Keeper
from stream.conditions.selection import ANY_EVENT, Happening, Selection
from stream.conditions.values import Among

#: Key of the state, its fold, and the test of an event's properties if there is one to make.
Listener = tuple[str, Callable[[Any, Happening], Any], Callable[[Happening], bool] | None]

#: Key of a state → state.
States = dict[str, Any]


class Listening:
    """Keepers, found by the events that they want to see."""

    def __init__(self, keepers: Iterable[Keeper]) -> None:
        self._audiences, self._others = _audiences_of(list(keepers))

    @property
    def names(self) -> frozenset[str]:
        """Events that any keeper wants to see; with `*` among them every event."""
        return frozenset(self._audiences) | ({ANY_EVENT} if self._others else set())

    def fold(self, states: States, event: Happening) -> list[str]:
        """Fold an event in; keys of the states that changed."""
        audience = self._audiences.get(event.name, self._others)
        changed: list[str] = []
        for key, fold, takes in audience.of(event) if audience else ():
            if takes is not None and not takes(event):
                continue
            state = fold(states.get(key), event)
            if state is not None:
                states[key] = state
                changed.append(key)
        return changed


@dataclass(slots=True)
class Audience:
    """Who listens to one event; those that want one text of a property are found by it."""

    plain: list[Listener] = field(default_factory=list)
    by_text: dict[str, dict[str, list[Listener]]] = field(default_factory=dict)

    def add(self, keeper: Keeper, name: str) -> None:
        """Let a keeper listen to events of this name."""
        wanted = [s for s in keeper.selections if {name, ANY_EVENT} & {*s.names}]
        indexed = _indexed(wanted)
        # A chain tests by itself which of its steps an event is.
        untested = 0 if isinstance(keeper, Chain) else len(wanted[0].where) - bool(indexed)
        takes = wanted[0].takes if untested else None
        if indexed is None:
            self.plain.append((keeper.key, keeper.fold, takes))
            return
        property_name, texts = indexed
        buckets = self.by_text.setdefault(property_name, {})
        for text in texts:
            buckets.setdefault(text, []).append((keeper.key, keeper.fold, takes))

    def of(self, event: Happening) -> list[Listener]:
        """Listeners that the event may concern."""
        if not self.by_text:
            return self.plain
        found = list(self.plain)
        for name, buckets in self.by_text.items():
            value = event.get(name)
            if type(value) is str:
                found += buckets.get(value, ())
            elif type(value) is list:
                hits = (hit for v in value if type(v) is str for hit in buckets.get(v, ()))
                found += {hit[0]: hit for hit in hits}.values()
        return found


def _indexed(wanted: Sequence[Selection]) -> tuple[str, tuple[str, ...]] | None:
    """Property of which just these texts can pass the test of any selection, if there is one."""
    first = wanted[0]
    for name, _ in first.where:
        texts = [_texts(selection, name) for selection in wanted]
        if all(found is not None for found in texts):
            return name, tuple(dict.fromkeys(text for found in texts for text in found or ()))
    return None


def _texts(selection: Selection, name: str) -> tuple[str, ...] | None:
    """Texts of which a property must be one; None if others pass as well."""
    for tested, test in selection.where:
        if tested == name and isinstance(test, Among):
            return texts_of(test) or None
    return None


def _audiences_of(every: Sequence[Keeper]) -> tuple[dict[str, Audience], Audience | None]:
    """Who listens to each named event, and who to all others."""
    names = {keeper.key: _names(keeper) for keeper in every}
    named: dict[str, Audience] = {}
    for name in {name for wanted in names.values() for name in wanted} - {ANY_EVENT}:
        listening = (k for k in every if names[k.key] & {name, ANY_EVENT})
        named[name] = _audience(listening, name)
    others = [keeper for keeper in every if ANY_EVENT in names[keeper.key]]
    return named, _audience(others, ANY_EVENT) if others else None


def _names(keeper: Keeper) -> set[str]:
    return {name for selection in keeper.selections for name in selection.names}


def _audience(keepers: Iterable[Keeper], name: str) -> Audience:
    audience = Audience()
    for keeper in keepers:
        audience.add(keeper, name)
    return audience
