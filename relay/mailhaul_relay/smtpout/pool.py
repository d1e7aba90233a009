"""The SMTP transport: connections to one upstream, kept while they are useful, and transmissions sent over them.

`queue` calls `deliver`, at most `connections.max` at once. Idle connections are reused, newest first; they go with QUIT
after `idle_timeout`, after `messages_per_connection`, or on `close`, and nobody waits for that. A connection that the
other side closed meanwhile is replaced at once and counts as no failure.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from mailhaul_contract.config import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.smtpout.breakdown import UnusableError, classify_exception
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.connection import Connection, Dialer
from mailhaul_relay.smtpout.content import BodyError
from mailhaul_relay.smtpout.preparation import prepare
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.transaction import Transaction
from mailhaul_relay.smtpout.wire import Wire
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

MAX_RECIPIENTS = 100
"""Recipients of one transaction where the provider names no limit: what every server takes (RFC 5321 4.5.3.1.8)."""
MAX_TRANSACTIONS = 200
"""Transactions for one transmission, should the upstream take one recipient at a time."""


class SmtpTransport:
    """Implements `interface.Transport`."""

    def __init__(
        self,
        upstream: Upstream,
        credential: Credential | None,
        hostname: str,
        tally: Tally,
        log: Log,
        *,
        timeouts: Timeouts | None = None,
    ) -> None:
        timeouts = timeouts or Timeouts.within(upstream.connections.reply_timeout)
        self._upstream = upstream
        self._dialer = Dialer(upstream, credential, hostname, timeouts)
        self._timeouts = timeouts
        self._log = log
        self._tally = tally.upstream(upstream.name)
        self._endpoint = f"{upstream.host}:{upstream.port}"
        self._tally.endpoint = self._endpoint
        self._idle: list[Connection] = []
        self._live: set[Wire] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def deliver(self, transmission: Transmission) -> Delivery:
        """See `interface.Transport`. A cancellation after the final dot is taken in, and the delivery returned."""
        outcomes: dict[str, Outcome] = {}
        waiting = list(dict.fromkeys(transmission.recipients))
        limit = self._upstream.behavior.max_recipients or MAX_RECIPIENTS
        for _ in range(MAX_TRANSACTIONS):
            if not waiting:
                break
            batch, waiting = waiting[:limit], waiting[limit:]
            results = await self._send(transmission, batch)
            again = [one for one, outcome in zip(batch, results, strict=True) if outcome is None]
            outcomes.update((one, outcome) for one, outcome in zip(batch, results, strict=True) if outcome is not None)
            waiting = again + waiting
            stopper = next((outcome for outcome in results if outcome is not None and _stops_all(outcome)), None)
            if stopper is not None:
                outcomes.update(dict.fromkeys(waiting, _for_unsent(stopper)))
                waiting = []
        return Delivery(tuple(outcomes.get(one, _NOT_REACHED) for one in transmission.recipients), self._endpoint)

    async def close(self) -> None:
        """See `interface.Transport`. Takes at most the time limit of QUIT, however dead the upstream is."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        leaving = [connection.wire for connection in self._idle]
        self._idle.clear()
        gone = [wire.leave(self._timeouts.quit) for wire in leaving]
        if gone:
            await asyncio.wait(gone, timeout=self._timeouts.quit + 1.0)

    async def _send(self, transmission: Transmission, batch: Sequence[str]) -> list[Outcome | None]:
        """Run one transaction, on an idle connection or a fresh one."""
        context = Context(transmission.from_domain, transmission.sender, tuple(batch))
        while True:
            connection = self._take_idle()
            fresh = connection is None
            try:
                connection = connection or await self._open()
            except UnusableError as error:
                return list(self._counted([error.outcome] * len(batch)))
            transaction = await self._transact(connection, transmission, context)
            if isinstance(transaction, Outcome):
                return [transaction] * len(batch)
            if fresh or not transaction.is_stale:
                return list(self._counted(transaction.outcomes))

    async def _transact(
        self, connection: Connection, transmission: Transmission, context: Context
    ) -> Transaction | Outcome:
        try:
            prepared = prepare(transmission, context.recipients, connection.capabilities)
        except BodyError as error:
            prepared = classify_exception(Stage.RELAY, error)
        if isinstance(prepared, Outcome):
            self._put_back(connection)
            return prepared
        try:
            transaction = Transaction(connection, prepared, self._upstream.profile, context)
            await transaction.run(self._timeouts)
        except BaseException:
            connection.wire.abort()
            raise
        if transaction.keeps_connection:
            self._put_back(connection)
        else:
            connection.wire.abort()
        return transaction

    async def _open(self) -> Connection:
        connection = await self._dialer.dial()
        wire = connection.wire
        self._tally.connections_opened += 1
        self._live.add(wire)
        self._tally.connections_open += 1
        wire.when_lost = lambda: self._forget(wire)
        if wire.lost is not None:
            self._forget(wire)
        return connection

    def _forget(self, wire: Wire) -> None:
        if wire in self._live:
            self._live.discard(wire)
            self._tally.connections_open -= 1

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.wire.is_clean:
                return connection
            connection.wire.abort()
        return None

    def _put_back(self, connection: Connection) -> None:
        wire = connection.wire
        if not wire.is_clean:
            wire.abort()
        elif self._closed or connection.used >= self._upstream.connections.messages_per_connection:
            wire.leave(self._timeouts.quit)
        else:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            self._idle.append(connection)
            if self._sweeper is None:
                self._sweeper = loop.call_later(self._upstream.connections.idle_timeout, self._sweep)

    def _sweep(self) -> None:
        """Retire what has been idle for too long; come back when the next one may be due."""
        loop = asyncio.get_running_loop()
        self._sweeper = None
        timeout = self._upstream.connections.idle_timeout
        oldest = loop.time() - timeout
        kept = []
        for connection in self._idle:
            if connection.wire.lost is not None:
                continue
            if connection.idle_since <= oldest:
                connection.wire.leave(self._timeouts.quit)
            else:
                kept.append(connection)
        self._idle = kept
        if kept:
            due = min(connection.idle_since for connection in kept) + timeout
            self._sweeper = loop.call_at(due, self._sweep)

    def _counted(self, outcomes: Sequence[Outcome | None]) -> Sequence[Outcome | None]:
        """Count and tell replies that no row of the table knows, so that the table may grow."""
        unmatched = {
            one for one in outcomes if one and one.reply and not one.rule and one.verdict is not Verdict.DELIVERED
        }
        self._tally.unmatched_replies += len(unmatched)
        for one in unmatched:
            self._log.event(
                "reply-unmatched",
                level="warning",
                upstream=self._upstream.name,
                profile=self._upstream.profile,
                stage=one.stage.value,
                reply=one.text,
            )
        return outcomes


def _stops_all(outcome: Outcome) -> bool:
    """Whether further transactions of the same message are pointless now."""
    if outcome.verdict is Verdict.DELIVERED:
        return False
    return outcome.fault.is_of_upstream or outcome.fault in {Fault.SENDER, Fault.CONTENT, Fault.PROTOCOL}


def _for_unsent(outcome: Outcome) -> Outcome:
    """The outcome of recipients that were not tried any more: what is unknown of others is only late for them."""
    return replace(outcome, verdict=Verdict.RETRY) if outcome.verdict is Verdict.UNKNOWN else outcome


_NOT_REACHED = Outcome(
    Verdict.RETRY,
    Stage.RELAY,
    Fault.TRANSIENT,
    detail=f"not tried yet: the message needs more than {MAX_TRANSACTIONS} transactions at this upstream",
    remedy="Set behavior.maxRecipients of the UpstreamProvider.",
)
