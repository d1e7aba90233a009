"""What the queue tells of its work: one log line for each recipient's attempt, and the counters behind the report.

`delivery` and `engine` call it after the fact. Nothing here decides or can fail.
"""

from mailhaul_relay.model.message import Envelope, Message, Recipient, State
from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.transmission import Delivery
from mailhaul_relay.queue.chronicle import Chronicle
from mailhaul_relay.queue.rounds import Batch, Change
from mailhaul_relay.queue.suppressor import Suppressor
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally, UpstreamTally

_EVENTS = {
    Verdict.DELIVERED: "delivered",
    Verdict.RETRY: "deferred",
    Verdict.HOLD: "held",
    Verdict.FAILED: "failed",
    Verdict.UNKNOWN: "unknown",
}


class Account:
    """Counts and logs outcomes, and has the last ones remembered."""

    def __init__(self, tally: Tally, log: Log, chronicle: Chronicle) -> None:
        self._tally, self._log, self._chronicle = tally, log, chronicle
        self.suppressor: Suppressor | None = None
        """Hears of every end, where there is one."""

    def attempted(self, message: Message, batch: Batch, delivery: Delivery, started: float, now: float) -> None:
        """One transmission came back."""
        self._chronicle.add(message, batch, delivery, now)
        envelope = message.envelope
        upstream = self._tally.upstream(batch.upstream)
        upstream.endpoint = delivery.endpoint or upstream.endpoint
        upstream.delivery_time.observe(max(0.0, now - started))
        for index, outcome in zip(batch.indexes, delivery.outcomes, strict=True):
            recipient = envelope.recipients[index]
            self._count(upstream, batch.upstream, outcome, now)
            if batch.route:
                self._tally.route(batch.route)[_EVENTS[outcome.verdict]] += 1
            self._log.event(
                _EVENTS[outcome.verdict],
                level="info" if outcome.verdict is Verdict.DELIVERED else "warning",
                id=envelope.id,
                upstream=batch.upstream,
                route=batch.route or None,
                endpoint=delivery.endpoint,
                recipient=recipient.final,
                original=recipient.original if recipient.is_forward else None,
                stage=outcome.stage.value,
                fault=outcome.fault.value if outcome.fault is not Fault.NONE else None,
                reply=outcome.text,
                remedy=outcome.remedy or None,
                signature="broken by another From" if batch.breaks_signature else None,
                seconds=round(now - started, 4),
                age=round(now - envelope.accepted, 3),
            )

    def internal_error(self, message_id: str, error: Exception) -> None:
        """An error of ours, told without the message: its text may hold parts of it."""
        self._tally.handler_errors += 1
        self._log.event("internal-error", level="error", id=message_id, kind=type(error).__name__, where=_where(error))

    def settled(self, message: Message, changes: list[Change], now: float) -> None:
        """A round ended: final fates are counted once a recipient, by alias too."""
        for change in changes:
            recipient = message.envelope.recipients[change.index]
            if change.progress.state is State.DELIVERED:
                self._delivered(recipient, now)
            elif change.progress.state is State.DEAD:
                self._died(message.envelope, recipient, change, now)

    def _delivered(self, recipient: Recipient, now: float) -> None:
        self._tally.delivered += 1
        if self.suppressor is not None:
            self.suppressor.delivered(recipient.final)
        self._tally.delivered_last_day.add(now)
        if recipient.alias:
            self._tally.alias(recipient.alias).forwarded += 1

    def _died(self, envelope: Envelope, recipient: Recipient, change: Change, now: float) -> None:
        self._tally.failed += 1
        self._tally.failed_last_day.add(now)
        if recipient.alias:
            self._tally.alias(recipient.alias).failed += 1
        progress, outcome = change.progress, change.outcome
        # What nobody addressed is an archive: the next mail is copied to it all the same.
        addressed = self.suppressor if recipient.original else None
        if addressed is not None and outcome is not None and _is_for_good(outcome):
            addressed.failed(recipient.final, change.upstream, outcome.text)
        self._log.event(
            "dead-letter",
            level="error",
            id=envelope.id,
            sender=envelope.sender,
            recipient=recipient.original,
            upstream=progress.upstream or None,
            fault=progress.fault,
            reply=progress.text,
            remedy="mend the cause, then `mailhaul queue retry`; or `mailhaul queue drop`",
        )

    def _count(self, upstream: UpstreamTally, name: str, outcome: Outcome, now: float) -> None:
        upstream.last = said = (outcome, now)
        match outcome.verdict:
            case Verdict.DELIVERED:
                upstream.delivered += 1
                upstream.last_delivery = self._tally.last_delivery = now
                self._tally.last_delivery_upstream = name
                return
            case Verdict.RETRY:
                upstream.deferred += 1
            case Verdict.HOLD:
                upstream.held += 1
            case Verdict.FAILED:
                upstream.failed += 1
            case Verdict.UNKNOWN:
                upstream.unknown += 1
        upstream.faults[outcome.fault.value] += 1
        self._tally.error, self._tally.last_error_upstream = said, name


def _is_for_good(outcome: Outcome) -> bool:
    """Whether a recipient was refused permanently; what expires was refused for now only, as a full mailbox is."""
    return outcome.fault is Fault.RECIPIENT and outcome.verdict is Verdict.FAILED


def _where(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else ""
