"""What is answered: small JSON, and the headers that browsers ask for."""

import json
import re
from collections.abc import Iterable
from typing import Any

from stream.collect.refusal import Refusal

Header = tuple[bytes, bytes]

_JSON = (b"content-type", b"application/json")
SUCCESS = b'{"success":true}'
#: Header names that a preflight may ask for; echoed, so they must be nothing else.
_NAMES = re.compile(rb"[A-Za-z0-9\-_, ]{0,1000}")
_DEFAULT_NAMES = b"authorization, content-type, content-encoding, anonymousid"
_PREFLIGHT_SECONDS = b"86400"


def header(scope: Any, name: bytes) -> bytes | None:
    """Value of a request's header; `name` in lower case."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value)
    return None


def cors(scope: Any, allowed: frozenset[str] | None) -> list[Header]:
    """Headers that let the page read the answer; none for a website that is not allowed."""
    origin = header(scope, b"origin")
    if origin is None:
        return []
    if allowed is not None and origin.decode("latin-1") not in allowed:
        return [(b"vary", b"Origin")]
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"Retry-After"),
        (b"vary", b"Origin"),
    ]


def preflight(scope: Any, allowed: frozenset[str] | None) -> list[Header]:
    """Headers of the answer to OPTIONS."""
    headers = cors(scope, allowed)
    if len(headers) > 1:
        names = header(scope, b"access-control-request-headers") or b""
        if not names or not _NAMES.fullmatch(names):
            names = _DEFAULT_NAMES
        headers += [
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", names),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
    return headers


async def answer(send: Any, status: int, body: bytes = b"", headers: Iterable[Header] = ()) -> None:
    """Send one whole answer."""
    own: list[Header] = [(b"content-length", str(len(body)).encode())]
    if body:
        own.append(_JSON)
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Any, refusal: Refusal, headers: Iterable[Header] = ()) -> None:
    """Answer with the refusal's status, code and message."""
    own = [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    body = json.dumps(refusal.content).encode()
    await answer(send, refusal.status, body, [*headers, *own])
