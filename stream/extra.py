"""The parts of variable size of what is remembered of a customer, and their stored form."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

#: Transfer → ids that it had passed when it came here, or more once it was merged; see merging.
Taken = tuple[tuple[int, int], ...]
#: Trait → value and epoch ms when it was set; the ones set longest ago first.
Traits = dict[str, tuple[Any, int]]

#: Traits that many have, by Segment's specification of traits and this project's examples; each
#: is stored as its place here. Names may be added at the end and never moved.
_NAMES = (
    "age", "avatar", "birthday", "city", "company", "company_size", "country", "created_at",
    "createdAt", "currency", "description", "email", "employees", "first_name", "firstName",
    "gender", "id", "income", "industry", "interests", "language", "last_name", "lastName",
    "lifestyle", "locale", "logins", "loyalty_tier", "marital_status", "name", "newsletter",
    "occupation", "phone", "plan", "postal_code", "region", "role", "segment", "state",
    "timezone", "title", "username", "values", "website",
)  # fmt: skip
_PLACES = {name: place for place, name in enumerate(_NAMES)}


class Extra:
    """Traits, memberships as segment → entered ms, and the memory of the definitions' conditions.

    Parameters
    ----------
    due_ms
        When to evaluate next though nothing happens, epoch ms; 0: never.
    taken
        Transfers of merged customers that were here.
    asked
        Short digests of the ids that the customer's events named as its earlier ones.
    """

    __slots__ = (
        "_base_ms",
        "_packed",
        "_traits",
        "asked",
        "due_ms",
        "memberships",
        "memory",
        "taken",
    )

    def __init__(
        self,
        traits: Traits | None = None,
        memberships: dict[str, int] | None = None,
        memory: dict[str, Any] | None = None,
        due_ms: int = 0,
        taken: Taken = (),
        asked: list[int] | None = None,
    ) -> None:
        # Either of the two: most customers' traits are stored again as they were read.
        self._traits: Traits | None = {} if traits is None else traits
        self._packed, self._base_ms = msgspec.Raw(), 0
        self.memberships = {} if memberships is None else memberships
        self.memory = {} if memory is None else memory
        self.due_ms, self.taken = due_ms, taken
        self.asked = [] if asked is None else asked

    @property
    def traits(self) -> Mapping[str, tuple[Any, int]]:
        """Trait → value and epoch ms when it was set; to be changed by `changing_traits` alone."""
        if self._traits is None:
            return _unpack_traits(self._packed, self._base_ms)
        return self._traits

    def changing_traits(self) -> Traits:
        """The traits, for who changes them."""
        if self._traits is None:
            self._traits = _unpack_traits(self._packed, self._base_ms)
            self._packed = msgspec.Raw()
        return self._traits

    def to_bytes(self, base_ms: int) -> bytes:
        """Stored form; parts at the end that are empty are left out.

        Parameters
        ----------
        base_ms
            What the traits' moments are stored as differences from, in fewer bytes: epoch ms.
        """
        if self._traits is None and base_ms != self._base_ms:
            again = _encode(_pack_traits(self.traits, base_ms))
            self._packed, self._base_ms = msgspec.Raw(again), base_ms
        parts: list[Any] = [
            self._packed if self._traits is None else _pack_traits(self._traits, base_ms),
            self.memberships,
            self.memory,
            self.due_ms,
            self.taken,
            self.asked,
        ]
        while len(parts) > 1 and not parts[-1]:
            parts.pop()
        return _encode(parts)

    @classmethod
    def from_bytes(cls, stored: bytes, base_ms: int) -> "Extra":
        """What `to_bytes` wrote with the same base; the traits are read when they are asked for.

        Raises
        ------
        msgspec.MsgspecError
            If it is something else.
        """
        found = _decode(stored)
        extra = cls(None, found.memberships, found.memory, found.due_ms, found.taken, found.asked)
        extra._traits, extra._packed, extra._base_ms = None, found.traits, base_ms
        return extra


class _Stored(msgspec.Struct, array_like=True):
    traits: msgspec.Raw
    memberships: dict[str, int] = {}
    memory: dict[str, Any] = {}
    due_ms: int = 0
    taken: Taken = ()
    asked: list[int] = []


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_traits = msgspec.msgpack.Decoder(list[int | dict[str | int, Any]]).decode


def _pack_traits(traits: Mapping[str, tuple[Any, int]], base_ms: int) -> list[Any]:
    """Ms from the base, and what was set then by name or place, in turn; in the traits' order."""
    packed: list[Any] = []
    latest: int | None = None
    together: dict[str | int, Any] = {}
    for name, (value, at_ms) in traits.items():
        if at_ms != latest:
            latest, together = at_ms, {}
            packed += (at_ms - base_ms, together)
        together[_PLACES.get(name, name)] = value
    return packed


def _unpack_traits(packed: msgspec.Raw, base_ms: int) -> Traits:
    found: Sequence[Any] = _decode_traits(packed)
    traits: Traits = {}
    for after_ms, together in zip(found[::2], found[1::2], strict=True):
        at_ms = base_ms + after_ms
        # From whatever moment of this range it is stored, the difference is one that can be.
        if not 0 <= at_ms < 1 << 63:
            raise ValueError(f"traits were set at {at_ms}, expected 63 bits of epoch ms")
        for name, value in together.items():
            traits[name if isinstance(name, str) else _NAMES[name]] = value, at_ms
    return traits
