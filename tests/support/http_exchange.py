"""HTTP by hand: raw bytes to a server of ours and whatever comes back, for tests that send what no client would."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mailhaul_relay.http.connection import Bounds
from mailhaul_relay.http.routes import Route
from mailhaul_relay.http.server import HttpServer
from mailhaul_relay.telemetry.log import Log

TIMEOUT = 10.0


@dataclass(frozen=True)
class Answer:
    """One response: `status` 0 when the connection closed without one."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(self.body)


@asynccontextmanager
async def serving(
    routes: Iterable[Route], bounds: Bounds | None = None, log: Log | None = None
) -> AsyncIterator[HttpServer]:
    """A server on a free port of loopback."""
    server = await HttpServer.open("127.0.0.1", 0, routes, log or Log(lambda _: None), bounds)
    try:
        yield server
    finally:
        await server.close()


async def raw(port: int, *pieces: bytes, half_close: bool = False) -> bytes:
    """Send pieces, then read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(TIMEOUT):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            if half_close:
                writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def ask(port: int, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """One request as a decent client sends it, on a connection of its own."""
    fields = {"Host": f"127.0.0.1:{port}", "Connection": "close", "Content-Length": str(len(body))} | (headers or {})
    head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return parsed(await raw(port, head.encode() + b"\r\n" + body))


def parsed(content: bytes) -> Answer:
    """Parse one response."""
    head, _, body = content.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 "):
        return Answer(0, {}, content)
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return Answer(int(lines[0].split(" ")[1]), headers, body)


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}
