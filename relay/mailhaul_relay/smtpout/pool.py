"""The SMTP transport: connections to one upstream, kept while they are useful, and transmissions sent over them.

`queue` calls `deliver`, at most `connections.max` at once. Connections come from `idle`, else from `connection`; one
that the other side closed meanwhile is replaced at once and counts as no failure. Every failure is an outcome.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mailhaul_contract.upstream import AuthMechanism, TlsMode, Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.smtpout.breakdown import UnusableError, classify_exception
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.connection import Connection, Dialer
from mailhaul_relay.smtpout.content import BodyError
from mailhaul_relay.smtpout.idle import IdleConnections
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.preparation import prepare
from mailhaul_relay.smtpout.recording import Recording, recorded
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.transaction import Transaction
from mailhaul_relay.smtpout.unmatched_replies import UnmatchedReplies
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
        logins: Logins,
        hostname: str,
        tally: Tally,
        log: Log,
        *,
        timeouts: Timeouts | None = None,
    ) -> None:
        timeouts = timeouts or Timeouts.within(upstream.connections.reply_timeout)
        self._upstream = upstream
        self._dialer = Dialer(upstream, hostname, timeouts, access=logins.access)
        self._logins = logins
        self._timeouts = timeouts
        self._log = log
        self._tally = tally.upstream(upstream.name)
        self._endpoint = f"{upstream.host}:{upstream.port}"
        self._tally.endpoint = self._endpoint
        self._idle = IdleConnections(upstream.connections, timeouts.quit, logins)
        self.recordings: Mapping[str, Recording] = {}
        """Of the messages in it, by id, the dialogue is written down; `app` shares its own table."""
        self.unmatched = UnmatchedReplies(upstream, self._tally, log)

    async def deliver(self, transmission: Transmission) -> Delivery:
        """See `interface.Transport`. A cancellation after a final dot is taken in, and the delivery returned."""
        if len(transmission.recipients) == 1:
            sent = await self._send(transmission, transmission.recipients)
            return Delivery((self._weighed(sent.outcomes[0]) or _NOT_REACHED,), self._endpoint)
        outcomes: dict[str, Outcome] = {}
        transactions = 0
        waiting = list(dict.fromkeys(transmission.recipients))
        alone: frozenset[str] = frozenset()
        for _ in range(MAX_TRANSACTIONS):
            limit = 1 if waiting[0] in alone else self._upstream.behavior.max_recipients or MAX_RECIPIENTS
            batch, waiting = waiting[:limit], waiting[limit:]
            try:
                sent = await self._send(transmission, batch)
            except asyncio.CancelledError:
                if not outcomes:
                    raise
                # Nothing of this part was sent; what became of the parts before it must not be forgotten.
                break
            taken = any(one.verdict is Verdict.DELIVERED for one in (*outcomes.values(), *sent.outcomes) if one)
            sent = replace(sent, outcomes=[self._weighed(one, taken=taken) for one in sent.outcomes])
            again = [one for one, outcome in zip(batch, sent.outcomes, strict=True) if outcome is None]
            alone = alone.union(again) if sent.is_of_one else alone
            waiting = again + waiting
            outcomes.update((one, outcome) for one, outcome in zip(batch, sent.outcomes, strict=True) if outcome)
            transactions += any(one and one.verdict in _TAKEN for one in sent.outcomes)
            if not waiting or sent.cancelled:
                break
            stopper = _stopper(sent, transmission, transactions)
            if stopper is not None:
                outcomes.update(dict.fromkeys(waiting, _for_unsent(stopper)))
                break
        told = tuple(outcomes.get(one, _NOT_REACHED) for one in transmission.recipients)
        return Delivery(told, self._endpoint, transactions)

    def use_at_most(self, connections: int) -> None:
        """See `interface.Transport`."""
        self._idle.use_at_most(connections)

    async def close(self) -> None:
        """See `interface.Transport`. Takes hardly longer than the time limit of QUIT, however dead the upstream is."""
        await self._idle.close()

    async def _send(self, transmission: Transmission, batch: Sequence[str]) -> "_Sent":
        """Run one transaction, on an idle connection or, when there is none or it was closed meanwhile, a fresh one."""
        context = Context(transmission.from_domain, transmission.sender, tuple(batch))
        recording = self.recordings.get(transmission.id) if self.recordings else None
        while True:
            connection = None if self._logins.wants_login else self._idle.take()
            if recording is not None and connection is not None:
                connection.wire.leave(self._timeouts.quit)  # its place is for one whose dialogue is told from the start
                connection = None
            fresh = connection is None
            try:
                connection = connection or await self._open(recording)
                transaction = await self._transact(connection, transmission, context)
            except UnusableError as error:
                return _Sent(self._counted([error.outcome] * len(batch), context))
            if fresh or not transaction.is_stale:
                outcomes = self._counted(transaction.outcomes, context)
                return _Sent(outcomes, transaction.was_cancelled, transaction.is_of_one)

    async def _transact(self, connection: Connection, transmission: Transmission, context: Context) -> Transaction:
        """Run the transaction and part with the connection. Raises UnusableError when the message does not fit it."""
        try:
            prepared = prepare(transmission, context.recipients, connection.capabilities)
        except BodyError as error:
            prepared = classify_exception(Stage.RELAY, error)
        if isinstance(prepared, Outcome):
            self._idle.put_back(connection)
            raise UnusableError(prepared)
        if prepared.breaks_signature:
            self._tell_broken(transmission)
        transaction = Transaction(connection, prepared, self._upstream.profile, context)
        try:
            await transaction.run(self._timeouts)
        finally:
            if transaction.keeps_connection:
                self._idle.put_back(connection)
            else:
                connection.wire.abort()
        return transaction

    def _tell_broken(self, transmission: Transmission) -> None:
        self._log.event(
            "signature-broken",
            level="warning",
            id=transmission.id,
            upstream=self._upstream.name,
            reason="made 7-bit, for the upstream offers no 8BITMIME",
            remedy="let the application sign mail that it encodes as quoted-printable or base64",
        )

    async def _open(self, recording: Recording | None) -> Connection:
        dialer = self._dialer if recording is None else recorded(self._dialer, recording)
        connection = await self._logins.open(dialer.dial)
        if recording is not None:
            connection.used = self._upstream.connections.messages_per_connection  # it takes this one message only
        self._tally.connections_opened += 1
        if connection.wire.lost is None:
            self._tally.connections_open += 1
            connection.wire.when_lost = self._count_lost
        return connection

    def _count_lost(self) -> None:
        self._tally.connections_open -= 1

    def _weighed(self, outcome: Outcome | None, *, taken: bool = False) -> Outcome | None:
        """Give an outcome by what its session has shown. Who refuses sender, login or TLS at RCPT refuses for himself
        when others of the same message were `taken`, or when there was a login, or is TLS.
        """
        if outcome is None or outcome.stage is not Stage.RCPT or outcome.fault not in _PROVED:
            return outcome
        has_login = self._upstream.auth is not AuthMechanism.NONE and outcome.rule in _LOGIN_WANTED
        has_tls = self._upstream.tls.mode is not TlsMode.NONE and outcome.fault is Fault.TLS
        if not (taken or has_login or has_tls):
            return outcome
        return replace(outcome, fault=Fault.RECIPIENT, remedy=_RESTRICTED)

    def _counted(self, outcomes: Sequence[Outcome | None], context: Context) -> Sequence[Outcome | None]:
        self.unmatched.count(outcomes, context)
        return outcomes


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one transaction came to: outcomes in the order of its recipients, None for one to be sent in a new one;
    with `is_of_one` in one of its own, and no verdict on others.
    """

    outcomes: Sequence[Outcome | None]
    cancelled: bool = False
    is_of_one: bool = False


