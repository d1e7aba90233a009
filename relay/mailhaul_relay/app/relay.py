"""One relay: its parts put together, its configuration applied, its state told.

`process` starts and stops it. Nothing is decided here: each part has its own package. Failures: a configuration that
cannot be used is refused and told, and the last good one runs on.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.report import RefusedConfig
from mailhaul_contract.upstream import Upstream, UpstreamKind
from mailhaul_relay.app.listeners import Listeners
from mailhaul_relay.app.options import Addresses
from mailhaul_relay.app.placeholder import nothing_yet
from mailhaul_relay.http.readings import Identity, Readings
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.chance import system_chance
from mailhaul_relay.ports.clock import wall_clock
from mailhaul_relay.ports.replica import own_ordinal
from mailhaul_relay.queue.account import Account
from mailhaul_relay.queue.bouncer import Bouncer
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.commands import QueueCommands
from mailhaul_relay.queue.day_book import DayBook
from mailhaul_relay.queue.delivery import Courier
from mailhaul_relay.queue.engine import Queue
from mailhaul_relay.queue.journal import Journal
from mailhaul_relay.queue.memory import Memory
from mailhaul_relay.queue.prober import Prober
from mailhaul_relay.queue.pruner import Pruner
from mailhaul_relay.queue.reply_book import ReplyBook
from mailhaul_relay.queue.scanner import Scanner
from mailhaul_relay.queue.suppressor import Suppressor
from mailhaul_relay.queue.waker import Waker
from mailhaul_relay.queue.ways import Ways
from mailhaul_relay.reload.watcher import Awaiting, Loaded, Refusal
from mailhaul_relay.smtpin.gate import ConnectionGate
from mailhaul_relay.smtpin.reception import Services
from mailhaul_relay.smtpout.capture import CaptureTransport
from mailhaul_relay.smtpout.inbox import Inbox
from mailhaul_relay.smtpout.interface import Transport
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.pool import SmtpTransport
from mailhaul_relay.smtpout.recording import Recordings
from mailhaul_relay.smtpout.unmatched_replies import UnmatchedReplies
from mailhaul_relay.spool.interface import Spool
from mailhaul_relay.telemetry.lines import LineWriter
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally


@dataclass(frozen=True, slots=True)
class Stores:
    """What a relay keeps on disk."""

    spool: Spool
    inbox: Inbox


class Relay:
    """Everything between a client's connection and an upstream's reply, over one spool."""

    def __init__(self, stores: Stores, addresses: Addresses, log: Log, lines: LineWriter) -> None:
        spool = self.spool = stores.spool
        self.inbox, self.log, self._lines = stores.inbox, log, lines
        self.tally = Tally()
        self._running = nothing_yet()
        self._started = wall_clock()
        self._refused: RefusedConfig | None = None
        self._awaiting: Awaiting | None = None
        self._stopping = self._draining = False
        self.chronicle, self.recordings = Chronicle(spool, log, wall_clock), Recordings(wall_clock)
        self.day_book = DayBook(spool, self.tally, log, wall_clock)
        self.reply_book = ReplyBook(spool, log, wall_clock)
        self.memory = Memory(spool, log, own_ordinal())
        self.ways = Ways(self.memory, self._transport, log, wall_clock, system_chance)
        self.prober = Prober(self.ways, log, wall_clock)
        self.prober.unmatched = self._unmatched
        account = Account(self.tally, log, self.chronicle)
        courier = Courier(self.ways, self.running, account, wall_clock, system_chance)
        bouncer = Bouncer(self.running, self.tally, log, wall_clock)
        self.queue = Queue(self.running, spool, courier, bouncer, log)
        bouncer.accept = self.queue.accept
        self.suppressor = Suppressor(spool, lambda: self._running.config.suppression, log, wall_clock)
        account.suppressor, self.suppressor.on_change = self.suppressor, self._suppress
        self.suppressor.spared = lambda: (one.final for one in self._running.senders.archive)
        self.pruner = Pruner(spool, self.queue, self.chronicle, self.tally, log)
        journal = Journal(self.tally, log, self.chronicle, account, bouncer, wall_clock)
        self.commands = QueueCommands(spool, self.queue, self.running, journal, wall_clock)
        self.scanner = Scanner(self.queue, spool, wall_clock, log)
        self.waker = Waker(self.queue, spool, wall_clock, log)
        self.ways.on_reopen, self.scanner.on_set_back = self.waker.reopened, self.waker.wake
        services = Services(self.queue, ConnectionGate(), self.tally, log, wall_clock, addresses.nodes)
        services = replace(services, remember=lambda one, words: self.chronicle.note(one, "rewrite", words))
        self.listeners = Listeners(addresses.bind, services)

    def running(self) -> Running:
        """The configuration of this moment."""
        return self._running

    async def apply(self, loaded: Loaded) -> bool:
        """Take what the watcher found: run it, or tell why not. False when a listener could not be opened."""
        match loaded:
            case Refusal():
                self._awaiting = None
                self._refuse(loaded)
            case Awaiting():
                self._await(loaded)
            case _:
                return await self._run(loaded)
        return True

    async def _run(self, running: Running) -> bool:
        reasons = self.listeners.refusals(running)
        if reasons:
            self._refuse(Refusal(running.digest, wall_clock(), reasons))
            return False
        self._awaiting = None
        self.log.redact = running.config.logging.redact_addresses
        # The digest covers the alias tables, which are named in the file by theirs; comparing them takes long.
        before, self._running = self._running, running
        self._suppress()
        if self._refused and self._refused.digest != running.digest:
            self._refused = None  # at once with the digest: a report is never of two configurations
        is_new = (running.digest, running.secrets) != (before.digest, before.secrets)
        if self.ways.apply(running) or leads_elsewhere(before.config, running.config):
            self.waker.wake()
        troubles = await self.listeners.apply(running)
        if troubles:
            self._refuse(Refusal(running.digest, wall_clock(), troubles))
        else:
            self._refused = None
        if is_new:
            self.tally.reloads["applied"] += 1
            self.log.event("config-applied", digest=running.digest, secret_revision=running.secrets.revision or None)
        return not troubles

    def _suppress(self) -> None:
        """Put whom the suppression list refuses now into the running configuration."""
        self._running = replace(self._running, suppressed=self.suppressor.refusing())

    @property
    def loops(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What runs again and again, each until it is cancelled."""
        return self.scanner.run, self.chronicle.run, self.suppressor.run, self.day_book.run, self.prune

    async def prune(self) -> None:
        """Drop dead letters whose time is over, again and again until cancelled."""
        await self.pruner.run(self.running, wall_clock)

    def _await(self, awaiting: Awaiting) -> None:
        if awaiting == self._awaiting:
            return
        self._awaiting = awaiting
        if awaiting.revision:
            self.log.event("config-awaits-secrets", digest=awaiting.digest, revision=awaiting.revision)
        if awaiting.tables:
            self.log.event("config-awaits-tables", digest=awaiting.digest, tables=list(awaiting.tables))

    def _refuse(self, refusal: Refusal) -> None:
        known = self._refused
        if known and (known.digest, known.reasons) == (refusal.digest, refusal.reasons):
            return
        self._refused = RefusedConfig(digest=refusal.digest, time=refusal.time, reasons=refusal.reasons)
        self.tally.reloads["refused"] += 1
        self.log.event("config-refused", level="error", digest=refusal.digest or None, reasons=list(refusal.reasons))

    def drain(self, *, draining: bool) -> None:
        """Take no new mail and go on delivering, or take it again. A restart forgets it: who wants it asks again."""
        if draining != self._draining:
            self._draining = draining
            self.listeners.drain(draining=draining)
            self.log.event("draining" if draining else "drain-ended")

    def _transport(self, upstream: Upstream, logins: Logins, hostname: str) -> Transport:
        if upstream.kind is UpstreamKind.CAPTURE:
            return CaptureTransport(self.inbox, upstream.name)
        transport = SmtpTransport(upstream, logins, hostname, self.tally, self.log)
        transport.recordings = self.recordings
        transport.unmatched = self._unmatched(upstream)
        return transport

    def _unmatched(self, upstream: Upstream) -> UnmatchedReplies:
        unmatched = UnmatchedReplies(upstream, self.tally.upstream(upstream.name), self.log)
        unmatched.saw = partial(self.reply_book.saw, upstream.provider)
        return unmatched

    def not_accepting(self) -> str:
        """Why no mail is accepted now; "" when it is."""
        if self._stopping:
            return "the relay is stopping"
        if self._draining:
            return "draining: new mail is for other replicas, what is queued here goes on"
        if self.listeners.reports():
            return ""
        if self._awaiting:
            return self._awaiting.reason
        return "; ".join(self._refused.reasons) if self._refused else "no configuration was read yet"

    def readings(self) -> Readings:
        """Everything that the report and the metrics show."""
        running = self._running
        return Readings(
            config=running.config,
            identity=Identity(
                pid=os.getpid(),
                started=self._started,
                version=version("mailhaul"),
                digest=running.digest,
                secret_revision=running.secrets.revision,
                awaiting=self._awaiting.revision if self._awaiting else "",
                awaiting_reason=self._awaiting.reason if self._awaiting else "",
                refused=self._refused,
            ),
            tally=self.tally,
            counts=self.spool.counts(),
            upstreams=self.ways.states(),
            listeners=self.listeners.reports(),
            not_accepting=self.not_accepting(),
            now=wall_clock(),
            log_dropped=self._lines.dropped,
            draining=self._draining,
            suppressed=len(running.suppressed),
            suppressions=self.suppressor.begun,
        )

    async def stop(self, grace: float) -> None:
        """Stop accepting, let sessions and attempts under way end within `grace` seconds, begin none."""
        self._stopping = True
        self.log.event("stopping", grace=grace)
        await asyncio.gather(self.listeners.stop(grace), self.queue.stop(grace), self.prober.stop())
        await self.waker.stop()
        await self.chronicle.flush()
        await self.suppressor.flush()
        await self.day_book.flush()
        await self.reply_book.flush()


def leads_elsewhere(before: RelayConfig, now: RelayConfig) -> bool:
    """Whether what waits may leave with the same upstreams: by another route, or as another sender."""
    return _led(before) != _led(now)


def _led(config: RelayConfig) -> tuple[object, ...]:
    aliases = config.aliases
    return config.routes, config.delivery.suspended, config.postmaster, aliases.from_rewriting, aliases.srs
