"""Partitions of customers, and what batches of events mean for them: events in, one atomic
write per partition out. No I/O, no clock.

Small batches of several partitions are computed together: most of the time of a small one is
overhead that they share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

import msgspec
import numpy as np
from numpy.typing import NDArray

from models.panel import panel_hash
from models.snapshot import Snapshot
from stream.cohort import Cohort
from stream.columns import TABLE_BITS, Columns
from stream.conditions import Changed
from stream.customer import Table
from stream.decoding import CategoryCodes, Decoded, Joint
from stream.defined import Defined, Past, Turns, changed_by, point_of
from stream.features import vectors
from stream.folding import Folded, fold, fold_traits
from stream.membership import Cause, assign_clusters
from stream.store.write import Write
from stream.topics import PROFILES
from stream.writing import Judged, add_groups, memberships

#: Samples of one computation at most; before there is a model everybody may be one.
_MOST_SAMPLES, _MOST_FIRST_SAMPLES = 500, 100
#: Tears places apart that lie together.
_SPREAD = 2.0**24

#: Customers and their feature vectors, to be learned from.
Samples = list[tuple[str, NDArray[np.float64]]]


@dataclass(frozen=True, slots=True)
class Rules:
    """By what customers are judged, and when.

    Attributes
    ----------
    now_ms
        None where the newest event of each partition is its clock.
    wall_ms
        Stamps the writes.
    """

    now_ms: int | None
    wall_ms: int
    snapshot: Snapshot | None = None
    defined: Defined | None = None


class Segmenter:
    """Customers of one partition and where its topics stand.

    Attributes
    ----------
    table
        Customers in memory; they are what Redis has as long as `writer` wrote last.
    ends
        Topic → next offset to apply; a topic that Redis knows nothing of is missing.
    writer
        Token of the partition's last write that `table` is based on.
    newest_ms
        The newest event's time: the partition's watermark.
    generation
        Another one after somebody else has written, or may have.
    """

    def __init__(self, partition: int, cache: int) -> None:
        self.partition = partition
        self.table = Table(cache)
        self.codes = CategoryCodes()
        self.ends: dict[str, int] = {}
        self.writer = ""
        self.newest_ms = 0
        self.generation = 0

    def load(
        self, customers: Sequence[str], stored: Sequence[bytes | None], *, idle: bool = False
    ) -> None:
        """Take customers into the table as Redis has them."""
        start = len(self.table)
        self.table.load(customers, stored, idle=idle)
        self.newest_ms = max(
            self.newest_ms, int(self.table.rows["last_seen_ms"][start : len(self.table)].max())
        )

    def copy_of(self, customers: Sequence[str], stored: Sequence[bytes]) -> "Segmenter":
        """The partition with only these customers, as Redis has them; to try things out with."""
        copy = Segmenter(self.partition, len(customers))
        copy.newest_ms = self.newest_ms
        copy.load(customers, stored)
        return copy

    def distrust(self) -> None:
        """Forget everything: a write may or may not have happened. The next one will miss."""
        self.table.clear()
        self.codes.forget()
        self.writer = "unknown"

    def reset(self, ends: dict[str, int], writer: str) -> None:
        """Start again from what Redis says."""
        if writer != self.writer:
            self.generation += 1
            self.table.clear()
            self.codes.forget()
        self.ends, self.writer = dict(ends), writer

    def now_ms(self, rules: Rules) -> int:
        """The time by this partition's clock."""
        return self.newest_ms if rules.now_ms is None else rules.now_ms

    def rank(self, customers: Sequence[str], rules: Rules) -> None:
        """Let customers in the table count in the percentiles."""
        if rules.defined is not None:
            index = self.table.index
            rows = [index[name] for name in customers if name in index]
            rules.defined.rank(self.table, rows, self.now_ms(rules), self.partition)

    def blank(self, rules: Rules) -> Write:
        """A write that changes nothing yet."""
        snapshot, defined = rules.snapshot, rules.defined
        write = Write(self.partition, expected_writer=self.writer)
        write.constants = {
            "updated_at": rules.wall_ms,
            "model_version": snapshot.version if snapshot else 0,
            "definitions_version": defined.definitions.version if defined else "",
        }
        return write


