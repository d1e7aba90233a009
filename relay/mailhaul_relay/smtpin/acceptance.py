"""The end of a message: judged by policy, stored, and only then answered with 250.

`session` makes one `Acceptance` for each message that has come in whole. It answers through the session: 250 after the
spool's future resolved, 452 or 451 when nothing was stored, 5xx when policy refuses. Whatever else goes wrong is 451.
The message stays accepted when the client is gone before its 250.
"""

import asyncio
from typing import TYPE_CHECKING

from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import Admitted, Incoming, admit_message
from mailhaul_relay.smtpin.receiver import Receiver
from mailhaul_relay.smtpin.replies import of_spool_error
from mailhaul_relay.smtpin.transaction import Transaction
from mailhaul_relay.spool.interface import SpoolError

if TYPE_CHECKING:
    from mailhaul_relay.smtpin.session import Session


class Acceptance:
    """Takes one message from its final dot to its reply."""

    __slots__ = (
        "_began",
        "_breaks_signature",
        "_id",
        "_message",
        "_receiver",
        "_rewritten",
        "_session",
        "_transaction",
    )

    def __init__(self, session: "Session", transaction: Transaction, receiver: Receiver, id: str) -> None:  # noqa: A002
        self._session = session
        self._transaction = transaction
        self._receiver = receiver
        self._id = id
        self._began = session.loop.time()
        self._message: Message | None = None
        self._rewritten = ""
        self._breaks_signature = ""

    def begin(self) -> None:
        """Judge and store; the reply comes at once or when the spool has answered."""
        try:
            stored = self._store()
        except SpoolError as error:
            self._deny(of_spool_error(error), error)
        except BaseException:
            self._receiver.discard()
            raise
        else:
            if isinstance(stored, Reply):
                self._deny(stored)
            elif stored.done():
                self._answer(stored)
            else:
                self._session.hold_for_storing()
                stored.add_done_callback(self._resume)

    def _store(self) -> "asyncio.Future[None] | Reply":
        receiver = self._receiver
        if receiver.refusal is not None:
            return receiver.refusal
        head, body = receiver.finish()
        admitted = self._admit(head, body.size)
        if isinstance(admitted, Reply):
            return admitted
        self._breaks_signature, self._rewritten = admitted.breaks_signature, admitted.rewritten
        intake, message = self._session.reception.services.intake, Message(admitted.envelope, admitted.head, body)
        self._message = message
        return intake.deferral(message) or intake.accept(message)

    def _admit(self, head: bytes, body_size: int) -> Admitted | Reply:
        session, transaction = self._session, self._transaction
        incoming = Incoming(
            id=self._id,
            sender=transaction.mail.sender,
            recipients=tuple(transaction.recipients.values()),
            head=head,
            body_size=body_size,
            eight_bit=self._receiver.eight_bit,
            declared_utf8=transaction.mail.utf8,
            client=transaction.source.address,
            helo=session.helo,
            protocol=session.protocol(utf8=transaction.mail.utf8),
            now=session.reception.services.clock(),
            account=transaction.source.account,
        )
        return admit_message(transaction.running, transaction.source, incoming)

    def _resume(self, stored: "asyncio.Future[None]") -> None:
        try:
            self._answer(stored)
        finally:
            self._session.stored()

    def _answer(self, stored: "asyncio.Future[None]") -> None:
        error = asyncio.CancelledError() if stored.cancelled() else stored.exception()
        if error is None:
            self._receiver.discard()
            self._tell_accepted()
        elif isinstance(error, SpoolError):
            self._deny(of_spool_error(error), error)
        else:
            self._receiver.discard()
            self._session.fail(error, self._id)

    def _tell_accepted(self) -> None:
        session, message = self._session, self._message
        assert message is not None
        services, envelope = session.reception.services, message.envelope
        services.tally.accepted += 1
        services.tally.accepted_bytes += envelope.size
        services.tally.accept_time.observe(session.loop.time() - self._began)
        services.log.event(
            "accepted",
            id=envelope.id,
            client=session.client,
            account=envelope.account or None,
            helo=session.helo,
            sender=envelope.sender,
            recipients=[one.final for one in envelope.recipients],
            size=envelope.size,
            tls=session.secured,
            signature=f"broken by {self._breaks_signature}" if self._breaks_signature else None,
        )
        if self._rewritten or self._breaks_signature:
            broken = f"DKIM signature broken by {self._breaks_signature}" if self._breaks_signature else ""
            services.remember(message, "; ".join(filter(None, (self._rewritten, broken))))
        session.answer_accepted(envelope.id)

    def _deny(self, reply: Reply, error: SpoolError | None = None) -> None:
        self._receiver.discard()
        fields = {"stage": "message", "id": self._id, "sender": str(self._transaction.mail.sender or "")}
        if error is not None:
            fields["reason"] = str(error)
        self._session.deny(reply, **fields)
