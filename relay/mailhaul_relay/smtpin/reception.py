"""What the sessions of one listener share: its configuration, the services they use, TLS, and prepared greetings.

`listener` makes it, every `session` reads it. Nothing here touches a socket; nothing fails.
"""

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailhaul_contract.listening import Listener as ListenerSpec
from mailhaul_contract.listening import ListenerTlsMode
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import size_limit
from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source, judge_source
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.queue.intake import Intake
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.limits import SOURCES
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

if TYPE_CHECKING:
    from mailhaul_relay.smtpin.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Services:
    """What a listener works with. `nodes` are the addresses of the cluster's nodes (see `policy.source`)."""

    intake: Intake
    gate: ConnectionGate
    tally: Tally
    log: Log
    clock: Clock
    nodes: frozenset[str] = frozenset()


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
        """The context for STARTTLS; None while it is not to be offered."""
        return self._tls

    @tls.setter
    def tls(self, context: ssl.SSLContext | None) -> None:
        self._tls = context if self.spec.tls is ListenerTlsMode.START_TLS else None
        self._prepared.clear()

    def judge(self, running: Running, client: str) -> Source:
        """Judge a client's address; the same clients come again and again, so the last judgements are kept."""
        if running is not self._judged_for or len(self._judged) >= SOURCES:
            self._judged_for = running
            self._judged.clear()
        source = self._judged.get(client)
        if source is None:
            source = self._judged[client] = judge_source(running, client, self.services.nodes)
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
        if self._tls is not None and not secured:
            words.append("STARTTLS")
        lines = [running.config.hostname, *words]
        return "".join(f"250-{line}\r\n" for line in lines).encode() + b"250 ENHANCEDSTATUSCODES\r\n"

    def count_refusal(self, reply: Reply) -> None:
        """Count a refusal by its code and enhanced code."""
        self.services.tally.refused[f"{reply.code} {reply.enhanced}"] += 1
