"""The network between: open, slow, silent and closed."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from scripts.fault_parts.proxy import Proxy
from scripts.fault_parts.run import network


@pytest.fixture
def door() -> Iterator[Proxy]:
    """A proxy before a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(1000):
                    connection.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with network() as loop:
        proxy = Proxy(listener.getsockname()[1], loop)
        proxy.start()
        yield proxy
        proxy.stop()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def connect(door: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", door.port), 0.5)


def echo(connection: socket.socket, text: bytes) -> bytes:
    connection.sendall(text)
    return connection.recv(100)


def test_open_it_forwards(door: Proxy) -> None:
    with connect(door) as one:
        assert echo(one, b"hello") == b"hello"


def test_what_hangs_arrives_when_it_is_open_again(door: Proxy) -> None:
    with connect(door) as one:
        assert echo(one, b"a") == b"a"
        door.set("hang")
        with pytest.raises(TimeoutError):
            echo(one, b"b")
        door.set("open")
        assert one.recv(100) == b"b"


def test_half_cut_every_second_connection_hangs(door: Proxy) -> None:
    with connect(door) as even, connect(door) as odd:
        assert echo(even, b"a") == echo(odd, b"a") == b"a"
        door.set("half")
        answers = []
        for one in (even, odd):
            try:
                answers.append(echo(one, b"b"))
            except TimeoutError:
                answers.append(b"")
        assert sorted(answers) == [b"", b"b"]


def test_closed_it_resets_and_refuses(door: Proxy) -> None:
    with connect(door) as one:
        assert echo(one, b"a") == b"a"
        door.set("closed")
        with pytest.raises(ConnectionResetError):
            echo(one, b"b")
    with pytest.raises(OSError), connect(door) as another:
        if echo(another, b"c") == b"":
            raise ConnectionResetError
    door.set("open")
    with connect(door) as later:
        assert echo(later, b"d") == b"d"


def test_slow_it_takes_longer(door: Proxy) -> None:
    with connect(door) as one:
        one.settimeout(5)
        door.set("open", 0.1)
        begun = time.monotonic()
        for number in range(5):
            assert echo(one, b"%d" % number) == b"%d" % number
        # Ten delays, each between 0 and 0.2 s: less than 0.2 s in all has a chance below 1e-6.
        assert time.monotonic() - begun > 0.2
