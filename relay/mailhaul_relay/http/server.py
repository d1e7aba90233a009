"""The relay's HTTP server: accepts connections, keeps their number bounded, and leaves nothing behind when it closes.

`app` opens it with the table of routes. When all places are taken, the connection that has waited longest for its
request gives way: a flood of silent clients keeps no health probe out. It uses h11 and not aiohttp: 0.2 MB of memory
in place of 9. It fails at `open` only, with OSError when the port cannot be bound.
"""

import asyncio
from collections.abc import Iterable
from typing import Self

from mailhaul_relay.http.connection import Bounds, Connection
from mailhaul_relay.http.routes import Route, Routes
from mailhaul_relay.telemetry.log import Log

CLOSE_GRACE = 2.0
"""Seconds that a request under way may still take when the server closes."""


class HttpServer:
    """A listening HTTP server; make it with `open`."""

    def __init__(self, routes: Iterable[Route], log: Log, bounds: Bounds) -> None:
        self._routes = Routes(routes)
        self._log = log
        self._bounds = bounds
        self._server: asyncio.Server | None = None
        self._tasks: dict[asyncio.Task[None], Connection] = {}
        self._waiting: dict[asyncio.Task[None], None] = {}

    @classmethod
    async def open(cls, host: str, port: int, routes: Iterable[Route], log: Log, bounds: Bounds | None = None) -> Self:
        """Listen on a port (0 takes a free one). Raises OSError when it cannot be bound."""
        server = cls(routes, log, bounds or Bounds())
        server._server = await asyncio.start_server(server._connected, host, port, limit=65_536, backlog=128)
        return server

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._tasks)

    async def close(self) -> None:
        """Stop listening, end waiting connections, give requests under way a moment, then end them too."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._waiting):
            task.cancel()
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=CLOSE_GRACE)
            for task in late:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._tasks) >= self._bounds.connections and not self._make_room():
            writer.transport.abort()
            return
        connection = Connection((reader, writer), self._routes, self._bounds, self._log)
        task = asyncio.get_running_loop().create_task(connection.run(), name="http-connection")
        self._tasks[task] = connection
        self._waiting[task] = None
        connection.on_wait = lambda waiting: self._waits(task, waiting=waiting)
        task.add_done_callback(self._ended)

    def _waits(self, task: asyncio.Task[None], *, waiting: bool) -> None:
        """Keep the order of waiting: the longest first."""
        self._waiting.pop(task, None)
        if waiting:
            self._waiting[task] = None

    def _make_room(self) -> bool:
        """End the connection that has waited longest for its request; False when every one is being answered."""
        task = next(iter(self._waiting), None)
        if task is None:
            return False
        del self._waiting[task]
        task.cancel()
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._waiting.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            self._log.event("http-connection-failed", level="error", error=type(error).__name__)
