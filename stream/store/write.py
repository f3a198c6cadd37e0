"""What one batch changes, as the arguments of the atomic script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import msgpack


@dataclass(slots=True)
class Group:
    """Customers whose public records are written with the same fields.

    `values` is flat: for each customer its id, stored state, the fields' values, and the event
    that it was changed by, as topic-partition@offset (if `sourced`).
    """

    fields: Sequence[str]
    customers: int
    values: list[Any]
    sourced: bool = True


@dataclass(frozen=True, slots=True)
class Move:
    """A topic's offset goes from `start` (None: Redis knows none) to `end`."""

    topic: str
    start: int | None
    end: int
    topic_id: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """A customer that is another one from now on; written after everything else of it.

    An empty `target` is a link's end. `transfer` is a record for the target's owner, kept under
    its id until Kafka has it; empty for none.
    """

    customer: str
    target: str
    stored: bytes
    transfer_id: str = ""
    transfer: bytes = b""


@dataclass(slots=True)
class Write:
    """All that batches of one partition change. Without moves: an evaluation without events."""

    partition: int
    writer: str = ""
    expected_writer: str = ""
    moves: list[Move] = field(default_factory=list)
    constants: Mapping[str, Any] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)
    #: Customer, segment, ms entered or "" for a leaver; flat.
    memberships: list[Any] = field(default_factory=list)
    #: Fields of each change record, and the same as JSON.
    changes: list[tuple[Mapping[str, Any], bytes]] = field(default_factory=list)
    #: Customer, ms of the next evaluation or "" for none; flat.
    due: list[Any] = field(default_factory=list)
    #: Category code, name; flat.
    categories: list[Any] = field(default_factory=list)
    #: Counter → what to add; as exact as the totals, since they are written together.
    counters: dict[str, int] = field(default_factory=dict)

    links: list[Linked] = field(default_factory=list)

    def packed(self, changes_kept: int) -> bytes:
        """The script's argument for this partition: a MessagePack array, as Redis' own library
        reads it (its strings are bytes, and there is no other type for bytes).

        Redis has one value to take out of the protocol instead of ten for each customer. Its
        numbers are doubles and a fraction gets 17 digits: what is not a whole number below 2⁵³
        must be text.
        """
        args: list[Any] = [self.expected_writer, self.writer, len(self.moves)]
        for move in self.moves:
            # Compared with what Redis has, which is text.
            start = "" if move.start is None else str(move.start)
            args += [move.topic, start, move.end, move.topic_id]
        args.append(len(self.constants))
        for pair in self.constants.items():
            args += pair
        args.append(len(self.groups))
        for group in self.groups:
            args += [len(group.fields), *group.fields, group.sourced, group.customers]
            args += group.values
        args.append(len(self.memberships) // 3)
        args += self.memberships
        args += [changes_kept, len(self.changes)]
        for record, text in self.changes:
            args.append(2 * len(record))
            for pair in record.items():
                args += pair
            args.append(text)
        args.append(len(self.due) // 2)
        args += self.due
        args.append(len(self.categories) // 2)
        args += self.categories
        args.append(len(self.counters))
        for pair in self.counters.items():
            args += pair
        args.append(len(self.links))
        for link in self.links:
            args += (link.customer, link.target, link.stored, link.transfer_id, link.transfer)
        return cast(bytes, msgpack.packb(args, use_bin_type=False))
