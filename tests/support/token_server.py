"""A token server (RFC 6749) on loopback: checks what a client gives, hands out tokens, remembers who asked.

    async with TokenServer(pair.context()) as server:
        server.url, server.asked             # where it is, the forms that came
        server.issue("token-1", "token-2")   # the tokens to give next; the last one again and again
        server.answer = (503, b"busy")       # in place of everything else

It listens on loopback only.
"""

import asyncio
import json
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs

CLIENT, SECRET, REFRESH = "client-1", "client-secret-canary", "refresh-canary"


@dataclass
class TokenServer:
    """`lifetime` is the `expires_in` of its tokens; `rotates` gives a new refresh token with each, and ends the old."""

    context: ssl.SSLContext
    lifetime: int = 3600
    rotates: bool = False
    client: str = CLIENT
    secret: str = SECRET
    refresh: str = REFRESH
    answer: tuple[int, bytes] | None = None
    delay: float = 0.0
    hangs: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._next = ["token-canary-1"]
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        sessions = tuple(self._sessions)
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        """Its token endpoint."""
        return f"https://127.0.0.1:{self.port}/token"

    def issue(self, *tokens: str) -> None:
        """Give these next, the last one again and again."""
        self._next = list(tokens)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                length = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
                body = await reader.readexactly(int(length.partition(":")[2]))
                self.heads.append(head)
                form = {key: values[0] for key, values in parse_qs(body.decode("ascii")).items()}
                self.asked.append(form)
                if self.hangs:
                    await asyncio.Event().wait()
                await asyncio.sleep(self.delay)
                status, content = self.answer or self._answer(form)
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        finally:
            writer.close()

    def _answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        if (form.get("client_id"), form.get("client_secret")) != (self.client, self.secret):
            said = f"AADSTS7000215: Invalid client secret provided: {form.get('client_secret')}"
            return _said(401, {"error": "invalid_client", "error_description": said})
        match form.get("grant_type"):
            case "client_credentials":
                return self._give()
            case "refresh_token" if form.get("refresh_token") == self.refresh:
                return self._give()
            case "refresh_token":
                return _said(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
            case _:
                return _said(400, {"error": "unsupported_grant_type"})

    def _give(self) -> tuple[int, bytes]:
        token = self._next.pop(0) if len(self._next) > 1 else self._next[0]
        given: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
        if self.rotates:
            self.refresh = f"{self.refresh}+"
            given["refresh_token"] = self.refresh
        return _said(200, given)


def _said(status: int, document: dict[str, Any]) -> tuple[int, bytes]:
    return status, json.dumps(document).encode()
