"""One attempt to hand a change to an HTTP receiver: signed, and bounded in time."""

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from stream.errors import AgosError

#: For a connection, and again for the answer.
_TIMEOUT_SECONDS = 10.0


class Undeliverable(AgosError):
    """The receiver did not answer with 2xx."""


def signature(secret: str, at_seconds: int, body: bytes) -> str:
    """`t=…,v1=…`: HMAC-SHA-256 of `t`, a dot and the body."""
    signed = b"%d.%b" % (at_seconds, body)
    return f"t={at_seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def post(
    url: str, secret: str, change: Mapping[str, Any], timeout_seconds: float = _TIMEOUT_SECONDS
) -> None:
    """One attempt; redirects are not followed.

    Raises
    ------
    Undeliverable
        Saying why.
    """
    body = json.dumps(change, ensure_ascii=False).encode()
    parts = urlsplit(url)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "agos",
        "Agos-Change-Id": str(change["change_id"]),
        "Agos-Signature": signature(secret, int(time.time()), body),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        with closing(_connection(parts, timeout_seconds)) as connection:
            connection.connect()
            status = _status(connection, target, body, headers, timeout_seconds)
    except (OSError, http.client.HTTPException) as error:
        raise Undeliverable(f"{type(error).__name__}: {error}") from None
    if not 200 <= status < 300:
        raise Undeliverable(f"status {status}")


def _connection(parts: SplitResult, timeout_seconds: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(
            host, parts.port, timeout=timeout_seconds, context=context
        )
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)


def _status(
    connection: http.client.HTTPConnection,
    target: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout_seconds: float,
) -> int:
    """Status of the answer. A socket's own timeout is for each byte: one that sends a byte now and
    then would hold up everything behind it."""
    late = threading.Event()

    def give_up() -> None:
        late.set()
        with suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(timeout_seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        connection.request("POST", target, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    # Headers that end in the middle count as ended.
    if late.is_set():
        raise TimeoutError(f"no answer within {timeout_seconds:g} s")
    return status
