"""The SMTP session: MAIL, RCPT and DATA (RFC 5321 section 4.1.1), on top of `entrance` and what is below it.

It asks `policy` about sources, senders, recipients and messages, and `acceptance` takes a message at its end. Methods
are named as aiosmtpd names them and run to their end at once. Refusals are values; docs/smtp.md lists the replies.
"""

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import admit_recipient, admit_sender
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.chance import message_id
from mailhaul_relay.smtpin import limits, replies
from mailhaul_relay.smtpin.acceptance import Acceptance
from mailhaul_relay.smtpin.arguments import POSTMASTER, MailArguments, parse_mail, parse_rcpt
from mailhaul_relay.smtpin.conversation import Hold
from mailhaul_relay.smtpin.entrance import Entrance
from mailhaul_relay.smtpin.line_ends import line_ends
from mailhaul_relay.smtpin.receiver import Receiver
from mailhaul_relay.smtpin.reception import Reception
from mailhaul_relay.smtpin.transaction import Transaction

_UNDER_WAY = Hold.STORING | Hold.TLS | Hold.LOGIN


class Session(Entrance):
    """A client's session, with its mail transactions."""

    def __init__(self, reception: Reception, client: str) -> None:
        super().__init__(reception, client)
        self._transaction: Transaction | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a message is under way."""
        return self._transaction is None and self._receiver is None and not self._hold & _UNDER_WAY

    def _forget(self) -> None:
        self._transaction = None
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.discard()

    # The transaction

    async def smtp_MAIL(self, argument: str) -> None:
        """Begin a transaction."""
        offers_auth = self._extended and self.reception.offers_auth
        mail = self._mail_out_of_order() or parse_mail(argument, extended=self._extended, auth=offers_auth)
        if isinstance(mail, Reply):
            self._err(mail)
        elif (parting := self.reception.parting) is not None:
            self.close(parting)
        else:
            self._begin_transaction(mail)

    def _mail_out_of_order(self) -> Reply | None:
        if not self.helo:
            return replies.HELO_NEEDED
        return replies.NESTED_MAIL if self._transaction is not None else None

    def _begin_transaction(self, mail: MailArguments) -> None:
        running = self._current()
        if self._commands is not self.commands:  # by a configuration that has just come
            self.refuse_entrance()
            return
        refusal = self._crowded(running) or admit_sender(running, self._source, mail.sender, mail.size)
        if refusal is None:
            self._transaction = Transaction(running, self._source, mail)
            self._out.append(replies.SENDER_OK)
        else:
            self.deny(refusal, stage="mail", sender=str(mail.sender or ""))

    def _crowded(self, running: Running) -> Reply | None:
        services = self.reception.services
        if services.intake.over_watermark():
            return replies.OVER_WATERMARK
        if not services.gate.may_send(self.client, running.config.limits, services.clock()):
            return replies.TOO_FAST
        return None

    async def smtp_RCPT(self, argument: str) -> None:
        """Add a recipient, or what its alias leads to."""
        transaction = self._transaction
        if transaction is None:
            self._err(self._needed())
            return
        address = parse_rcpt(argument, utf8=transaction.mail.utf8)
        if isinstance(address, Reply):
            transaction.addressed_in_vain = True
            self._err(address)
        elif transaction.is_full:
            self._overflow(transaction)
        else:
            self._add_recipient(transaction, address)

    def _needed(self) -> Reply:
        return replies.MAIL_NEEDED if self.helo else replies.HELO_NEEDED

    def _add_recipient(self, transaction: Transaction, address: Address) -> None:
        now, is_bounce = self.reception.services.clock(), not transaction.mail.sender
        admitted = admit_recipient(transaction.running, transaction.source, address, now, is_bounce=is_bounce)
        refusal = admitted if isinstance(admitted, Reply) else transaction.add(admitted)
        if refusal is None:
            self._out.append(replies.RECIPIENT_OK)
            return
        transaction.addressed_in_vain = True
        if address is POSTMASTER and isinstance(admitted, Reply):
            refusal = replies.NO_POSTMASTER
        self.deny(refusal, stage="rcpt", sender=str(transaction.mail.sender or ""), recipient=str(address))

    def _overflow(self, transaction: Transaction) -> None:
        """A client may go on with thousands of RCPT; that is told once a message, and costs it nothing."""
        if transaction.overflown:
            self._refuse(replies.TOO_MANY_RECIPIENTS)
        else:
            transaction.overflown = True
            self.deny(replies.TOO_MANY_RECIPIENTS, stage="rcpt", sender=str(transaction.mail.sender or ""))

    async def smtp_DATA(self, argument: str) -> None:
        """Take the message."""
        transaction = self._transaction
        if argument:
            self._err(replies.NO_ARGUMENT)
        elif transaction is None:
            self._err(self._needed())
        elif not transaction.recipients:
            self._err(replies.NO_RECIPIENTS if transaction.addressed_in_vain else replies.RCPT_NEEDED)
        else:
            services = self.reception.services
            self.message_id = message_id(services.clock())
            judge = line_ends(self.reception.spec.line_endings)
            limit = transaction.running.size_limit
            self._begin_receiving(Receiver(services.intake.new_body, judge, limit, services.gate.heads))
            self._out.append(replies.START_DATA)

    def _received(self, receiver: Receiver) -> None:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        Acceptance(self, transaction, receiver, self.message_id).begin()

    # What acceptance calls

    def protocol(self, *, utf8: bool) -> str:
        """Give the word for Received (RFC 3848, RFC 6531); `utf8` tells of the SMTPUTF8 parameter."""
        word = "UTF8SMTP" if utf8 else "ESMTP" if self._extended else "SMTP"
        return word + ("S" if self._tls_protocol is not None else "") + ("A" if self._account else "")

    @property
    def secured(self) -> bool:
        """Whether TLS is active."""
        return self._tls_protocol is not None

    def deny(self, reply: Reply, **fields: str) -> None:
        """Refuse a sender, recipient or message: answer, count, log; too often, and the session ends."""
        self._refusals += 1
        self._tell_refusal(reply, fields)
        self._refuse(reply)
        if self._refusals >= limits.REFUSALS:
            self.close(replies.TOO_MANY_REFUSALS)

    def _tell_refusal(self, reply: Reply, fields: dict[str, str]) -> None:
        """The first of a session one by one, then ever rarer: a stranger must not fill the disk with our log."""
        count = self._refusals
        if count > limits.REFUSALS_TOLD and count % 100:
            return
        log = self.reception.services.log
        # The text may repeat an address, so it is told only where addresses are.
        text = None if log.redact else reply.text
        so_far = count if count > limits.REFUSALS_TOLD else None
        log.event(
            "refused", client=self.client, code=reply.code, enhanced=reply.enhanced, text=text, so_far=so_far, **fields
        )

    def hold_for_storing(self) -> None:
        """Take no command until `answer_stored`."""
        self._hold |= Hold.STORING

    def answer_accepted(self, message: str) -> None:
        """Say 250; the message is durable."""
        self._errors = self._refusals = self._talked = 0
        self._out.append(f"250 2.0.0 Ok: queued as {message}\r\n".encode())

    def stored(self) -> None:
        """Go on after the commit or its failure was answered."""
        self._release(Hold.STORING)