@dataclass(slots=True)
class Part:
    """One topic's events of a partition; as columns, and which of them were applied."""

    decoded: Decoded
    columns: Columns = field(init=False)
    fresh: NDArray[np.bool_] = field(init=False)


@dataclass(slots=True)
class Share:
    """What one partition contributes to a computation, and gets from it."""

    segmenter: Segmenter
    write: Write
    parts: Sequence[Part] = ()
    #: The partition's watermark before its events.
    watermark_ms: int = 0
    turns: Turns = field(init=False)

    def __post_init__(self) -> None:
        self.turns = Turns(point_of(self.segmenter.ends))


def compute(
    batches: Sequence[tuple[Segmenter, Sequence[Decoded]]], rules: Rules
) -> tuple[list[Write], Samples]:
    """Fold events in and say what to write for each partition, and what to learn from.

    Every customer of the events must be in its segmenter's table; each segmenter comes once,
    each topic of it at most once.
    """
    shares = []
    for segmenter, decoded in batches:
        share = Share(segmenter, segmenter.blank(rules))
        share.parts = [Part(some) for some in decoded if some.events]
        for some in decoded:
            _count(share.write, some)
        shares.append(share)
    writes = [share.write for share in shares]
    shares = [share for share in shares if share.parts]
    if not shares:
        return writes, []
    folded = _fold(shares)
    cohort = folded.cohort
    for share, (_, part) in zip(shares, cohort.parts(), strict=True):
        _observe(share, cohort.rows[part], folded.new[part], rules)
    x = vectors(cohort.state, _clock(cohort, [share.segmenter for share in shares], rules))
    at_ms = cohort.state["last_seen_ms"].astype(np.int64)
    clusters = assign_clusters(cohort, x, rules.snapshot, at_ms, "event")
    sources = _sources(shares, folded.last)
    judged = Judged(cohort, clusters, folded.older, folded.paid, sources)
    _finish(shares, judged, rules, "event")
    return writes, _samples(cohort, x, rules.snapshot)


def review(
    customers: Sequence[tuple[Segmenter, Sequence[str]]],
    rules: Rules,
    cause: Cause,
    past: Past | None = None,
    *,
    everybody: bool = False,
) -> tuple[list[Write], Samples]:
    """Evaluate customers without an event; only those of whom something changes are written.

    Idle customers are samples too: a panel that only hears of active ones does not know
    what a customer looks like who stays away. `past`: what their memories lack, if it is known.
    `everybody`: write them whether anything changes or not.
    """
    shares = [Share(segmenter, segmenter.blank(rules)) for segmenter, _ in customers]
    seen = _look(shares, customers, rules, past)
    cohort, changing = seen.cohort, seen.changing
    if everybody:
        changing[:] = True
    if changing.any():
        some = Cohort.gather(cohort.tables, seen.keys[changing])
        some.state["version"] += 1
        some.scatter()
        at_ms = np.broadcast_to(seen.now_ms, len(cohort))[changing]
        clusters = assign_clusters(some, seen.x[changing], rules.snapshot, at_ms, cause)
        judged = Judged(some, clusters, np.ones(len(some), bool), np.zeros(len(some), bool), None)
        _finish(shares, judged, rules, cause)
    return [share.write for share in shares], _samples(cohort, seen.x, rules.snapshot)


def outdated(copy: Segmenter, customers: Sequence[str], rules: Rules) -> tuple[list[str], Samples]:
    """Whom a review would change, and what to learn from everybody.

    The segmenter's table is spoilt by it: a copy is wanted.
    """
    seen = _look([Share(copy, copy.blank(rules))], [(copy, customers)], rules)
    names = seen.cohort.names()
    found = [names[i] for i in np.flatnonzero(seen.changing).tolist()]
    return found, _samples(seen.cohort, seen.x, rules.snapshot)


