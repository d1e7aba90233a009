"""A connection of a proxy's before its client is known: its header is read, and nothing of what follows.

`listener` makes one for each connection at a listener with the PROXY protocol, sweeps them for their time, and gets the
client's address or the reason to close. The socket is looked at before it is read, so that what comes after the header,
TLS or SMTP, is left for the session; each look takes what it saw of the header, so that a slow one costs no turns.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import replace

from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source
from mailhaul_relay.smtpin.proxy_header import ProxyHeader
from mailhaul_relay.smtpin.session import Session

PATIENCE = 5.0
"""Seconds for the header; a proxy sends it at once."""
NOTHING_CAME = "the proxy said nothing and closed the connection"
"""A load balancer that looks whether the port is open; nobody's mistake."""


class UnnamedSession(Session):
    """That of a proxy which told no client's address: its own counts, and is never trusted."""

    def _judge(self, running: Running) -> Source:
        source = super()._judge(running)
        return source if source.account else replace(source, trusted=False, unnamed=True)


Ended = Callable[["Arrival"], None]


class Arrival:
    """One connection. When `ended` is called, `client` is known ("" for the proxy itself) or `fault` says why not.

    `proxy` is the peer's address.
    """

    def __init__(self, connection: socket.socket, proxy: str, ended: Ended) -> None:
        self.connection = connection
        self.proxy = proxy
        self._ended = ended
        self._header = ProxyHeader()
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self.fault = ""

    @property
    def client(self) -> str:
        """The address that the header tells, "" when it tells none."""
        return self._header.client

    def begin(self) -> None:
        """Read as soon as there is something."""
        self.connection.setblocking(False)
        self._loop.add_reader(self.connection, self._read)

    def check_time(self, now: float) -> None:
        """Give up a proxy that says nothing; called every second with the loop's time."""
        if now - self._began > PATIENCE:
            self.end("no PROXY header in time")

    def end(self, fault: str = "") -> None:
        """Stop reading, and tell."""
        self.fault = fault
        self._loop.remove_reader(self.connection)
        self._ended(self)

    def _read(self) -> None:
        try:
            seen = self.connection.recv(self._header.wanted, socket.MSG_PEEK)
            taken = self._header.take(seen)
            if taken:
                self.connection.recv(taken)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.end(error.strerror or "lost")
            return
        if not seen:
            self.end("a header that ends too early" if self._header.has_begun else NOTHING_CAME)
        elif self._header.fault:
            self.end(self._header.fault)
        elif self._header.complete:
            self.end()
