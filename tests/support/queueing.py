"""The queue's parts put together over a spool in memory, a clock that stands still, and upstreams that are scripted.

`Desk.upstream("a").answers` lists what upstream `a` does with each transmission, in order; afterwards it delivers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.support.memory_spool import MemorySpool

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Recipient
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.account import Account
from mailhaul_relay.queue.bouncer import Bouncer
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.delivery import Courier
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.queue.memory import Memory
from mailhaul_relay.queue.scanner import Scanner
from mailhaul_relay.queue.waker import Waker
from mailhaul_relay.queue.ways import Ways
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

Answer = tuple[Outcome, ...] | Callable[[], Any]

DELIVERED = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=Reply(250, "2.0.0", "taken"))
REFUSED_CONNECTION = Outcome(Verdict.RETRY, Stage.CONNECT, Fault.CONNECTION, detail="connection refused")
GREYLISTED = Outcome(Verdict.RETRY, Stage.RCPT, Fault.TRANSIENT, Reply(451, "4.7.1", "greylisted"))
WRONG_PASSWORD = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "bad password"))
REFUSED_FROM = Outcome(Verdict.HOLD, Stage.END_OF_DATA, Fault.SENDER, Reply(554, "5.7.1", "From not verified"))
NO_SUCH_USER = Outcome(Verdict.FAILED, Stage.RCPT, Fault.RECIPIENT, Reply(550, "5.1.1", "no such user"))
TOO_LARGE_HERE = Outcome(Verdict.FAILED, Stage.MAIL, Fault.SIZE, Reply(552, "5.3.4", "too big"), retry_elsewhere=True)
LOST_AFTER_DOT = Outcome(Verdict.UNKNOWN, Stage.END_OF_DATA, Fault.CONNECTION, detail="lost after the final dot")


@dataclass
class FakeTransport:
    """An upstream that does what it is told. `taken` are the transmissions that it was given."""

    upstream: Upstream
    logins: Logins
    answers: list[Answer] = field(default_factory=list)
    taken: list[Transmission] = field(default_factory=list)
    closed: bool = False
    most: int = 0

    async def deliver(self, transmission: Transmission) -> Delivery:
        self.taken.append(transmission)
        answer = self.answers.pop(0) if self.answers else (DELIVERED,)
        if callable(answer):
            answer = await answer()
        outcomes = answer * len(transmission.recipients) if len(answer) == 1 else answer
        return Delivery(outcomes, f"{self.upstream.host}:25")

    def use_at_most(self, connections: int) -> None:
        self.most = connections

    async def close(self) -> None:
        self.closed = True


class Desk:
    """Everything that a queue needs, and the queue."""

    def __init__(self, clock: VirtualClock | None = None, **config: Any) -> None:  # noqa: ANN401 - fields of RelayConfig
        self.clock = clock or VirtualClock()
        self.spool = MemorySpool()
        self.transports: dict[str, list[FakeTransport]] = {}
        self.scripts: dict[str, list[Answer]] = {}
        self.lines: list[str] = []
        self.log = Log(self.lines.append, self.clock)
        self.tally = Tally()
        self.configured = running(**config)
        self.memory = Memory(self.spool, self.log)
        self.ways = Ways(self.memory, self._transport, self.log, self.clock, lambda: 0.0)
        self.chronicle = Chronicle(self.spool, self.log, self.clock)
        self.account = Account(self.tally, self.log, self.chronicle)
        courier = Courier(self.ways, self.running, self.account, self.clock, lambda: 0.5)
        self.bouncer = Bouncer(self.running, self.tally, self.log, self.clock)
        self.queue = Queue(self.running, self.spool, courier, self.bouncer, self.log)
        self.bouncer.accept = self.queue.accept
        self.scanner = Scanner(self.queue, self.spool, self.clock, self.log)
        self.waker = Waker(self.queue, self.spool, self.clock, self.log)
        self.ways.on_reopen = self.waker.reopened
        self.ways.apply(self.configured)

    def running(self) -> Running:
        return self.configured

    def script(self, name: str, *answers: Answer) -> None:
        """Say what an upstream does next."""
        self.transport(name).answers.extend(answers)

    def transport(self, name: str) -> FakeTransport:
        """The transport of an upstream as it stands now."""
        return self.transports[name][-1]

    def reconfigure(self, secrets: Secrets | None = None, **config: Any) -> bool:  # noqa: ANN401
        """Apply another configuration."""
        self.configured = running(secrets=secrets or Secrets(), **config)
        return self.ways.apply(self.configured)

    async def send(self, message: Message) -> Message | None:
        """Accept a message and wait until it is settled for now; what the spool keeps of it."""
        await self.queue.accept(message)
        await self.settled(message.id)
        return self.spool.messages.get(message.id)

    async def again(self, message_id: str) -> Message | None:
        """Work once more on what is due of a stored message."""
        assert self.queue.begin(self.spool.messages[message_id])
        await self.settled(message_id)
        return self.spool.messages.get(message_id)

    async def settled(self, message_id: str) -> None:
        """Wait until a message is not in work."""
        while message_id in self.queue.active:  # noqa: ASYNC110 - the work is a task that nobody else sees
            await asyncio.sleep(0)

    @asynccontextmanager
    async def scanning(self) -> AsyncIterator[None]:
        """Let the scanner run."""
        task = asyncio.get_running_loop().create_task(self.scanner.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _transport(self, upstream: Upstream, logins: Logins, hostname: str) -> FakeTransport:  # noqa: ARG002
        transport = FakeTransport(upstream, logins)
        self.transports.setdefault(upstream.name, []).append(transport)
        return transport


def running(secrets: Secrets | None = None, **config: Any) -> Running:  # noqa: ANN401 - fields of RelayConfig
    """A compiled configuration; upstreams `a` (priority 0) and `b` (priority 10) unless others are given."""
    known = secrets or Secrets()
    document = {
        "contract_version": 1,
        "relay": {"namespace": "mail", "name": "relay"},
        "hostname": "relay.example.com",
        "listeners": [{"name": "smtp", "port": 2525}],
        "upstreams": [upstream("a", 0), upstream("b", 10)],
        "secret_revision": known.revision,
    } | config
    compiled = compile_running(RelayConfig.model_validate(document), known, f"sha256:{_digest(config)}{known.revision}")
    assert isinstance(compiled, Running), compiled
    return compiled


def _digest(config: dict[str, Any]) -> str:
    """Another one for another configuration, as in earnest."""
    return sha256(repr(sorted(config.items())).encode()).hexdigest()


def upstream(name: str, priority: int = 0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of Upstream
    """An upstream of the configuration."""
    return {"name": name, "provider": name, "host": f"{name}.example", "priority": priority} | fields


def mail(
    message_id: str = "m1",
    *to: str,
    sender: str = "app@example.com",
    accepted: float | None = None,
    envelope_sender: str | None = None,
) -> Message:
    """A submission to one recipient or more; the envelope sender is the author unless it is given."""
    recipients = tuple(Recipient(one, one) for one in to or ("r@example.net",))
    domain = sender.partition("@")[2]
    when = VirtualClock().now if accepted is None else accepted
    reverse_path = sender if envelope_sender is None else envelope_sender
    envelope = Envelope(message_id, reverse_path, recipients, domain, Origin.SUBMISSION, when, 60)
    return Message(envelope, f"From: {sender}\r\nSubject: x\r\n\r\n".encode(), Body(4, b"hi\r\n"))