@dataclass(frozen=True, slots=True)
class _Seen:
    """Customers that were looked at: their keys, vectors, clocks, and who is to be changed."""

    cohort: Cohort
    keys: NDArray[np.int64]
    x: NDArray[np.float64]
    now_ms: int | NDArray[np.int64]
    changing: NDArray[np.bool_]


def _look(
    shares: Sequence[Share],
    customers: Sequence[tuple[Segmenter, Sequence[str]]],
    rules: Rules,
    past: Past | None = None,
) -> _Seen:
    """Compare customers with what they would be now; turns are added to the shares."""
    numbers = []
    for number, (segmenter, names) in enumerate(customers):
        index = segmenter.table.index
        numbers += sorted((number << TABLE_BITS) + index[name] for name in names)
    keys, segmenters = np.array(numbers, np.int64), [segmenter for segmenter, _ in customers]
    cohort = Cohort.gather([segmenter.table for segmenter in segmenters], keys)
    now_ms = _clock(cohort, segmenters, rules)
    x = vectors(cohort.state, now_ms)
    changing = np.zeros(len(cohort), bool)
    if rules.snapshot is not None and len(cohort):
        before = cohort.state["cluster"].astype(np.int64)
        changing = rules.snapshot.assign(x, before)[0] != before
    for share, (table, part) in zip(shares, cohort.parts(), strict=True):
        if rules.defined is not None:
            rows, now = cohort.rows[part], share.segmenter.now_ms(rules)
            turns = share.turns
            if past is not None:
                changing[part] |= np.isin(rows, rules.defined.complete(table, rows, past, turns))
            rules.defined.evaluate(table, rows.tolist(), now, Changed.NOTHING, turns)
            changing[part] |= np.isin(rows, [*turns.turns, *turns.due])
    return _Seen(cohort, keys, x, now_ms, changing)


def _fold(shares: Sequence[Share]) -> Folded:
    """Fold all events in; each part learns what became of its own."""
    joint, every = Joint(), []
    for number, share in enumerate(shares):
        segmenter = share.segmenter
        for part in share.parts:
            joint.add(part.decoded, number, segmenter.table.index, segmenter.codes)
            every.append((share, part))
    batch = joint.columns()
    folded = fold([share.segmenter.table for share in shares], batch)
    begin = 0
    for share in shares:
        share.watermark_ms = share.segmenter.newest_ms
    for share, part in every:
        events, segmenter = part.decoded.events, share.segmenter
        end = begin + len(events)
        profiles = part.decoded.topic == PROFILES
        traits = [event.traits for event in events] if profiles else None
        part.columns, part.fresh = batch.part(begin, end, traits), folded.fresh[begin:end]
        begin = end
        segmenter.newest_ms = max(segmenter.newest_ms, max(event.timestamp for event in events))
        if profiles:
            fold_traits(segmenter.table, part.columns, part.fresh)
    return folded


def _observe(share: Share, rows: NDArray[np.int64], first: NDArray[np.bool_], rules: Rules) -> None:
    """Count a share's events and let the definitions see them."""
    table = share.segmenter.table
    table.touch(rows)
    new = frozenset(rows[first].tolist()) if rules.defined is not None else frozenset()
    for part in share.parts:
        applied = int(np.count_nonzero(part.fresh))
        _add(share.write, "applied", applied)
        _add(share.write, "duplicates", len(part.fresh) - applied)
        if rules.defined is not None:
            watermark_ms = share.watermark_ms if rules.now_ms is None else None
            rules.defined.take(
                table, part.decoded, part.columns, part.fresh, new, watermark_ms, share.turns
            )


