"""One HTTP/1.1 exchange with a relay: bounded in time and size, with the relay's token.

Used by `observe.reports`, `effects.pods` and `local.reports`. Failures: `OSError`, `TimeoutError`,
`h11.ProtocolError`, `ValueError` (too large); the callers make values of them, most by `words_of`.
"""

import asyncio
import ssl
from dataclasses import dataclass, field

import h11

from mailhaul_contract.names import HTTP_PORT

MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of an answer."""
MAX_HEAD = 64 * 1024
DEADLINE = 3.0
"""Seconds for a whole exchange."""
FAILURES = (OSError, TimeoutError, h11.ProtocolError, ValueError)
"""What `ask` may raise."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request to `host`, a name or an address as the pod's status has it (IPv6 without brackets)."""

    host: str
    path: str
    token: str = field(default="", repr=False)
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)
    port: int = HTTP_PORT
    tls: bool = False

    @property
    def authority(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def events(self) -> tuple[h11.Event, ...]:
        """Give what is to be sent."""
        headers = [("Host", self.authority), ("Connection", "close")]
        if self.token:
            headers.append(("Authorization", f"Bearer {self.token}"))
        if self.body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(self.body)))]
        head = h11.Request(method=self.method, target=self.path, headers=headers)
        data = (h11.Data(data=self.body),) if self.body else ()
        return head, *data, h11.EndOfMessage()


async def ask(request: Request, deadline: float = DEADLINE, most: int = MAX_ANSWER) -> tuple[int, bytes]:
    """Give status and body of the answer; `deadline` in seconds bounds the whole exchange, `most` bytes the body."""
    context = ssl.create_default_context() if request.tls else None
    async with asyncio.timeout(deadline):
        reader, writer = await asyncio.open_connection(request.host, request.port, ssl=context)
        try:
            connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
            writer.write(b"".join(connection.send(event) or b"" for event in request.events()))
            await writer.drain()
            return await _answer(connection, reader, most)
        finally:
            writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader, most: int) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > most:
                raise ValueError(f"the answer is larger than {most} bytes")
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return status, bytes(body)


def words_of(error: Exception, deadline: float = DEADLINE) -> str:
    """Say in few words why an exchange failed."""
    if isinstance(error, TimeoutError):
        return f"no answer in {deadline:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, h11.LocalProtocolError):
        return "the token in the relay's Secret cannot be sent"
    if isinstance(error, h11.ProtocolError):
        return "the answer is not HTTP"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()[:200]
