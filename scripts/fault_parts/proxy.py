"""A TCP proxy on loopback that can be slow, silent or closed: the network between two servers."""

import asyncio
import itertools
import random
import socket
import struct
from collections.abc import Awaitable
from typing import Any

_CHUNK_BYTES = 65_536
#: Linger for no time: closing resets.
_RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Forwards connections to `upstream`, a port of 127.0.0.1 that may be changed at any time.

    Attributes
    ----------
    mode
        `open`; `hang`: bytes wait until it is open again; `half`: so for every second connection;
        `closed`: connections are reset and none is accepted.
    delay_seconds
        Each chunk of bytes waits so long, between zero and twice that.
    """

    def __init__(self, upstream: int, loop: asyncio.AbstractEventLoop) -> None:
        self.upstream = upstream
        self.port = 0
        self.mode = "open"
        self.delay_seconds = 0.0
        self._loop = loop
        self._numbers = itertools.count()
        self._draw = random.Random(1)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    def start(self) -> None:
        """Listen on a free port; from another thread than the loop's."""
        self._call(self._listen())

    def stop(self) -> None:
        """Close everything."""
        self._call(self._close())

    def set(self, mode: str, delay_seconds: float = 0.0) -> None:
        """Change the weather; `closed` also resets what is open."""
        self.mode, self.delay_seconds = mode, delay_seconds
        if mode == "closed":
            self._call(self._reset())

    def _call(self, work: Awaitable[None]) -> None:
        async def run() -> None:
            await work

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reset(self) -> None:
        for writer in list(self._writers):
            connection = writer.get_extra_info("socket")
            if connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        number = next(self._numbers)
        self._writers.add(writer)
        try:
            await self._pass(number)
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        pumps = [
            asyncio.create_task(self._pump(reader, back, number)),
            asyncio.create_task(self._pump(there, writer, number)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, back):
                end.close()
                self._writers.discard(end)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        try:
            while data := await reader.read(_CHUNK_BYTES):
                if self.mode != "open" or self.delay_seconds:
                    await self._pass(number)
                writer.write(data)
                await writer.drain()
        except OSError:
            writer.transport.abort()

    async def _pass(self, number: int) -> None:
        if self.delay_seconds:
            await asyncio.sleep(self._draw.uniform(0, 2 * self.delay_seconds))
        while self.mode == "hang" or (self.mode == "half" and number % 2):
            await asyncio.sleep(0.05)
        if self.mode == "closed":
            raise ConnectionResetError("the network is cut")