def _sources(shares: Sequence[Share], last: NDArray[np.int64]) -> list[str]:
    """The events at these positions among all, as topic-partition@offset."""
    offsets: list[int] = []
    prefixes: list[str] = []
    for share in shares:
        for part in share.parts:
            offsets += part.decoded.offsets
            place = f"{part.decoded.topic}-{share.segmenter.partition}@"
            prefixes += [place] * len(part.decoded.offsets)
    return [f"{prefixes[i]}{offsets[i]}" for i in last.tolist()]


def _clock(
    cohort: Cohort, segmenters: Sequence[Segmenter], rules: Rules
) -> int | NDArray[np.int64]:
    """The time by which each customer is judged; one number where it is the same for all."""
    if rules.now_ms is not None:
        return rules.now_ms
    sizes = [part.stop - part.start for _, part in cohort.parts()]
    return np.repeat(np.array([s.newest_ms for s in segmenters], np.int64), sizes)


def _finish(shares: Sequence[Share], judged: Judged, rules: Rules, cause: Cause) -> None:
    """Evaluate the definitions and complete the shares' writes."""
    cohort, clusters, defined = judged.cohort, judged.clusters, rules.defined
    moved = np.zeros(len(cohort), bool)
    moved[clusters.moved] = True
    judged.full |= moved
    for share, (table, part) in zip(shares, cohort.parts(), strict=True):
        write, turns = share.write, share.turns
        own = [change for i, change in clusters.changes if part.start <= i < part.stop]
        write.memberships = memberships(own)
        if defined is not None:
            rows, event = cohort.rows[part], cause == "event"
            chosen = rows if event else rows[moved[part]]
            topics = (part.decoded.topic for part in share.parts)
            flags = changed_by(topics) if event else Changed.CLUSTER
            now = share.segmenter.now_ms(rules)
            defined.evaluate(table, chosen.tolist(), now, flags, turns)
            turned = turns.changes(table, defined.definitions)
            # Definitions only see that everything is to be looked at.
            if cause == "merge":
                turned = (msgspec.structs.replace(change, cause=cause) for change in turned)
            own += turned
            judged.full[part] |= np.isin(rows, list(turns.turns))
            names = table.names
            due = ((names[row], moment or "") for row, moment in turns.due.items())
            write.due = list(chain.from_iterable(due))
            write.memberships += turns.memberships(table)
        write.changes = [change.encoded() for change in own]
        codes = share.segmenter.codes
        write.categories = list(chain.from_iterable(codes.fresh.items()))
        codes.fresh = {}
    add_groups([share.write for share in shares], judged, rules.snapshot, defined)


def _samples(cohort: Cohort, x: NDArray[np.float64], snapshot: Snapshot | None) -> Samples:
    places = cohort.panel()
    chosen = np.flatnonzero(places < (snapshot.panel_rate if snapshot else 1.0))
    if snapshot is None and len(chosen) > _MOST_FIRST_SAMPLES:
        # The lowest stay in the panel whatever its share becomes.
        chosen = chosen[np.argpartition(places[chosen], _MOST_FIRST_SAMPLES)[:_MOST_FIRST_SAMPLES]]
    elif len(chosen) > _MOST_SAMPLES:
        # Others each time: a panel of which some are never heard of again learns of no drift.
        turn = panel_hash(str(int(cohort.state["events"].sum())))
        ring = (places[chosen] * _SPREAD + turn) % 1.0
        chosen = chosen[np.argpartition(ring, _MOST_SAMPLES)[:_MOST_SAMPLES]]
    if not len(chosen):
        return []
    names = cohort.names()
    return [(names[i], x[i]) for i in chosen.tolist()]


def _add(write: Write, counter: str, number: int) -> None:
    if number:
        write.counters[counter] = write.counters.get(counter, 0) + number


def _count(write: Write, decoded: Decoded) -> None:
    _add(write, "misplaced", len(decoded.misplaced))
    _add(write, "forgotten", decoded.forgotten)
    _add(write, "duplicates", decoded.repeated)
    _add(write, "followed", decoded.followed)
    for rejected in decoded.rejected:
        _add(write, f"rejected:{rejected.reason}", 1)
