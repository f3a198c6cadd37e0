"""Requests to a collector over a few connections, each sent when the last one was answered.

python -m scripts.benches.collect_load HOST:PORT KEY BATCH CONNECTIONS SECONDS
Prints JSON: requests, events, seconds, its own CPU, and percentiles of the time to the answer.
"""

import asyncio
import base64
import json
import sys
import time
from itertools import count

_NUMBER = b"8c1d3e40-7a21-4d0e-9b1a-%012d"
_CALL = (
    b'{"type":"track","userId":"customer-%07d","messageId":"' + _NUMBER + b'",'
    b'"event":"Product Viewed","timestamp":"2026-11-22T00:24:27.123Z",'
    b'"properties":{"product_id":"p-7","category":"shoes","price":12.5},'
    b'"context":{"library":{"name":"analytics-node","version":"3.1.0"}}}'
)
_CUSTOMERS = 20_000


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, key: str, batch: int, numbers: "count[int]") -> None:
        basic = base64.b64encode(f"{key}:".encode())
        path = b"/v1/batch" if batch > 1 else b"/v1/track"
        body = self._body(batch, [0] * batch)
        self._head = (
            b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Authorization: Basic %s\r\nContent-Length: %d\r\n\r\n" % (path, basic, len(body))
        )
        self._batch = batch
        self._numbers = numbers
        self._received = b""
        self._sent_s = 0.0
        self.seconds: list[float] = []
        self.wrong = 0
        self.stopping = False
        self.stopped = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._received.endswith(b"}"):
            return
        self.seconds.append(time.perf_counter() - self._sent_s)
        if not self._received.startswith(b"HTTP/1.1 200"):
            self.wrong += 1
        self._received = b""
        if self.stopping:
            self._transport.close()
            self.stopped.set_result(None)
        else:
            self._next()

    def _next(self) -> None:
        numbers = [next(self._numbers) for _ in range(self._batch)]
        self._sent_s = time.perf_counter()
        self._transport.write(self._head + self._body(self._batch, numbers))  # type: ignore[attr-defined]

    @staticmethod
    def _body(batch: int, numbers: list[int]) -> bytes:
        calls = [_CALL % (number % _CUSTOMERS, number) for number in numbers]
        if batch == 1:
            return calls[0]
        return b'{"sentAt":"2026-11-22T00:24:27.223Z","batch":[%s]}' % b",".join(calls)


async def run(address: str, key: str, batch: int, connections: int, seconds: float) -> dict:
    """Figures of one run."""
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    numbers = count(time.time_ns() % 10**11)
    clients: list[Client] = []
    begun, cpu_begun = time.perf_counter(), time.process_time()
    for _ in range(connections):
        _, client = await loop.create_connection(
            lambda: Client(key, batch, numbers), host, int(port)
        )
        clients.append(client)
    await asyncio.sleep(seconds)
    for client in clients:
        client.stopping = True
    await asyncio.wait_for(asyncio.gather(*(client.stopped for client in clients)), 30)
    lasted = time.perf_counter() - begun
    waits = sorted(wait for client in clients for wait in client.seconds)
    return {
        "requests": len(waits),
        "events": len(waits) * batch,
        "wrong": sum(client.wrong for client in clients),
        "seconds": lasted,
        "cpu_seconds": time.process_time() - cpu_begun,
        "p50_ms": 1000 * waits[len(waits) // 2],
        "p99_ms": 1000 * waits[len(waits) * 99 // 100],
    }


if __name__ == "__main__":
    where, write_key, size, many, lasting = sys.argv[1:]
    print(json.dumps(asyncio.run(run(where, write_key, int(size), int(many), float(lasting)))))
