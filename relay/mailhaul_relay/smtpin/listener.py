"""A listener: its sockets, its sessions, its end.

`app` opens one for each listener of the configuration, gives it new certificates, and stops it. Where proxies hand over
connections, each is an `Arrival` until its client is known. Connections over the limits are answered 421 on the bare
socket, before anything is made for them. When the process has no descriptors left it pauses accepting and goes on by
itself. `open` raises OSError when it cannot bind.
"""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Self

from mailhaul_contract.listening import Listener as ListenerSpec
from mailhaul_contract.listening import ListenerTlsMode
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.model.secrets import Certificate
from mailhaul_relay.smtpin import limits, replies
from mailhaul_relay.smtpin.arrival import NOTHING_CAME, Arrival, UnnamedSession
from mailhaul_relay.smtpin.failure import where
from mailhaul_relay.smtpin.own_session import ADDRESS as OWN_ADDRESS
from mailhaul_relay.smtpin.own_session import OwnSession
from mailhaul_relay.smtpin.reception import Reception, Services
from mailhaul_relay.smtpin.session import Session
from mailhaul_relay.smtpin.tls import server_context

SessionFactory = Callable[[Reception, str], Session]

_GATE_REPLIES = {"connections": replies.TOO_MANY_CONNECTIONS, "client-connections": replies.TOO_MANY_FROM_CLIENT}


class Listener:
    """A port that accepts sessions. `port` is the one that was bound (of use when 0 was asked for)."""

    def __init__(self, reception: Reception, sockets: list[socket.socket]) -> None:
        self._reception = reception
        self._services = reception.services
        self._loop = reception.loop
        self._sockets = sockets
        self._sweeper: asyncio.TimerHandle | None = None
        self._arrivals: set[Arrival] = set()
        self.port: int = sockets[0].getsockname()[1]

    @classmethod
    async def open(cls, spec: ListenerSpec, host: str, services: Services, port: int | None = None) -> Self:
        """Bind and accept. `host` "" is every address, IPv4 and IPv6; `port` replaces the specification's.

        Raises OSError, and CertificateError for the certificate that the configuration has now.
        """
        reception = Reception(spec, services, asyncio.get_running_loop())
        listener = cls(reception, _bind(host, spec.port if port is None else port))
        try:
            listener.replace_certificate(services.intake.running().secrets.certificates.get(spec.name))
        except BaseException:
            listener._close_sockets()
            raise
        listener._resume()
        return listener

    @property
    def spec(self) -> ListenerSpec:
        """What it was opened for."""
        return self._reception.spec

    def replace_certificate(self, certificate: Certificate | None) -> None:
        """Use another certificate from the next handshake on; None stops offering TLS.

        Raises CertificateError, and goes on with the one before.
        """
        self._reception.tls = None if certificate is None else server_context(certificate)

    def close(self) -> None:
        """Accept no more connections and begin no more messages. `stop` is still to be called."""
        self._reception.parting = replies.STOPPING
        self._close_sockets()

    def drain(self, *, draining: bool) -> None:
        """Answer new connections and idle sessions with 421, others after their transaction; False takes mail again.

        The port stays open: a closed one would tell a person nothing, and might be taken when it is to be opened again.
        """
        if self._reception.parting is replies.STOPPING:
            return
        self._reception.parting = replies.DRAINING if draining else None
        if draining:
            self._end_idle(replies.DRAINING)

    async def stop(self, grace: float) -> None:
        """Accept no more, end idle sessions with 421, let others finish their message for `grace` seconds."""
        self.close()
        for arrival in tuple(self._arrivals):
            arrival.end()  # without a fault; it is told like the others that the relay stops
        self._end_idle(replies.STOPPING)
        try:
            async with asyncio.timeout(grace):
                await self._reception.empty()
        except TimeoutError:
            for session in tuple(self._reception.sessions):
                session.close(replies.STOPPING)
                session.abort_soon()
            await self._reception.empty()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    def _end_idle(self, reply: Reply) -> None:
        for session in tuple(self._reception.sessions):
            if session.is_idle:
                session.close(reply)

    def _resume(self) -> None:
        for one in self._sockets:
            self._loop.add_reader(one, self._accept, one)

    def _close_sockets(self) -> None:
        for one in self._sockets:
            self._loop.remove_reader(one)
            one.close()
        self._sockets = []

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(limits.ACCEPT_BATCH):
            try:
                connection, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._pause(error)
                return
            if self._reception.proxies is None:
                self._admit(connection, normal_client(peer[0]))
            else:
                self._receive_proxied(connection, normal_client(peer[0]))

    def _receive_proxied(self, connection: socket.socket, proxy: str) -> None:
        """Take a connection of a proxy's, and learn whose it is first."""
        gate, proxies = self._services.gate, self._reception.proxies
        if proxies is None or not proxies.has(proxy):
            self._refuse(connection, "not-a-proxy", replies.NOT_A_PROXY)
        elif reason := gate.enter_unknown(self._services.intake.running().config.limits):
            self._refuse(connection, reason, _GATE_REPLIES[reason])
        else:
            arrival = Arrival(connection, proxy, self._arrived)
            self._arrivals.add(arrival)
            arrival.begin()
            self._watch_times()

    def _arrived(self, arrival: Arrival) -> None:
        self._arrivals.discard(arrival)
        self._services.gate.leave_unknown()
        if arrival.fault == NOTHING_CAME:
            arrival.connection.close()
        elif arrival.fault:
            spec = self._reception.spec
            self._services.log.event(
                "proxy-refused", "warning", listener=spec.name, proxy=arrival.proxy, reason=arrival.fault
            )
            self._refuse(arrival.connection, "proxy-header", replies.NO_PROXY_HEADER)
        elif arrival.client:
            self._admit(arrival.connection, normal_client(arrival.client))
        else:
            self._admit(arrival.connection, arrival.proxy, UnnamedSession)

    def _pause(self, error: OSError) -> None:
        """No descriptor, no memory: the backlog waits, and the sessions that end make room."""
        self._services.log.event("accept-paused", "error", listener=self._reception.spec.name, error=error.strerror)
        for one in self._sockets:
            self._loop.remove_reader(one)
        self._loop.call_later(limits.ACCEPT_PAUSE, self._resume)

    def connect_own(self, begun: Callable[[str], None]) -> socket.socket:
        """Give the client's end of a session of our own (see `own_session`); the limits hold for it too."""
        theirs, ours = socket.socketpair()
        ours.setblocking(False)
        self._admit(theirs, OWN_ADDRESS, lambda reception, client: OwnSession(reception, client, begun))
        return ours

    def _admit(self, connection: socket.socket, client: str, make: SessionFactory = Session) -> None:
        services = self._services
        if self._reception.parting is not None:
            self._refuse(connection, "draining", self._reception.parting)
            return
        reason = services.gate.enter(client, services.intake.running().config.limits)
        if reason:
            self._refuse(connection, reason, _GATE_REPLIES[reason])
            return
        try:
            connection.setblocking(False)
            session = make(self._reception, client)
        except Exception as error:  # noqa: BLE001 - no connection may leave the gate's count behind
            services.gate.leave(client)
            services.log.event("handler-error", "error", client=client, error=type(error).__name__, at=where(error))
            _turn_away(connection, replies.UNAVAILABLE)
            return
        self._reception.enter(session)
        # What `connect_accepted_socket` does, without its task and future for each connection (docs/smtp.md, Speed).
        self._loop._make_socket_transport(connection, session, extra={"peername": client})  # type: ignore[attr-defined]  # noqa: SLF001
        if self._sweeper is None:
            self._watch_times()

    def _watch_times(self) -> None:
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(limits.SWEEP, self._sweep)

    def _refuse(self, connection: socket.socket, reason: str, reply: Reply) -> None:
        self._services.tally.sessions_refused[reason] += 1
        self._reception.count_refusal(reply)
        if self._reception.spec.tls is ListenerTlsMode.IMPLICIT:
            connection.close()  # a client that speaks TLS would take clear text for an attack
        else:
            _turn_away(connection, reply)

    def _sweep(self) -> None:
        now = self._loop.time()
        for session in tuple(self._reception.sessions):
            session.check_time(now)
        for arrival in tuple(self._arrivals):
            arrival.check_time(now)
        self._sweeper = None
        if self._reception.sessions or self._arrivals:
            self._watch_times()


