"""Asks a relay for its report over HTTP, bounded in time and size.

Used by `up` for its table and by `mailhaul status`; the token comes from the assembled Secret. Failures are values: a
relay that cannot be asked, refuses the token or answers nonsense is `Unreachable`, with cause and remedy in words.
"""

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import h11
from pydantic import ValidationError

from mailhaul_contract.report import RelayReport

MAX_REPORT: Final = 8 * 1024 * 1024
"""Bytes of an answer; 50 000 aliases are about 5 MB."""
TIMEOUT: Final = 3.0
"""Seconds for the whole exchange."""
PATH: Final = "/v1/report"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a relay's report is: `http://host:port`, and the token that opens it ("" when there is none)."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    tls: bool = False

    @property
    def url(self) -> str:
        """The base address for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no report. `cause` and `remedy` are for people."""

    cause: str
    remedy: str


def endpoint_of(url: str, token: str) -> Endpoint:
    """Parse `http://host:port`, with or without a path. Raises ValueError with a reason."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address must look like http://127.0.0.1:9090")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must hold no credential; give the token with --token-file")
    tls = parts.scheme == "https"
    return Endpoint(parts.hostname, parts.port or (443 if tls else 80), token, tls)


async def fetch(endpoint: Endpoint, timeout: float = TIMEOUT) -> RelayReport | Unreachable:  # noqa: ASYNC109
    """Get one relay's report; `timeout` in seconds bounds the whole exchange."""
    try:
        async with asyncio.timeout(timeout):
            status, body = await _get(endpoint)
    except TimeoutError:
        return Unreachable(
            f"{endpoint.url} gave no report within {timeout:g} s",
            "see the relay's log; it may be overloaded or stopped",
        )
    except (OSError, h11.ProtocolError, ValueError) as error:
        return Unreachable(
            f"{endpoint.url} cannot be asked ({_words(error)})", "start the relay, or correct the address"
        )
    return _report(endpoint, status, body)


def _report(endpoint: Endpoint, status: int, body: bytes) -> RelayReport | Unreachable:
    if status in {401, 403}:
        return Unreachable(
            f"{endpoint.url} refuses the token" if endpoint.token else f"{endpoint.url} asks for a token",
            "give --token-file with the token of this relay: key api.token of its assembled Secret",
        )
    if status != 200:
        return Unreachable(f"{endpoint.url}{PATH} answers {status}", "check that the address is a relay's report port")
    try:
        return RelayReport.model_validate_json(body, by_alias=True, by_name=False)
    except ValidationError:
        return Unreachable(f"{endpoint.url}{PATH} is no relay's report", "check the address and both versions")


async def _get(endpoint: Endpoint) -> tuple[int, bytes]:
    context = ssl.create_default_context() if endpoint.tls else None
    reader, writer = await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)
    try:
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", f"{endpoint.host}:{endpoint.port}"), ("Connection", "close")]
        if endpoint.token:
            headers.append(("Authorization", f"Bearer {endpoint.token}"))
        request = connection.send(h11.Request(method="GET", target=PATH, headers=headers)) or b""
        writer.write(request + (connection.send(h11.EndOfMessage()) or b""))
        await writer.drain()
        return await _answer(connection, reader)
    finally:
        writer.close()


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, bytes]:
    status, body = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_REPORT:
                raise ValueError("the answer is too large")
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return status, bytes(body)


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