def _stopper(sent: _Sent, transmission: Transmission, transactions: int) -> Outcome | None:
    """Why there is no further transaction of the same message now; None when there is one."""
    said = () if sent.is_of_one else sent.outcomes
    stopper = next((outcome for outcome in said if outcome and _stops_all(outcome)), None)
    if stopper is None and transmission.further is not None:
        return transmission.further(transactions)
    return stopper


def _stops_all(outcome: Outcome) -> bool:
    """Whether further transactions of the same message are pointless now. What fails some is no verdict on those that
    nobody asked about: a content may be against the rules of one recipient's domain.
    """
    if outcome.verdict in {Verdict.DELIVERED, Verdict.FAILED}:
        return False
    return outcome.fault.is_of_upstream or outcome.fault in {Fault.SENDER, Fault.CONTENT, Fault.PROTOCOL}


def _for_unsent(outcome: Outcome) -> Outcome:
    """The outcome of recipients that were not tried any more: what is unknown of others is only late for them."""
    return replace(outcome, verdict=Verdict.RETRY) if outcome.verdict is Verdict.UNKNOWN else outcome


_TAKEN = frozenset({Verdict.DELIVERED, Verdict.UNKNOWN})
_PROVED = frozenset({Fault.SENDER, Fault.AUTH, Fault.TLS})
"""What cannot be wrong with mail that the upstream takes for another recipient."""
_LOGIN_WANTED = frozenset({"authentication-required", "authentication-required-code"})
"""The rows that ask for a login; at RCPT, after one, it is not ours that they ask for."""
_RESTRICTED = (
    "Sender, login and TLS are as the upstream wants them: ask the recipient's administrator to allow the sender."
)
_NOT_REACHED = Outcome(
    Verdict.RETRY,
    Stage.RELAY,
    Fault.TRANSIENT,
    detail=f"not sent yet: the relay is stopping, or the message needs more than {MAX_TRANSACTIONS} transactions",
    remedy="Nothing to do; if it stays so, set behavior.maxRecipients of the UpstreamProvider.",
)