def normal_client(address: str) -> str:
    """Give a peer's address in the form by which clients are counted: IPv4-mapped IPv6 as IPv4, however it is written,
    and without a zone.
    """
    if ":" not in address:
        return address
    found = IPv6Address(address.partition("%")[0])
    return str(found.ipv4_mapped or found)


def _turn_away(connection: socket.socket, reply: Reply) -> None:
    try:
        connection.setblocking(False)
        connection.send(replies.render(reply))
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    finally:
        connection.close()


def probe(host: str, port: int) -> None:
    """Bind a port and give it back; raises OSError when it cannot be bound."""
    for one in _bind(host, port):
        one.close()


def _bind(host: str, port: int) -> list[socket.socket]:
    """Bind every address of `host`. All of them means one IPv6 socket for both families where there is IPv6."""
    if not host:
        try:
            return [_listen(socket.AF_INET6, ("::", port), dual=True)]
        except OSError:
            return [_listen(socket.AF_INET, ("0.0.0.0", port))]  # noqa: S104 - the port is to be reached by all
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = sockets[0].getsockname()[1] if sockets and not port else address[1]
            sockets.append(_listen(family, (str(address[0]), int(chosen))))
    except BaseException:
        for one in sockets:
            one.close()
        raise
    return sockets


def _listen(family: socket.AddressFamily, address: tuple[str, int], *, dual: bool = False) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        one.setblocking(False)
        one.bind(address)
        one.listen(limits.BACKLOG)
    except BaseException:
        one.close()
        raise
    return one
