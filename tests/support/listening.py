"""A real listener on loopback, or a session on a transport of the test's own, over the real policy and a fake spool."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tests.support.memory_spool import MemorySpool

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.listening import Listener as ListenerSpec
from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import Clock, VirtualClock
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.smtpin.logins import Logins
from mailhaul_relay.smtpin.reception import Reception, Services
from mailhaul_relay.smtpin.session import Session
from mailhaul_relay.spool.interface import BodyWriter
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

BASE: dict[str, Any] = {
    "contractVersion": 1,
    "relay": {"namespace": "smtp", "name": "relay"},
    "hostname": "relay.example.com",
    "postmaster": "ops@example.com",
    "listeners": [{"name": "smtp", "port": 2525}],
    "clients": {"allowedNetworks": ["127.0.0.0/8", "10.244.0.0/16"]},
    "upstreams": [{"name": "primary", "provider": "primary", "host": "mail.example.net"}],
}
"""A relay that trusts loopback and pods and has one upstream for any From."""


def running_of(changes: Mapping[str, Any] | None = None, secrets: Secrets | None = None) -> Running:
    """Compile `BASE` with some fields replaced."""
    config = RelayConfig.from_json({**BASE, **(changes or {})})
    running = compile_running(config, secrets or Secrets(), "sha256:test")
    assert isinstance(running, Running), running
    return running


class FakeIntake:
    """The queue as a listener sees it, over a `MemorySpool`; `full` is the watermark, `deferred` is told at the end."""

    def __init__(self, running: Running, spool: MemorySpool) -> None:
        self.current = running
        self.spool = spool
        self.full = False
        self.deferred: Reply | None = None

    def running(self) -> Running:
        return self.current

    def over_watermark(self) -> bool:
        return self.full

    def deferral(self, message: Message) -> Reply | None:  # noqa: ARG002 - as the queue's
        return self.deferred

    def new_body(self) -> BodyWriter:
        return self.spool.new_body()

    def accept(self, message: Message) -> "asyncio.Future[None]":
        return self.spool.accept(message)


class Bench:
    """Everything that a listener needs, within reach of the test. `lines` are the log's."""

    def __init__(self, running: Running | None = None, clock: Clock | None = None) -> None:
        self.spool = MemorySpool()
        self.intake = FakeIntake(running or running_of(), self.spool)
        self.gate = ConnectionGate()
        self.logins = Logins(slowed=0.01)
        self.tally = Tally()
        self.lines: list[str] = []
        clock = clock or VirtualClock()
        self.nodes: frozenset[str] = frozenset()
        self.log = Log(self.lines.append, clock)
        self.clock = clock

    def take_accounts_away(self) -> None:
        """Run on with the same configuration, but without SMTP accounts."""
        running = self.intake.current
        self.intake.current = replace(running, secrets=replace(running.secrets, accounts={}))

    @property
    def services(self) -> Services:
        return Services(self.intake, self.gate, self.tally, self.log, self.clock, self.nodes, self.logins)

    @property
    def spec(self) -> ListenerSpec:
        return self.intake.current.config.listeners[0]

    @property
    def accepted(self) -> list[Message]:
        """The messages in the spool, oldest first."""
        return list(self.spool.messages.values())

    async def listen(self) -> Listener:
        """Open a listener on a free port of loopback."""
        return await Listener.open(self.spec, "127.0.0.1", self.services, port=0)

    def connect(self, client: str = "127.0.0.1") -> "Wire":
        """Begin a session on a transport of the test's own, as if `client` had connected."""
        limits = self.intake.current.config.limits
        reception = Reception(self.spec, self.services, asyncio.get_running_loop())
        assert not self.gate.enter(client, limits)
        session = Session(reception, client)
        reception.enter(session)
        return Wire(session)


class Wire(asyncio.Transport):
    """The client's end of a session without a socket: what was said lies in `said`."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.said = b""
        self.writes = 0
        self.reading = True
        self.pauses = 0
        self.is_open = True
        self.half_closed = False
        session.connection_made(self)

    def send(self, data: bytes) -> bytes:
        """Send, and give what was said since the last look."""
        if self.is_open:
            self.session.data_received(data)
        return self.take()

    def take(self) -> bytes:
        """Give what was said since the last look."""
        self.session.reception.outbox.send()
        said, self.said = self.said, b""
        return said

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes += 1
        self.said += bytes(data)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        return

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False
        self.pauses += 1

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return not self.is_open

    def write_eof(self) -> None:
        self.half_closed = True

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.session.connection_lost(None)

    abort = close
