"""Merges in a batch: what is sent because of them, and what becomes of the ids in a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import xxhash

from stream.customer import UNASSIGNED, stored_link
from stream.decoding import Decoded
from stream.defined import Defined
from stream.membership import Change, cluster_segment
from stream.merging import (
    MAX_ASKED,
    Kept,
    Request,
    Transfer,
    hand_over,
    is_id,
    next_hop,
    packed,
    take_in,
    unlinked,
    wanted,
)
from stream.outbox import Message
from stream.packing import id_number
from stream.segmenter import Rules, Samples, Segmenter, review
from stream.store.marks import digest_of
from stream.store.write import Linked, Write
from stream.topics import PROFILES, partition_of
from stream.writing import memberships

_encode = msgspec.json.Encoder().encode
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass
class Merges:
    """The merges of one partition's batches.

    Parameters
    ----------
    partitions
        How many there are.

    Attributes
    ----------
    away
        What must be in Kafka before the batches count as applied.
    samples
        What to learn from.
    """

    segmenter: Segmenter
    partitions: int

    def __post_init__(self) -> None:
        self.away: list[Message] = []
        self.samples: Samples = []
        self._links: dict[str, Linked | None] = {}

    # -- before the events are folded in ------------------------------------------------------

    def follow(self, decoded: Decoded, records: Sequence[Any]) -> None:
        """Take out the events of ids that are links: they go on to where those lead.

        Every customer of them must be in the table.
        """
        links = self.segmenter.table.links
        if links and any(event.customer_id in links for event in decoded.events):
            self._follow(decoded, {record.offset: record for record in records})
        if decoded.topic == PROFILES:
            for event in decoded.events:
                if event.previous_id is not None or event.anonymous_id is not None:
                    self._ask(event)

    def _follow(self, decoded: Decoded, records: Mapping[int, Any]) -> None:
        links, kept = self.segmenter.table.links, []
        for event, offset in zip(decoded.events, decoded.offsets, strict=True):
            name = event.customer_id
            link = links.get(name)
            if link is None:
                kept.append((event, offset))
            elif id_number(event.event_id) in link.ids:
                decoded.repeated += 1
            else:
                fields = _raw(records[offset].value)
                path = _path(fields)
                goes_to = next_hop(name, self._kept(name), path)
                if goes_to is None:
                    self._end(name)
                    kept.append((event, offset))
                    continue
                new = {"customer_id": goes_to, "via": [*path, name]}
                self._send(decoded.topic, goes_to, {**fields, **new})
                decoded.followed += 1
        decoded.events, decoded.offsets = [event for event, _ in kept], [at for _, at in kept]

    def _ask(self, event: Any) -> None:
        """Ask the owners of a customer's earlier ids for what they have, once each."""
        table = self.segmenter.table
        for request in wanted(event.customer_id, event):
            extra = table.extra_of(event.customer_id)
            mark = xxhash.xxh32_intdigest(request.source.encode())
            if mark not in extra.asked:
                extra.asked = [*extra.asked, mark][-MAX_ASKED:]
                self._send_request(request, event.timestamp)

    # -- afterwards ---------------------------------------------------------------------------

    def settle(self, parts: Sequence[Decoded], write: Write, rules: Rules) -> None:
        """Merge what came, then hand over what was asked for; all of it goes into the write."""
        messages = [merge for part in parts for merge in part.merges]
        if not messages and not self._links:
            return
        taken: dict[str, None] = {}
        for message, at_ms, _ in messages:
            if isinstance(message, Transfer):
                self._take_in(message, at_ms, rules.defined, taken, write)
        if taken:
            self._judge(list(taken), write, rules)
        for message, at_ms, offset in messages:
            if isinstance(message, Request):
                self._hand_over(message, at_ms, offset, write, rules)
        table = self.segmenter.table
        for name, linked in self._links.items():
            if linked is None:
                row = np.array([table.index[name]])
                linked = Linked(name, "", table.dump(row)[0])
            write.links.append(linked)

    def _take_in(
        self,
        transfer: Transfer,
        at_ms: int,
        defined: Defined | None,
        taken: dict[str, None],
        write: Write,
    ) -> None:
        name = transfer.target
        before = self._kept(name)
        keepers = defined.definitions.keepers if defined is not None else {}
        after, on = take_in(before, transfer, keepers)
        if on is not None:
            self._send(PROFILES, on.target, _transfer(on, at_ms))
        if after is before:
            _add(write, "merge_repeats")
        elif after.link is not None:
            link = msgspec.structs.replace(after.link, taken=after.taken)
            self.segmenter.table.links[name] = link
            self._relink(name)
        else:
            if before.link is not None:
                self._end(name)
            self._put(name, after)
            taken[name] = None
            _add(write, "merged")

    def _judge(self, names: list[str], write: Write, rules: Rules) -> None:
        """Write merged customers, after all that was said of them before."""
        (more,), samples = review([(self.segmenter, names)], rules, "merge", everybody=True)
        self.samples += samples
        write.groups += more.groups
        write.memberships += more.memberships
        write.changes += more.changes
        write.due += more.due
        write.categories += more.categories

    def _hand_over(
        self, request: Request, at_ms: int, offset: int, write: Write, rules: Rules
    ) -> None:
        segmenter, name = self.segmenter, request.source
        event_id = f"moved:{digest_of(name)}:{segmenter.partition}@{offset}"
        before = self._kept(name)
        after, sent = hand_over(before, request, xxhash.xxh3_64_intdigest(event_id.encode()))
        if isinstance(sent, Request):
            self._send_request(sent, at_ms)
        if after is before or after.link is None:
            return
        self._leave(name, request.target, write, rules)
        segmenter.table.put(name, stored_link(after.link))
        self._relink(name)
        _add(write, "handed_over")
        if isinstance(sent, Transfer):
            record = _encode(_transfer(msgspec.structs.replace(sent, event_id=event_id), at_ms))
            link = after.link
            self._links[name] = Linked(name, link.to, stored_link(link), event_id, record)

    def _leave(self, name: str, target: str, write: Write, rules: Rules) -> None:
        """The old id's memberships end."""
        table = self.segmenter.table
        row, extra = table.index[name], table.extra.get(table.index[name])
        cluster, version = int(table.rows["cluster"][row]), int(table.rows["version"][row])
        at_ms, reason = self.segmenter.now_ms(rules), f"merged into {target}"

        def left(segment: str) -> Change:
            return Change(name, segment, "left", at_ms, "merge", reason, version, evidence=version)

        gone = [left(segment) for segment in extra.memberships] if extra else []
        defined = rules.defined
        shown = set(defined.published(extra)) if defined else {change.segment for change in gone}
        if cluster != UNASSIGNED:
            gone.append(left(cluster_segment(cluster)))
            shown.add(cluster_segment(cluster))
        write.memberships += memberships(gone)
        write.changes += [change.encoded() for change in gone if change.segment in shown]
        write.due += (name, "")

    # -- ids in the table ---------------------------------------------------------------------

    def _kept(self, name: str) -> Kept:
        table = self.segmenter.table
        link, row = table.links.get(name), table.index[name]
        if link is not None:
            return Kept(None, link.taken, link)
        extra = table.extra.get(row)
        if extra is None and not table.rows["version"][row]:
            return Kept()
        return Kept(table.dump(np.array([row]))[0], extra.taken if extra else ())

    def _put(self, name: str, kept: Kept) -> None:
        segmenter, table = self.segmenter, self.segmenter.table
        table.put(name, kept.stored)
        table.extra_of(name).taken = kept.taken
        last_seen_ms = int(table.rows["last_seen_ms"][table.index[name]])
        segmenter.newest_ms = max(segmenter.newest_ms, last_seen_ms)

    def _end(self, name: str) -> None:
        """The link ends; what is stored in its place is what it comes to until the write."""
        self._put(name, unlinked(self._kept(name)))
        self._links[name] = None

    def _relink(self, name: str) -> None:
        link = self.segmenter.table.links[name]
        self._links[name] = Linked(name, link.to, stored_link(link))

    # -- what is sent -------------------------------------------------------------------------

    def _send(self, topic: str, customer_id: str, fields: Mapping[str, Any]) -> None:
        key = customer_id.encode()
        partition = partition_of(customer_id, self.partitions)
        self.away.append(Message(topic, partition, key, _encode(fields)))

    def _send_request(self, request: Request, at_ms: int) -> None:
        number = digest_of(f"{request.source}\0{request.target}")
        fields = {
            "event_id": f"merge:{number}",
            "customer_id": request.source,
            "timestamp": at_ms,
            "traits": {},
            "merge_into": request.target,
            "via": request.path,
        }
        self._send(PROFILES, request.source, fields)


def _transfer(transfer: Transfer, at_ms: int) -> dict[str, Any]:
    return {
        "event_id": transfer.event_id,
        "customer_id": transfer.target,
        "timestamp": at_ms,
        "traits": {},
        "merged_state": packed(transfer.state),
        "via": transfer.path,
    }


def _path(fields: Mapping[str, msgspec.Raw]) -> list[str]:
    """The ids that an event came through, as the last worker wrote it."""
    path = msgspec.json.decode(fields["via"]) if "via" in fields else []
    return [name for name in path if is_id(name)] if isinstance(path, list) else []


def _add(write: Write, counter: str) -> None:
    write.counters[counter] = write.counters.get(counter, 0) + 1
