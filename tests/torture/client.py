"""A client of a server under torture: sends octets, reads replies, and objects to a reply that is malformed.

`play` drives it. Whatever the server does ends in a `Complaint`, the reason of a failed verdict.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Self

WAIT = 15.0
"""Seconds for a reply; loopback needs milliseconds."""
REPLY_LINE = 512
_PACKET_PAUSE = 0.0005


class Complaint(AssertionError):  # noqa: N818 - what a server did wrong, not an error of ours
    """What the server did that it may not do."""


class Client:
    """One connection. `said` is every reply so far, `faults` what was wrong with their form."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.said: list[str] = []
        self.faults: list[str] = []

    @classmethod
    async def connect(cls, host: str, port: int, *, tls: bool = False) -> Self:
        """Connect without waiting for the greeting; with TLS from the first octet when asked for. Raises Complaint."""
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, limit=1 << 20), WAIT)
        except (OSError, TimeoutError) as error:
            raise Complaint(f"no connection: {error}") from error
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = cls(reader, writer)
        if tls:
            await client.start_tls()
        return client

    async def send(self, data: bytes) -> None:
        """Send; a connection that the server closed shows at the next reply."""
        with suppress(ConnectionError):
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), WAIT)

    async def send_bytewise(self, data: bytes) -> None:
        """Send each octet in a packet of its own."""
        for octet in data:
            await self.send(bytes([octet]))
            await asyncio.sleep(_PACKET_PAUSE)

    def half_close(self) -> None:
        """Send no more. TLS knows no half-closed connections; there it is closed."""
        with suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            else:
                self._writer.close()

    async def start_tls(self) -> None:
        """Shake hands; the certificate is not looked at. Raises Complaint."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            await asyncio.wait_for(self._writer.start_tls(context), WAIT)
        except (OSError, TimeoutError) as error:
            raise Complaint(f"the TLS handshake failed: {error}") from error

    async def reply(self) -> str:
        """Read one whole reply; "" when the server closed. Raises Complaint when none comes."""
        lines: list[str] = []
        while True:
            line = await self._line()
            if line is None:
                if lines:
                    raise Complaint(f"closed in the middle of a reply: {lines}")
                return ""
            lines.append(line)
            if line[3:4] != "-":
                break
        self.said.append("\n".join(lines))
        self._inspect(lines)
        return self.said[-1]

    async def _line(self) -> str | None:
        try:
            octets = await asyncio.wait_for(self._reader.readline(), WAIT)
        except TimeoutError:
            raise Complaint(f"no reply within {WAIT:.0f} s after {self.said[-1:]}") from None
        except ConnectionError:
            return None
        except ValueError:
            raise Complaint("a reply line without end") from None
        if not octets:
            return None
        if not octets.endswith(b"\r\n"):
            self.faults.append(f"RFC 5321 section 2.3.8: a reply line does not end with CRLF: {octets!r}")
        if len(octets) > REPLY_LINE:
            self.faults.append(f"RFC 5321 section 4.5.3.1.5: a reply line has {len(octets)} octets")
        return octets.decode("utf-8", "backslashreplace").rstrip("\r\n")

    def _inspect(self, lines: list[str]) -> None:
        """Object to a reply that is not of RFC 5321 section 4.2's form."""
        codes = {line[:3] for line in lines}
        code = lines[0][:3]
        if len(codes) != 1:
            self.faults.append(f"RFC 5321 section 4.2.1: one reply has the codes {sorted(codes)}")
        elif len(code) != 3 or code[0] not in "2345" or code[1] not in "012345" or not code[2].isdigit():
            self.faults.append(f"RFC 5321 section 4.2: {code!r} is no reply code")
        if any(line[3:4] not in {"", " ", "-"} for line in lines) or not all(line.isprintable() for line in lines):
            self.faults.append(f"RFC 5321 section 4.2: malformed reply {lines}")
        if not all(line.isascii() for line in lines):
            self.faults.append(f"RFC 5321 section 4.2: reply that is not ASCII {lines}")

    async def rest(self) -> list[str]:
        """Read every further reply until the server closes."""
        replies = []
        while reply := await self.reply():
            replies.append(reply)
        return replies

    async def silence(self, seconds: float) -> None:
        """Wait while nothing may be said. Raises Complaint."""
        with suppress(TimeoutError):
            octets = await asyncio.wait_for(self._reader.read(200), seconds)
            raise Complaint(f"said {octets!r} unasked" if octets else "closed the connection")

    async def gone(self) -> None:
        """Read whatever comes until the server closes. Raises Complaint."""
        try:
            with suppress(ConnectionError):
                await asyncio.wait_for(self._reader.read(), WAIT)
        except TimeoutError:
            raise Complaint("the connection stayed open") from None

    async def close(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()
