"""One mail transaction on one connection: MAIL, RCPT, DATA, content, and one outcome for each recipient.

`pool` runs it. With PIPELINING all commands up to DATA leave in one write (RFC 2920) and the content in a second; else
each waits for its answer. Every failure becomes outcomes; only cancellation before the final dot escapes. After the
final dot cancellation is taken in and the answer awaited, for a message cut there is a message sent twice.
"""

import asyncio

from mailhaul_relay.model.outcome import Outcome, Stage, Verdict
from mailhaul_relay.smtpout.breakdown import classify_exception
from mailhaul_relay.smtpout.classify import NEW_TRANSACTION, Context, is_of_one_recipient, judge
from mailhaul_relay.smtpout.connection import Connection
from mailhaul_relay.smtpout.content import EarlyReplyError, send_content
from mailhaul_relay.smtpout.preparation import Prepared
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.wire import GarbageError, Wire

LAST_MOMENT = 1.0
"""Seconds that the answer to the final dot gets after a cancellation; without it the outcome is unknown."""


class Transaction:
    """After `run`, `outcomes` has one outcome for each recipient, or None for one that needs a new transaction.

    `is_stale` tells that the other side closed the connection before it took anything: if it was a reused one, the
    transaction may be repeated on a fresh one at once. `keeps_connection` tells that it may take another transaction,
    `was_cancelled` that a cancellation was taken in, `is_of_one` that the content was refused for one recipient: of
    several it is not said which, and each needs a new transaction of its own.
    """

    def __init__(self, connection: Connection, prepared: Prepared, profile: str, context: Context) -> None:
        self.outcomes: list[Outcome | None] = [None] * len(context.recipients)
        self.is_stale = False
        self.keeps_connection = False
        self.was_cancelled = False
        self.is_of_one = False
        self._connection = connection
        self._wire: Wire = connection.wire
        self._prepared = prepared
        self._profile = profile
        self._context = context
        self._stage = Stage.MAIL
        self._accepted: list[int] = []

    async def run(self, timeouts: Timeouts) -> None:
        """Do it. Raises only CancelledError, and that only before the final dot."""
        self._connection.used += 1
        try:
            at_once = self._connection.capabilities.pipelining
            ready = await (self._offer_at_once(timeouts) if at_once else self._offer_in_turn(timeouts))
            if ready and self._accepted:
                await self._send(timeouts)
            else:
                self._close_envelope(ready)
        except EarlyReplyError:
            self._settle_early(self._wire.answers.popleft())
        except Exception as error:  # noqa: BLE001 - see the comment
            # Every failure is an outcome (interface.Transport); what is unknown is temporary.
            untouched = self._stage is Stage.MAIL and not any(self.outcomes)
            self.is_stale = self.is_stale or (untouched and self._wire.lost is not None)
            self._fill(classify_exception(self._stage, error))

    async def _offer_at_once(self, timeouts: Timeouts) -> bool:
        """Send the envelope in one write; true when DATA was answered 354."""
        wire, prepared = self._wire, self._prepared
        reset = b"RSET\r\n" if self._connection.needs_reset else b""
        commands = b"".join((reset, prepared.mail, *prepared.recipients, b"DATA\r\n"))
        count = len(prepared.recipients) + 2 + bool(reset)
        wire.write(commands, owed=count)
        try:
            await wire.gather(count, timeouts.mail)
        except Exception:
            self._read_some()
            raise
        return self._read_group()

    def _read_group(self) -> bool:
        """Take the answers of a whole group; true when DATA was answered 354."""
        answers = self._wire.answers
        if self._connection.needs_reset:
            self._take_reset(answers.popleft())
        mail_is_taken = self._take_mail(answers.popleft())
        for index in range(len(self._prepared.recipients)):
            answer = answers.popleft()
            if mail_is_taken:
                self._take_recipient(index, answer)
        return self._take_data(answers.popleft())

    def _read_some(self) -> None:
        """Take the answers that came before a group broke off, so that each recipient keeps its own."""
        answers = self._wire.answers
        if answers and self._connection.needs_reset:
            self._take_reset(answers.popleft())
        if not answers or not self._take_mail(answers.popleft()):
            return
        self._stage = Stage.RCPT
        for index in range(len(self._prepared.recipients)):
            if not answers:
                return
            self._take_recipient(index, answers.popleft())
        self._stage = Stage.DATA

    async def _offer_in_turn(self, timeouts: Timeouts) -> bool:
        """Send the envelope command by command; true when DATA was answered 354."""
        wire = self._wire
        if self._connection.needs_reset:
            self._take_reset(await self._ask(b"RSET\r\n", timeouts.mail))
        if not self._take_mail(await self._ask(self._prepared.mail, timeouts.mail)):
            return False
        self._stage = Stage.RCPT
        for index, command in enumerate(self._prepared.recipients):
            self._take_recipient(index, await self._ask(command, timeouts.rcpt))
            if wire.lost is not None:
                return False
        if not self._accepted:
            return False
        self._stage = Stage.DATA
        return self._take_data(await self._ask(b"DATA\r\n", timeouts.data))

    async def _ask(self, command: bytes, limit: float) -> Answer:
        self._wire.write(command, owed=1)
        return await self._wire.answer(limit)

    def _take_reset(self, answer: Answer) -> None:
        self._connection.needs_reset = False
        if answer.code == 421:
            self.is_stale = True
            self._drop()

    def _take_mail(self, answer: Answer) -> bool:
        if 200 <= answer.code < 300:
            return True
        # Servers say so when they were about to close an idle connection: nothing against this message.
        if answer.code == 421 or answer.reply().enhanced == "4.4.2":
            self.is_stale = True
            self._drop()
        self._fill(judge(self._profile, Stage.MAIL, answer, self._context))
        return False

    def _take_recipient(self, index: int, answer: Answer) -> None:
        if answer.code in {250, 251, 252}:
            self._accepted.append(index)
            return
        outcome = judge(self._profile, Stage.RCPT, answer, self._context)
        self.outcomes[index] = outcome
        if answer.code == 421:
            self._stage = Stage.RCPT
            self._fill(outcome)
            self._drop()

    def _take_data(self, answer: Answer) -> bool:
        if answer.code == 354:
            return True
        if answer.code == 421:
            self._drop()
        if self._accepted:
            self._fill(judge(self._profile, Stage.DATA, answer, self._context))
        return False

    async def _send(self, timeouts: Timeouts) -> None:
        self._stage = Stage.DATA
        await send_content(self._wire, self._prepared.head, self._prepared.body, timeouts.block)
        self._stage = Stage.END_OF_DATA
        answer = await self._final_answer(timeouts.end_of_data)
        self._settle_accepted(answer)
        self.keeps_connection = answer.code != 421 and answer.code // 100 != 3
        self._return_overflow()

    async def _final_answer(self, limit: float) -> Answer:
        """Await the answer to the final dot; a cancellation shortens the wait, and never makes it a failure."""
        try:
            return await self._wire.answer(limit)
        except asyncio.CancelledError:
            self.was_cancelled = True
        loop = self._wire.loop
        deadline = loop.time() + min(limit, LAST_MOMENT)
        while True:
            try:
                return await self._wire.answer(max(0.0, deadline - loop.time()))
            except asyncio.CancelledError:
                continue

    def _settle_early(self, answer: Answer) -> None:
        """An answer before the final dot refuses the content; a positive one is garbage, for nothing was delivered."""
        if answer.code >= 400:
            self._refuse_content(judge(self._profile, Stage.END_OF_DATA, answer, self._context))
        else:
            error = GarbageError("a positive reply came before the end of the message")
            self._fill(classify_exception(Stage.DATA, error))

    def _settle_accepted(self, answer: Answer) -> None:
        """Give every accepted recipient the fate of the content."""
        if 200 <= answer.code < 300:
            self._fill(Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=answer.reply()))
        else:
            self._refuse_content(judge(self._profile, Stage.END_OF_DATA, answer, self._context))

    def _refuse_content(self, outcome: Outcome) -> None:
        """The fate of all; but one reply for several that refuses one recipient ("user unknown") does not say which."""
        self.is_of_one = is_of_one_recipient(outcome, self._context)
        if not self.is_of_one or len(self._accepted) == 1:
            self._fill(outcome)

    def _fill(self, outcome: Outcome) -> None:
        """Give the outcome to every recipient that has none of its own."""
        self.outcomes = [outcome if one is None else one for one in self.outcomes]

    def _return_overflow(self) -> None:
        """RFC 5321 section 4.5.3.1.10: recipients refused as too many go in a new transaction when others went."""
        for index, outcome in enumerate(self.outcomes):
            if outcome is not None and _is_overflow(outcome):
                self.outcomes[index] = None

    def _close_envelope(self, ready: bool) -> None:
        """Nothing is to be sent: forget the envelope, or the connection when the other side waits for content."""
        if ready:
            # RFC 2920 section 3.1: DATA was taken though no recipient was. A dot would send an empty message.
            self._drop()
        elif self._wire.lost is None:
            self._connection.needs_reset = True
            self.keeps_connection = True

    def _drop(self) -> None:
        self._wire.abort()


def _is_overflow(outcome: Outcome) -> bool:
    if outcome.stage is not Stage.RCPT or outcome.reply is None:
        return False
    return outcome.rule in NEW_TRANSACTION or (outcome.reply.code == 452 and not outcome.rule)
