"""What the sessions of one listener share: its configuration, the services they use, TLS, and prepared greetings.

`listener` makes it, every `session` reads it. Nothing here touches a socket; nothing fails.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailhaul_contract.listening import Listener as ListenerSpec
from mailhaul_contract.listening import ListenerAuth, ListenerTlsMode
from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import size_limit
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import ClientNetworks, Source, judge_source
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.queue.intake import Intake
from mailhaul_relay.smtpin.authentication import MECHANISMS
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.limits import SOURCES
from mailhaul_relay.smtpin.logins import Logins
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

if TYPE_CHECKING:
    from mailhaul_relay.smtpin.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Services:
    """What a listener works with, shared by all. `nodes` are the addresses of the cluster's nodes (`policy.source`);
    `remember` takes what was rewritten in a message that was accepted, for its story.
    """

    intake: Intake
    gate: ConnectionGate
    tally: Tally
    log: Log
    clock: Clock
    nodes: frozenset[str] = frozenset()
    logins: Logins = field(default_factory=Logins)
    remember: Callable[[Message, str], None] = lambda _message, _words: None


class Reception:
    """One listener, as its sessions see it."""

    def __init__(self, spec: ListenerSpec, services: Services, loop: asyncio.AbstractEventLoop) -> None:
        self.spec = spec
        self.services = services
        self.loop = loop
        self.outbox = Outbox()
        self.sessions: set[Conversation] = set()
        self._emptied = asyncio.Event()
        self.parting: Reply | None = None
        """What sessions hear in place of a next message: that the relay stops or drains."""
        own = spec.allowed_networks
        self._networks = None if own is None else ClientNetworks.build(own)
        self._field = _field(spec)
        self.proxies = ClientNetworks.build(spec.proxies) if spec.proxies else None
        """Who may hand over connections by the PROXY protocol; None where it is not spoken."""
        self.offers_auth = spec.auth is not ListenerAuth.NONE
        self.needs_auth = spec.auth is ListenerAuth.REQUIRED
        self._tls: ssl.SSLContext | None = None
        self._prepared_for: Running | None = None
        self._prepared: dict[bool, bytes] = {}
        self._judged_for: Running | None = None
        self._judged: dict[str, Source] = {}

    def enter(self, session: "Conversation") -> None:
        """Count a session in."""
        self.sessions.add(session)
        self.services.tally.sessions_opened += 1
        self.services.tally.sessions_open += 1

    def leave(self, session: "Conversation") -> None:
        """Count a session out, and its client out of the gate."""
        self.sessions.discard(session)
        self.services.tally.sessions_open -= 1
        self.services.gate.leave(session.client)
        if not self.sessions:
            self._emptied.set()

    async def empty(self) -> None:
        """Wait until no session is left."""
        while self.sessions:
            self._emptied.clear()
            await self._emptied.wait()

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The listener's context; None where it does not speak TLS."""
        return self._tls

    @tls.setter
    def tls(self, context: ssl.SSLContext | None) -> None:
        self._tls = None if self.spec.tls is ListenerTlsMode.NONE else context
        self._prepared.clear()

    def judge(self, running: Running, client: str) -> Source:
        """Judge a client's address; the same clients come again and again, so the last judgements are kept."""
        if running is not self._judged_for or len(self._judged) >= SOURCES:
            self._judged_for = running
            self._judged.clear()
        source = self._judged.get(client)
        if source is None:
            source = judge_source(running, client, self.services.nodes, self._networks)
            if self._field:
                source = replace(source, field=self._field)
            self._judged[client] = source
        return source

    def greeting(self, running: Running) -> bytes:
        """Give the 220 line (RFC 5321 section 4.2: it begins with the host name)."""
        return f"220 {running.config.hostname} ESMTP Mailhaul\r\n".encode()

    def ehlo(self, running: Running, *, secured: bool) -> bytes:
        """Give the reply to EHLO; `secured` tells that TLS is active, where STARTTLS is not offered again."""
        if running is not self._prepared_for:
            self._prepared_for = running
            self._prepared.clear()
        reply = self._prepared.get(secured)
        if reply is None:
            reply = self._prepared[secured] = self._ehlo(running, secured=secured)
        return reply

    def _ehlo(self, running: Running, *, secured: bool) -> bytes:
        words = ["PIPELINING", f"SIZE {size_limit(running)}", "8BITMIME", "SMTPUTF8"]
        if secured and self.offers_auth:
            words.append("AUTH " + " ".join(MECHANISMS))
        if self.spec.tls is ListenerTlsMode.START_TLS and self._tls is not None and not secured:
            words.append("STARTTLS")
        lines = [running.config.hostname, *words]
        return "".join(f"250-{line}\r\n" for line in lines).encode() + b"250 ENHANCEDSTATUSCODES\r\n"

    def count_refusal(self, reply: Reply) -> None:
        """Count a refusal by its code and enhanced code."""
        self.services.tally.refused[f"{reply.code} {reply.enhanced}"] += 1


def _field(spec: ListenerSpec) -> str:
    """Where a client's network is to be added, in words, or what it can do besides; "" where that is as usual."""
    own = spec.allowed_networks is not None
    field = f"allowedNetworks of listener {spec.name}" if own else "spec.clients.allowedNetworks"
    if spec.auth is not ListenerAuth.NONE:
        return f"{field}, or log in"
    return field if own else ""
