"""Two small pages over HTTP: `/healthz` for the kubelet, `/metrics` for Prometheus.

`running` opens one server for each port. An answer is made in the event loop that does all the work, so it also proves
that the loop turns. Bounded in time, size and number of connections. Fails at `open` only, with OSError.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import h11

DEADLINE = 5.0
"""Seconds for a whole exchange."""
MAX_HEAD = 16 * 1024
MAX_CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """What is shown."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Answer]]
"""What is shown under each path."""


class PageServer:
    """Listens on one port; make it with `open`."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._open = 0
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, pages: Pages, port: int, host: str | None = None) -> "PageServer":
        """Listen, on all addresses unless told; port 0 takes a free one. Raises OSError."""
        server = cls(pages)
        server._server = await asyncio.start_server(server._serve, host, port, limit=MAX_HEAD)
        return server

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MAX_CONNECTIONS:
                async with asyncio.timeout(DEADLINE):
                    await self._exchange(reader, writer)
        except (OSError, TimeoutError, h11.ProtocolError):
            pass  # the client's problem; nobody needs to know
        finally:
            self._open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        while (event := connection.next_event()) is h11.NEED_DATA:
            connection.receive_data(await reader.read(MAX_HEAD))
        if isinstance(event, h11.Request):
            answer = self._answer(event)
            writer.write(connection.send(_head(answer)) or b"")
            if event.method != b"HEAD":
                writer.write(connection.send(h11.Data(data=answer.body)) or b"")
            await writer.drain()

    def _answer(self, request: h11.Request) -> Answer:
        if request.method not in {b"GET", b"HEAD"}:
            return Answer(405, b"only GET is served here\n")
        page = self._pages.get(request.target.decode("ascii").partition("?")[0])
        return page() if page else Answer(404, f"there is only {', '.join(self._pages)}\n".encode())


def _head(answer: Answer) -> h11.Response:
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        ("Connection", "close"),
    ]
    return h11.Response(status_code=answer.status, headers=headers)
