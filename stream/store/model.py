"""The model in Redis: the trainer's own state, and the snapshot that workers score with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.commands.core import AsyncScript

from models.errors import InvalidSnapshot
from models.snapshot import Snapshot
from stream.errors import StoreError
from stream.membership import cluster_segment
from stream.store import keys
from stream.store.scripts import script
from stream.store.store import Store

#: Entries kept in `agos:model:alerts`, about.
ALERTS_KEPT = 1_000
_PREFIX = cluster_segment(0).removesuffix("0")


@dataclass(frozen=True, slots=True)
class TrainerPosition:
    """What Redis has of the trainer. `offset` is None before the first write."""

    offset: int | None
    topic_id: str
    writer: str
    state: bytes | None


@dataclass(frozen=True, slots=True)
class Learned:
    """What a tick brought.

    Attributes
    ----------
    next_id
        The first id never used.
    snapshot
        To be published, None if the one in force stays.
    gone
        Segments that nobody is in any more, to be dropped from `agos:segments`.
    alerts
        Fields of each new entry of `agos:model:alerts`.
    league
        JSON of how the clusterers do; empty if nothing is new.
    """

    next_id: int
    snapshot: Snapshot | None = None
    gone: Sequence[str] = ()
    alerts: Sequence[Mapping[str, str]] = ()
    league: str = ""


class ModelStore:
    """Reads and writes of everything that is learned."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._train = AsyncScript(store.redis, script("train"))

    async def trainer(self) -> TrainerPosition:
        """Where the trainer stands."""
        names = ("offset", "id", "writer", "state")
        offset, topic_id, writer, state = await self._store.wait_out(
            lambda: self._store.redis.hmget(keys.TRAINER, names)
        )
        return TrainerPosition(
            int(offset) if offset else None,
            (topic_id or b"").decode(),
            (writer or b"").decode(),
            state,
        )

    async def save(self, before: TrainerPosition, after: TrainerPosition, learned: Learned) -> bool:
        """Store the trainer and what it has learned; False if another trainer did."""
        snapshot = learned.snapshot
        fields = {"publication": after.writer, **_model_fields(snapshot)} if snapshot else {}
        described = _segments(snapshot) if snapshot else {}
        args: list[Any] = [
            "" if before.offset is None else before.offset,
            after.offset,
            before.writer,
            after.writer,
            after.state,
            after.topic_id,
            learned.next_id,
            learned.league,
            ALERTS_KEPT,
        ]
        for mapping in (fields, described):
            args.append(len(mapping))
            for pair in mapping.items():
                args += pair
        args += [len(learned.gone), *learned.gone, len(learned.alerts)]
        for alert in learned.alerts:
            args.append(2 * len(alert))
            for pair in alert.items():
                args += pair
        names = [keys.TRAINER, keys.MODEL, keys.SEGMENTS, keys.LEAGUE, keys.ALERTS]
        done, _, writer = await self._store.wait_out(lambda: self._train(names, args))
        return bool(done) or writer == after.writer.encode()

    async def wanted(self) -> str:
        """Name of the clusterer that somebody asked for, empty for none."""
        name = await self._store.wait_out(lambda: self._store.redis.get(keys.WANTED))
        return name.decode() if name else ""

    async def forgotten(self, digests: Sequence[str]) -> list[bool]:
        """Which of the customers, told by `marks.digest_of`, were forgotten."""
        if not digests:
            return []
        found = await self._store.wait_out(
            lambda: self._store.redis.hmget(keys.FORGOTTEN, list(digests))
        )
        return [until is not None for until in found]

    async def next_id(self) -> int:
        """The first id that no discovered segment in this Redis has had."""
        mark = await self._store.wait_out(lambda: self._store.redis.hget(keys.MODEL, "next_id"))
        known = await self._store.wait_out(lambda: self._store.redis.hkeys(keys.SEGMENTS))
        used = (name.decode().removeprefix(_PREFIX) for name in known)
        return max([int(mark or 1), *(int(i) + 1 for i in used if i.isdecimal())])

    async def snapshot(self, known: str) -> tuple[str, Snapshot | None]:
        """Token of the published snapshot, and the snapshot if its token is not `known`.

        Raises
        ------
        StoreError
            If it cannot be read.
        """
        raw = await self._store.wait_out(lambda: self._store.redis.hget(keys.MODEL, "publication"))
        token = raw.decode() if raw else ""
        if token in ("", known):
            return token, None
        token, text = await self._store.wait_out(
            lambda: self._store.redis.hmget(keys.MODEL, ("publication", "snapshot"))
        )
        if text is None:
            return "", None
        try:
            return token.decode(), Snapshot.from_json(text)
        except InvalidSnapshot as error:
            raise StoreError(f"{keys.MODEL}: {error}") from None

    async def empty_retired(self, snapshot: Snapshot) -> list[str]:
        """Discovered segments that are no longer in the model and have no members left."""
        known: dict[bytes, bytes] = await self._store.wait_out(
            lambda: self._store.redis.hgetall(keys.SEGMENTS)
        )
        current = {cluster_segment(segment.id) for segment in snapshot.segments}
        empty = []
        for name, text in known.items():
            segment = name.decode()
            if json.loads(text).get("origin") == "discovered" and segment not in current:
                members = partial(self._store.redis.zcard, keys.members(segment))
                if not await self._store.wait_out(members):
                    empty.append(segment)
        return empty


def _model_fields(snapshot: Snapshot) -> Mapping[str, Any]:
    ids = [cluster_segment(segment.id) for segment in snapshot.segments]
    return {
        "version": snapshot.version,
        "trained_on": snapshot.trained_on,
        "features": json.dumps(snapshot.features),
        "centroids": json.dumps(
            {name: list(s.centroid) for name, s in zip(ids, snapshot.segments, strict=True)}
        ),
        "names": json.dumps({n: s.name for n, s in zip(ids, snapshot.segments, strict=True)}),
        "snapshot": snapshot.to_json(),
    }


def _segments(snapshot: Snapshot) -> Mapping[str, str]:
    return {
        cluster_segment(segment.id): json.dumps(
            {
                "name": segment.name,
                "kind": "discovered",
                "origin": "discovered",
                "description": segment.sentence,
                "explanation": [list(effect) for effect in segment.effects],
                "share": round(segment.weight, 4),
                "parents": [cluster_segment(parent) for parent in segment.parents],
            },
            ensure_ascii=False,
        )
        for segment in snapshot.segments
    }
