"""Whatever clients send, the listener's memory grows by less than 64 MiB, and an honest client is served meanwhile.

The listener runs in its own process with a spool that forgets, so that only what it holds itself is measured. Each test
is a crowd of clients; `peak` is the largest resident set of the process from before the crowd to its end.
"""

import contextlib
import multiprocessing
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from tests.support.forgetful_listener import serve

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALLOWED_GROWTH = 64 * 1024 * 1024
MEGABYTE = 1024 * 1024
GREETED = b"EHLO x\r\nMAIL FROM:<app@example.com>\r\n"
TO_DATA = GREETED + b"RCPT TO:<joe@example.net>\r\nDATA\r\n"


class Listening:
    """A listener in its own process."""

    def __init__(self, **limits: int) -> None:
        mine, theirs = multiprocessing.get_context("spawn").Pipe()
        self._control: Connection = mine
        self._process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, limits))
        self._process.start()
        assert mine.poll(30), "the listener did not start"
        self.port: int = mine.recv()
        honest(self.port)
        self._base = self.resident()
        self._peak = 0

    def resident(self) -> int:
        """The resident set now, in octets."""
        fields = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        return int(fields[1]) * resource.getpagesize()

    def growth(self) -> int:
        """The growth since the start; the largest that was asked for so far."""
        self._peak = max(self._peak, self.resident() - self._base)
        return self._peak

    def stop(self) -> dict[str, Any]:
        """End the process; what it counted."""
        self._control.send("stop")
        assert self._control.poll(30), "the listener did not stop"
        counted: dict[str, Any] = self._control.recv()
        self._process.join(10)
        assert self._process.exitcode == 0
        return counted


@pytest.fixture
def listening() -> Iterator[Callable[..., Listening]]:
    """Start listeners with limits of the test's own."""
    started: list[Listening] = []

    def start(**limits: int) -> Listening:
        started.append(Listening(**limits))
        return started[-1]

    yield start
    for one in started:
        if one._process.is_alive():
            one._process.terminate()
            one._process.join(10)


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))


def honest(port: int) -> float:
    """Send one mail as an honest client does, from an address of its own; the seconds it took."""
    began = time.monotonic()
    with connect(port, "127.0.0.3") as client, client.makefile("rb") as replies:
        for text, code in (
            (b"", b"220"),
            (b"HELO honest\r\n", b"250"),
            (b"MAIL FROM:<app@example.com>\r\n", b"250"),
            (b"RCPT TO:<joe@example.net>\r\n", b"250"),
            (b"DATA\r\n", b"354"),
            (b"From: app@example.com\r\n\r\nhello\r\n.\r\n", b"250"),
            (b"QUIT\r\n", b"221"),
        ):
            client.sendall(text)
            assert replies.readline()[:3] == code
    return time.monotonic() - began


def pour(client: socket.socket, octets: bytes, total: int) -> None:
    """Send the same octets until the total is reached or the server hangs up."""
    with contextlib.suppress(OSError):
        for _ in range(total // len(octets)):
            client.sendall(octets)


def attack(one: Listening, opening: bytes, octets: bytes, total: int) -> None:
    with connect(one.port) as client:
        client.sendall(opening)
        pouring = threading.Thread(target=pour, args=(client, octets, total))
        pouring.start()
        while pouring.is_alive():
            assert honest(one.port) < 5
            assert one.growth() < ALLOWED_GROWTH
            pouring.join(0.05)
    assert one.growth() < ALLOWED_GROWTH


def test_one_endless_command_line(listening: Callable[..., Listening]) -> None:
    attack(listening(), b"", b"x" * MEGABYTE, 200 * MEGABYTE)


def test_one_endless_body_line(listening: Callable[..., Listening]) -> None:
    attack(listening(), TO_DATA + b"From: a@example.com\r\n\r\n", b"x" * MEGABYTE, 200 * MEGABYTE)


def test_one_endless_header(listening: Callable[..., Listening]) -> None:
    attack(listening(), TO_DATA, b"X-Filler: " + b"x" * 60 + b"\r\n" + b" y\r\n" * 10_000, 200 * MEGABYTE)


def test_one_endless_header_line(listening: Callable[..., Listening]) -> None:
    attack(listening(), TO_DATA + b"Subject: ", b"x" * MEGABYTE, 200 * MEGABYTE)


def test_commands_whose_replies_nobody_reads(listening: Callable[..., Listening]) -> None:
    one = listening()
    clients = [connect(one.port) for _ in range(40)]
    try:
        for client in clients:
            client.settimeout(0.05)
            pour(client, b"EHLO x\r\n" * 10_000, 4 * MEGABYTE)
        assert honest(one.port) < 5
        assert one.growth() < ALLOWED_GROWTH
    finally:
        for client in clients:
            client.close()


def test_a_hundred_thousand_recipients(listening: Callable[..., Listening]) -> None:
    one = listening()
    with connect(one.port) as client:
        client.sendall(GREETED)
        reading = threading.Thread(target=_read_to_end, args=(client,))
        reading.start()
        for number in range(0, 100_000, 500):
            client.sendall(b"".join(b"RCPT TO:<user%d@example.net>\r\n" % (number + i) for i in range(500)))
        assert honest(one.port) < 5
        client.sendall(b"QUIT\r\n")
        reading.join(60)
    assert one.growth() < ALLOWED_GROWTH
    counted = one.stop()
    assert counted["refused"]["452 4.5.3"] == 100_000 - 100


def _read_to_end(client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while client.recv(65536):
            pass


def test_a_thousand_slow_clients(listening: Callable[..., Listening]) -> None:
    """A third each says nothing more, is within a header, is within a body; all go on octet by octet."""
    one = listening(connections=1100, connectionsPerClient=1100)
    openings = (
        b"EHLO slow",
        TO_DATA + b"X: " + b"x" * 30_000,
        TO_DATA + b"From: a@example.com\r\n\r\n" + b"x" * 30_000,
    )
    clients = []
    try:
        for number in range(1000):
            clients.append(connect(one.port))
            clients[-1].sendall(openings[number % 3])
        for _ in range(3):
            for client in clients:
                client.sendall(b"x")
            assert honest(one.port) < 5
            assert one.growth() < ALLOWED_GROWTH
    finally:
        for client in clients:
            client.close()


def test_a_flood_of_connections(listening: Callable[..., Listening]) -> None:
    """Connections come as fast as they can from one client; it has its share, and others have theirs."""
    one = listening()
    held: list[socket.socket] = []
    refused = 0
    try:
        for _ in range(3000):
            client = connect(one.port)
            if _greeting(client).startswith(b"421 4.7.0 "):
                refused += 1
                client.close()
            else:
                held.append(client)
        assert honest(one.port) < 5
        assert len(held) == 50
        assert refused == 2950
        assert one.growth() < ALLOWED_GROWTH
    finally:
        for client in held:
            client.close()


def _greeting(client: socket.socket) -> bytes:
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        assert selector.select(10)
    return client.recv(200)


def test_a_flood_of_half_messages(listening: Callable[..., Listening]) -> None:
    """Connections that are dropped within a message leave nothing behind."""
    one = listening()
    for _ in range(1500):
        with connect(one.port) as client:
            client.sendall(TO_DATA + b"From: a@example.com\r\n\r\n" + b"x" * 10_000)
    assert honest(one.port) < 5
    assert one.growth() < ALLOWED_GROWTH
    counted = one.stop()
    assert counted["sessions_open"] == 0
