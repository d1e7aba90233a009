"""The server behind the one under torture: takes every message to the last octet, and objects to how it was sent.

It is a strict next hop: a message ends with CRLF.CRLF and nothing else. What a laxer one would misread, a bare CR or
LF anywhere in the stream, is kept as a fault, for that is how a relay lets mail be smuggled through it (RFC 5321
section 2.3.8). `judge` asks it for the messages of a case by their token.
"""

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from tests.torture.steps import unstuffed

TOKEN = re.compile(rb"tk[0-9a-f]{8}n[0-9]+z")
EHLO = b"250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
_REPLIES = {
    b"EHLO": EHLO,
    b"HELO": b"250 sink.example\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came: the envelope's commands, and the octets in wire form, without the final dot."""

    commands: tuple[str, ...]
    wire: bytes

    @property
    def head(self) -> list[str]:
        """The header fields, unfolded."""
        head = self.wire.partition(b"\r\n\r\n")[0].decode("utf-8", "backslashreplace")
        return re.sub(r"\r\n(?=[ \t])", "", head).split("\r\n")

    @property
    def content(self) -> bytes:
        """The body as its reader sees it."""
        return unstuffed(self.wire.partition(b"\r\n\r\n")[2])

    @property
    def faults(self) -> list[str]:
        """What a laxer server would misread in it."""
        text = self.wire.replace(b"\r\n", b"")
        found = [f"a bare {name}" for name, octet in (("CR", b"\r"), ("LF", b"\n")) if octet in text]
        return found + (["a command with a bare CR or LF"] if any("�" in one for one in self.commands) else [])


@dataclass
class Sink:
    """The listening server. `arrivals` are by token; `strays` are messages without one."""

    port: int = 0
    arrivals: dict[str, list[Arrival]] = field(default_factory=dict)
    strays: list[Arrival] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _sessions: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, limit=1 << 26)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        await asyncio.sleep(0)

    def of(self, token: str) -> list[Arrival]:
        """The messages of a case so far."""
        return self.arrivals.get(token, [])

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink.example ESMTP\r\n")
        commands: list[str] = []
        while True:
            line = (await reader.readuntil(b"\r\n"))[:-2]
            verb = line[:4].upper()
            if verb in {b"MAIL", b"EHLO", b"RSET", b"HELO"}:
                commands = []
            commands.append(line.replace(b"\r", b"\xff").replace(b"\n", b"\xff").decode("utf-8", "replace"))
            writer.write(_REPLIES.get(verb, b"250 ok\r\n"))
            if verb == b"DATA":
                self._keep(commands, await _content(reader, writer))
            elif verb == b"QUIT":
                return

    def _keep(self, commands: list[str], wire: bytes) -> None:
        arrival = Arrival(tuple(one for one in commands if one[:4].upper() in {"MAIL", "RCPT"}), wire)
        tokens = set(TOKEN.findall("\n".join(commands).encode() + wire))
        for token in tokens:
            self.arrivals.setdefault(token.decode(), []).append(arrival)
        if not tokens:
            self.strays.append(arrival)


async def _content(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read a message up to its final dot, which stands alone on a line between CRLFs and nowhere else."""
    lines: list[bytes] = []
    before = b"\r\n"
    while True:
        line = await reader.readuntil(b"\n")
        if line == b".\r\n" and before.endswith(b"\r\n"):
            writer.write(b"250 2.0.0 taken\r\n")
            return b"".join(lines)
        lines.append(line)
        before = line
