"""A ledger of every 250: what was promised to clients, what arrived at upstreams, what was lost and what doubled.

Each message carries its sequence in the header `X-Ledger`, and the ledger keeps the SHA-256 of its body as it must
arrive (dot-stuffed, as it goes over the wire). `Clients` submit on several connections at once and note each 250 the
moment it is read; `arrived` reads what an upstream took. Used by the tests that kill, starve, reload and stop a relay.
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from tests.support.scripted_server import Received, ScriptedServer

_NAME = b"X-Ledger: "
_LINE = 900
SIZES = (4_096, 4_096, 4_096, 16_384, 65_536, 200_000, 1_048_576)


@dataclass
class Ledger:
    """Promises and arrivals by sequence."""

    promised: dict[str, str] = field(default_factory=dict)
    """Sequence to the digest of the body; only what was answered 250."""
    refused: dict[str, str] = field(default_factory=dict)
    """Sequence to the reply that was not 250; "" when the connection was lost."""
    arrivals: Counter[str] = field(default_factory=Counter)
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    _digests: dict[str, str] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    def message(self, size: int, sender: str = "app@example.com") -> tuple[str, bytes]:
        """Make a message of about so many octets, with dots at the beginning of lines; gives its wire form."""
        sequence = f"m{next(self._numbers):06}"
        line = b"." + hashlib.sha256(sequence.encode()).hexdigest().encode() * (_LINE // 64) + b"\r\n"
        body = b"." + line * max(1, size // len(line)) if size > 200 else b"small\r\n"
        body = body.replace(b"\r\n.", b"\r\n..")
        head = f"From: {sender}\r\nTo: b@example.net\r\nSubject: {sequence}\r\n".encode() + _NAME + sequence.encode()
        self._digests[sequence] = hashlib.sha256(body).hexdigest()
        return sequence, head + b"\r\n\r\n" + body

    def promise(self, sequence: str) -> None:
        """A 250 was read."""
        self.promised[sequence] = self._digests[sequence]

    def arrived(self, data: bytes, upstream: str = "") -> str:
        """Note a message as an upstream got it; gives its sequence."""
        head, _, body = data.partition(b"\r\n\r\n")
        sequence = head.partition(_NAME)[2].partition(b"\r\n")[0].decode()
        self.arrivals[sequence] += 1
        self.upstreams.setdefault(sequence, []).append(upstream)
        if hashlib.sha256(body).hexdigest() != self._digests.get(sequence):
            self.damaged.append(sequence)
        return sequence

    @property
    def lost(self) -> list[str]:
        """Promised and not arrived."""
        return sorted(set(self.promised) - set(self.arrivals))

    @property
    def doubled(self) -> dict[str, int]:
        """Sequences that arrived more than once, and how often too much."""
        return {one: times - 1 for one, times in self.arrivals.items() if times > 1}

    def watch(self, server: ScriptedServer, name: str = "") -> None:
        """Note what a scripted server answers positively, and keep none of it in memory."""

        def take(_number: int) -> None:
            one: Received = server.messages.pop()
            if one.accepted:
                self.arrived(one.data, name)

        server.at_message = take

    async def settled(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound
        """Wait until everything that was promised has arrived, or the time is over; the caller asserts."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.lost:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)


class Clients:
    """Clients that submit as fast as they are answered, each on a connection of its own, until they are stopped."""

    def __init__(self, ledger: Ledger, port: int, *, sizes: Sequence[int] = SIZES, pause: float = 0.0) -> None:
        self._ledger, self._port = ledger, port
        self._sizes, self._pause = sizes, pause
        self._stopping = False
        self.disconnections = 0

    def stop(self) -> None:
        """Begin no further message."""
        self._stopping = True

    async def run(self, connections: int, messages: int = 1_000_000) -> None:
        """Submit on so many connections, so many messages each, until `stop` or the connections are lost."""
        await asyncio.gather(*(self._one(messages) for _ in range(connections)))

    async def _one(self, messages: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            self.disconnections += 1
            return
        sequence = ""
        try:
            await _reply(reader)
            await _ask(reader, writer, b"EHLO client.example\r\n")
            for _ in range(messages):
                if self._stopping:
                    break
                sequence, content = self._ledger.message(random.choice(self._sizes))
                self._note(sequence, await _submit(reader, writer, content))
                sequence = ""
                await asyncio.sleep(self._pause)
            await _ask(reader, writer, b"QUIT\r\n")
        except (OSError, EOFError):
            self.disconnections += 1
            if sequence:
                self._ledger.refused[sequence] = ""
        finally:
            writer.transport.abort()

    def _note(self, sequence: str, reply: str) -> None:
        if reply.startswith("250"):
            self._ledger.promise(sequence)
        else:
            self._ledger.refused[sequence] = reply


async def _submit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, content: bytes) -> str:
    writer.write(b"MAIL FROM:<app@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
    replies = [await _reply(reader) for _ in range(3)]
    if not replies[2].startswith("354"):
        await _ask(reader, writer, b"RSET\r\n")
        return next(one for one in replies if not one.startswith("2"))
    writer.write(content + b".\r\n")
    await writer.drain()
    return await _reply(reader)


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes) -> str:
    writer.write(command)
    return await _reply(reader)


async def _reply(reader: asyncio.StreamReader) -> str:
    while True:
        line = await asyncio.wait_for(reader.readline(), 30)
        if not line.endswith(b"\n"):
            raise EOFError
        if line[3:4] != b"-":
            return line.decode().rstrip()
