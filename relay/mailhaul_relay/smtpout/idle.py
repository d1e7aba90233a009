"""The idle connections to one upstream: kept while they are useful, retired with QUIT, waited for by nobody.

`pool` takes connections from here and puts them back. Nothing here fails: a connection that is unfit is dropped.
"""

import asyncio

from mailhaul_contract.upstream import Connections
from mailhaul_relay.smtpout.connection import Connection
from mailhaul_relay.smtpout.logins import Logins


class IdleConnections:
    """Connections between two transactions, the one used last on top. `quit_limit` is in seconds; those that logged in
    with a previous credential are kept while `logins` has a use for them.
    """

    def __init__(self, limits: Connections, quit_limit: float, logins: Logins) -> None:
        self._limits = limits
        self._logins = logins
        self._quit_limit = quit_limit
        self._idle: list[Connection] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False
        self._most: int | None = None

    def use_at_most(self, connections: int) -> None:
        """Keep no more idle connections than this; those that were idle for the longest go."""
        self._most = connections
        leaving, self._idle = self._idle[:-connections], self._idle[-connections:]
        for connection in leaving:
            connection.wire.leave(self._quit_limit)

    def take(self) -> Connection | None:
        """Give a connection that is alive and clean, None when there is none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.wire.is_clean:
                connection.wire.abort()
            elif self._is_old(connection):
                connection.wire.leave(self._quit_limit)
            else:
                return connection
        return None

    def put_back(self, connection: Connection) -> None:
        """Keep a connection for the next transaction, or let it go."""
        wire = connection.wire
        if not wire.is_clean:
            wire.abort()
        elif self._closed or connection.used >= self._limits.messages_per_connection or self._is_old(connection):
            wire.leave(self._quit_limit)
        else:
            loop = wire.loop
            connection.idle_since = loop.time()
            self._idle.append(connection)
            if self._most is not None and len(self._idle) > self._most:
                self._idle.pop(0).wire.leave(self._quit_limit)
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._limits.idle_timeout, self._sweep)

    async def close(self) -> None:
        """Say QUIT on every connection and wait until they are gone, at most a little longer than the limit of QUIT."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        leaving = [connection.wire.leave(self._quit_limit) for connection in self._idle]
        self._idle.clear()
        if leaving:
            await asyncio.wait(leaving, timeout=self._quit_limit + 1.0)

    def _is_old(self, connection: Connection) -> bool:
        return connection.by_previous and not self._logins.keeps_previous

    def _sweep(self) -> None:
        """Retire what has been idle for too long; come back when the next one may be due."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        oldest = loop.time() - self._limits.idle_timeout
        alive = [connection for connection in self._idle if connection.wire.lost is None]
        self._idle = [connection for connection in alive if connection.idle_since > oldest]
        for connection in alive:
            if connection.idle_since <= oldest:
                connection.wire.leave(self._quit_limit)
        if self._idle:
            due = min(connection.idle_since for connection in self._idle) + self._limits.idle_timeout
            self._sweeper = loop.call_at(due, self._sweep)
