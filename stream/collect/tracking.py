"""The routes that websites send to: plain ASGI, for they are what the collector does all day."""

import base64
import binascii
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

from stream.collect.answers import SUCCESS, answer, cors, header, preflight, refuse
from stream.collect.body import read_body
from stream.collect.calls import CLOUDEVENTS, METRICS, ROUTES, Call, check_text, read_request
from stream.collect.cloudevents import read_cloudevents
from stream.collect.consent import denied
from stream.collect.gate import Gate
from stream.collect.keyring import Keyring, Source
from stream.collect.mapping import Mapper, Record
from stream.collect.refusal import Refusal, later
from stream.store.forget import ForgottenCustomers

log = logging.getLogger(__name__)

_BASIC = b"basic "
_INTERNAL = Refusal(500, "internal", "an error of the collector; the events were not taken")


class Tracking:
    """All routes of the tracking API."""

    def __init__(self, keyring: Keyring, mapper: Mapper) -> None:
        self._keyring = keyring
        self._mapper = mapper
        #: Set while the collector runs.
        self.gate: Gate | None = None
        #: Set while the collector runs with a Redis.
        self.forgotten: ForgottenCustomers | None = None
        self.counts: Counter[str] = Counter()

    @property
    def traits_left_out(self) -> int:
        """Traits that were too long or too many."""
        return self._mapper.counts["traits_left_out"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        allowed = self._keyring.origins
        if scope["method"] == "OPTIONS":
            await answer(send, 204, headers=preflight(scope, allowed))
            return
        headers = cors(scope, allowed)
        try:
            await self._take(scope, receive)
            await answer(send, 200, SUCCESS, headers)
            self.counts["200"] += 1
        except Refusal as refusal:
            self.counts[str(refusal.status)] += 1
            await refuse(send, refusal, headers)
        except Exception:
            self.counts["500"] += 1
            log.exception("a bug, please report it")
            await refuse(send, _INTERNAL, headers)

    async def _take(self, scope: Any, receive: Any) -> None:
        if scope["method"] != "POST":
            raise Refusal(405, "method_not_allowed", "expected POST", allow="POST, OPTIONS")
        received_ms = time.time_ns() // 1_000_000
        kind = kind_of(scope["path"])
        body = await read_body(receive)
        if kind is None or kind == METRICS:
            return
        gate = self.gate
        if gate is None:
            raise later("the collector is starting or stopping")
        given = key_of(scope)
        source = self._keyring.find(given, received_ms / 1000) if given else None
        check_text(body)
        if kind == CLOUDEVENTS:
            request = read_cloudevents(body, scope["headers"])
        else:
            request = read_request(kind, body)
        if source is None:
            source = self._keyring.find(request.write_key, received_ms / 1000)
        source.permit_origin(header(scope, b"origin"))
        records = self._records(request.calls, request.sent_ms, received_ms, source)
        if records:
            await gate.put(records)

    def _records(
        self, calls: Sequence[Call], sent_ms: int | None, received_ms: int, source: Source
    ) -> list[Record]:
        source.take(len(calls), received_ms / 1000)
        record, single = self._mapper.record, len(calls) == 1
        records: list[Record] = []
        for i, call in enumerate(calls):
            if source.consent and denied(call, source.consent):
                self.counts["without_consent"] += 1
                continue
            try:
                records.append(record(call, sent_ms, received_ms, source.name))
            except Refusal as refusal:
                if single:
                    raise
                message = f"batch[{i}].{refusal.message}"
                raise Refusal(refusal.status, refusal.code, message) from None
        if source.events is not None:
            source.permit([record.name for record in records])
        if self.forgotten:
            wants = self.forgotten.wants
            wanted = [r for r in records if wants(r.customer_id, r.at_ms)]
            self.counts["forgotten"] += len(records) - len(wanted)
            return wanted
        return records


def kind_of(path: str) -> str | None:
    """What a path calls; None for another path."""
    kind = ROUTES.get(path)
    if kind is None and path.endswith("/"):
        kind = ROUTES.get(path.rstrip("/"))
    return kind


def key_of(scope: Any) -> str | None:
    """The write key in header or query, None if it can only be in the body."""
    given = header(scope, b"authorization")
    if given is not None and (key := _user_of(given)):
        return key
    query: bytes = scope["query_string"]
    if query:
        fields: Mapping[str, list[str]] = parse_qs(query.decode("latin-1"))
        for name in ("writeKey", "write_key"):
            if name in fields:
                return fields[name][0]
    return None


@lru_cache(maxsize=1024)
def _user_of(authorization: bytes) -> str:
    """User of Basic authentication, empty for none."""
    if authorization[:6].lower() != _BASIC:
        return ""
    try:
        pair = base64.b64decode(authorization[6:], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return pair.partition(":")[0]
