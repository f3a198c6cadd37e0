"""A request's body: bounded, within bounded time, unpacked where it is packed."""

import asyncio
import zlib
from typing import Any

from stream.collect.refusal import Refusal, invalid, too_large

#: Of one event, as Segment has it.
MAX_EVENT_BYTES = 32 * 1024
#: Of one request after unpacking, as Segment has it.
MAX_BODY_BYTES = 500 * 1024
#: Of one batch, as Segment has it.
MAX_BATCH_EVENTS = 2_500
#: Read and thrown away of a body that is too large, so that the client hears why.
_MAX_DISCARDED_BYTES = 8 * 1024 * 1024
_READ_SECONDS = 10.0
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31


async def read_body(receive: Any) -> bytes:
    """The body, unpacked; gzip is told by its first bytes, whatever the headers say.

    Raises
    ------
    Refusal
        400 broken gzip, 408 too slow, 413 too large.
    """
    reading, late = asyncio.current_task(), False

    def end() -> None:
        nonlocal late
        late = True
        if reading is not None:
            reading.cancel()

    # A bare timer: `asyncio.timeout` costs as much as all else here.
    timer = asyncio.get_running_loop().call_later(_READ_SECONDS, end)
    try:
        packed = await _received(receive)
    except asyncio.CancelledError:
        if not late or (reading is not None and reading.uncancel()):
            raise
        raise _too_slow() from None
    finally:
        timer.cancel()
    return unpacked(packed) if packed.startswith(_GZIP_MAGIC) else packed


async def _received(receive: Any) -> bytes:
    message = await receive()
    if not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise _body_too_large()
        return body
    parts, size = [message.get("body", b"")], len(message.get("body", b""))
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "disconnected", "the body did not arrive in full")
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        elif size > _MAX_DISCARDED_BYTES:
            break
    if size > MAX_BODY_BYTES:
        raise _body_too_large()
    return b"".join(parts)


def unpacked(packed: bytes) -> bytes:
    """Content of gzip data of any number of members, never more than MAX_BODY_BYTES of it."""
    content = bytearray()
    while packed:
        unpacker = zlib.decompressobj(_GZIP_WINDOW)
        try:
            content += unpacker.decompress(packed, MAX_BODY_BYTES + 1 - len(content))
        except zlib.error:
            raise invalid("the body is no valid gzip") from None
        if len(content) > MAX_BODY_BYTES:
            raise _body_too_large()
        if not unpacker.eof:
            raise invalid("the body's gzip data ends too early")
        packed = unpacker.unused_data
    return bytes(content)


def _too_slow() -> Refusal:
    return Refusal(408, "too_slow", f"the body did not arrive within {_READ_SECONDS:g} s")


def _body_too_large() -> Refusal:
    return too_large(f"the body is larger than {MAX_BODY_BYTES} bytes (unpacked)")
