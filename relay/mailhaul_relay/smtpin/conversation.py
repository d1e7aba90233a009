"""One connection: bytes in, commands one by one, replies out in as few writes as possible, times watched.

It stands on aiosmtpd's `SMTP` (Session, `smtp_*` methods in a table, STARTTLS by a second `connection_made`) and
replaces its reader: commands are run within `data_received`, since none of them waits; a message goes to the
`receiver` in the chunks in which it comes. `session` adds the commands, `listener` makes and times it.

Back-pressure: while something holds the input (`Hold`), at most one more read is kept and reading is paused.
An exception of a command is 451 4.3.0 with nothing of the inside, and an event in the log.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from aiosmtpd.smtp import SMTP

from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.smtpin import limits, replies
from mailhaul_relay.smtpin.failure import where
from mailhaul_relay.smtpin.framing import CommandLines, malformed
from mailhaul_relay.smtpin.receiver import Receiver
from mailhaul_relay.smtpin.reception import Reception

Command = Callable[[Any, str], Coroutine[Any, Any, None]]

_HTTP = frozenset({"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE", "PRI"})


class Hold:
    """Why no command is taken now: bits of one number (an enum.Flag costs a call for each test of the hot path)."""

    NONE: Final = 0
    STORING: Final = 1
    """A message waits for its commit: the next command is taken after its reply."""
    WRITING: Final = 2
    """The client does not read our replies."""
    TLS: Final = 4
    CLOSING: Final = 8
    TURN: Final = 16
    """Many commands came at once: other sessions have their turn first."""
    LOGIN: Final = 32
    """A password is checked, or its refusal is held back."""


class Conversation(SMTP):
    """The connection below the commands. `client` is the peer's address, `started` and `heard` are loop times,
    `message_id` is that of the message under way."""

    commands: ClassVar[dict[str, Command]] = {}

    def __init_subclass__(cls) -> None:
        """Build the table of commands once per class; aiosmtpd inspects every member at every connection."""
        cls.commands = {name[5:]: getattr(cls, name) for name in dir(cls) if name.startswith("smtp_")}

    def __init__(self, reception: Reception, client: str) -> None:
        # The base's own __init__ is what costs; all that it would set and that is used is set here.
        self.loop = reception.loop
        self.reception = reception
        self.client = client
        self.started = self.heard = reception.loop.time()
        self.session = self._create_session()
        self.transport: Any = None
        self._original_transport: Any = None
        self._tls_protocol = None
        self._input = CommandLines()
        self._commands = self.commands
        self._asked: Callable[[bytes], None] | None = None
        self._receiver: Receiver | None = None
        self._receiving_since = 0.0
        self._out: list[bytes] = []
        self._hold: int = Hold.NONE
        self._reading_paused = False
        self._errors = 0
        self._refusals = 0
        self._closes_at = 0.0
        self._eof = False
        self._lost = False
        self.message_id = ""

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet; or, after STARTTLS, begin anew with nothing of the plain phase (RFC 3207 section 4.2)."""
        self.transport = transport
        if self._original_transport is not None:
            self._input = CommandLines()
            self._asked = None
            self._secured()
            return
        if self._hold & Hold.CLOSING:
            self.transport.abort()
            return
        transport.set_write_buffer_limits(high=limits.WRITE_BACKLOG)  # type: ignore[attr-defined]
        transport.max_size = limits.READ_COMMANDS  # type: ignore[attr-defined]
        self._opened()

    def data_received(self, data: bytes) -> None:
        """Take what was read."""
        self.heard = self.loop.time()
        if self._receiver is not None:
            if not self._receive(data):
                return
        elif self._hold & Hold.CLOSING:
            return
        else:
            self._input.feed(data)
        self._proceed()

    def eof_received(self) -> bool:
        """Answer what is still owed to a client that sends no more, then close."""
        self._eof = True
        self._flush()
        waits = Hold.STORING | Hold.WRITING | Hold.TURN | Hold.LOGIN
        return bool(self._hold & waits) and self._original_transport is None

    def pause_writing(self) -> None:
        """Take no command until the client reads."""
        self._hold |= Hold.WRITING

    def resume_writing(self) -> None:
        """Go on."""
        self._release(Hold.WRITING)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - why does not matter
        """Forget what was not accepted; a message that waits for its commit stays accepted."""
        if self._lost:
            return
        self._lost = True
        self._hold |= Hold.CLOSING
        self._forget()
        if self._original_transport is not None:
            self._original_transport.close()
        self.transport = None
        self.reception.leave(self)

    # Input

    def _proceed(self) -> None:
        taken = 0
        while not self._hold:
            line = self._input.next_line()
            if line is None:
                break
            taken += 1
            if taken == limits.COMMANDS_A_TURN:
                self._hold |= Hold.TURN
                self.loop.call_soon(self._release, Hold.TURN)
            self._take_line(line)
            if self._receiver is not None:
                rest = self._input.rest()
                if not rest or not self._receive(rest):
                    break
        if self._hold & Hold.TURN:
            self._flush()
        elif self._out:
            self.reception.outbox.add(self._flush)
        if self._hold:
            self._wait()
        elif (parting := self.reception.parting) is not None and self.is_idle:
            self.close(parting)

    def _wait(self) -> None:
        """Bound what is kept while a hold lasts: one read."""
        if self._input and not self._reading_paused and not self._lost:
            self._reading_paused = True
            self.transport.pause_reading()

    def _release(self, hold: int) -> None:
        self._hold &= ~hold
        if not self._is_held():
            self._proceed()
        if self._is_held():
            return
        if self._reading_paused:
            self._reading_paused = False
            self.transport.resume_reading()
        if self._eof:
            self._flush()
            self.transport.close()

    def _is_held(self) -> bool:
        return self._lost or self._hold != Hold.NONE

    def _receive(self, data: bytes) -> bool:
        """Give data to the receiver; True when the message ended and commands may follow."""
        assert self._receiver is not None
        rest = self._receiver.feed(data)
        if rest is None:
            if len(data) == limits.READ_DATA and self._original_transport is None:
                self.transport.max_size = limits.READ_MORE
            return False
        receiver, self._receiver = self._receiver, None
        if self._original_transport is None:
            self.transport.max_size = limits.READ_COMMANDS
        self._input.feed(rest)
        try:
            self._received(receiver)
        except Exception as error:  # noqa: BLE001 - as for commands
            self.fail(error, self.message_id)
        return True

    def _begin_receiving(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._receiving_since = self.loop.time()
        if self._original_transport is None:
            self.transport.max_size = limits.READ_DATA

    def _take_line(self, line: bytes) -> None:
        if self._asked is not None:
            self._take_answer(line)
            return
        refusal = malformed(line)
        if refusal is not None:
            self._err(refusal)
            return
        verb, _, argument = line[:-2].decode().partition(" ")
        verb = verb.upper()
        command = self._commands.get(verb)
        if command is not None:
            try:
                _run(command(self, argument.strip(" ")))
            except Exception as error:  # noqa: BLE001 - whatever it is, the client keeps the mail and learns nothing
                self.fail(error, "")
        elif verb in _HTTP:
            self.close(replies.NOT_HTTP)
        else:
            self._err(replies.UNKNOWN_COMMAND)

    def _take_answer(self, line: bytes) -> None:
        """Give a line that is no command to who asked for it."""
        asked, self._asked = self._asked, None
        assert asked is not None
        try:
            asked(line)
        except Exception as error:  # noqa: BLE001 - as for commands
            self.fail(error, "")

    def fail(self, error: BaseException, message: str) -> None:
        """Answer 451 for an unexpected error; the log has its kind and place, and the message's id if there is one."""
        services = self.reception.services
        services.tally.handler_errors += 1
        services.log.event(
            "handler-error",
            "error",
            id=message or None,
            client=self.client,
            error=type(error).__name__,
            at=where(error),
        )
        self._forget()
        self._refuse(replies.INTERNAL)

    # Output

    async def push(self, status: str | bytes) -> None:
        """Say one line; aiosmtpd's way to answer, which waits for nothing here."""
        self._out.append((status.encode() if isinstance(status, str) else status) + b"\r\n")

    def _refuse(self, reply: Reply) -> None:
        """Answer no, for reasons of policy or of our own."""
        self.reception.count_refusal(reply)
        self._out.append(replies.render(reply))

    def _err(self, reply: Reply) -> None:
        """Answer that the client is wrong; too often, and the session ends."""
        self._refuse(reply)
        self._errors += 1
        if self._errors >= limits.ERRORS:
            self.close(replies.TOO_MANY_ERRORS)

    def _flush(self) -> None:
        """Hand the replies to the transport. Before it is closed, and before TLS; else `Outbox` does it."""
        out = self._out
        if not out or self._lost:
            return
        self._out = []
        if self.transport.is_closing():
            self._hold |= Hold.CLOSING
        else:
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))

    def close(self, reply: Reply | None = None) -> None:
        """Say why, take nothing more, and close; the connection is dropped when the client does not read it."""
        if self._hold & Hold.CLOSING:
            return
        if self.transport is None:
            self._hold |= Hold.CLOSING
            return
        if reply is not None and not self._hold & Hold.TLS:
            self._refuse(reply)
        self._flush()
        self._forget()
        self._input.rest()
        self._hold |= Hold.CLOSING
        self._closes_at = self.loop.time() + limits.LINGER
        if reply is None or self._original_transport is not None or self._eof:
            self.transport.close()
        else:
            self._half_close()

    def _half_close(self) -> None:
        """Closing while input is unread would reset the connection, and that may take the last reply with it."""
        try:
            self.transport.write_eof()
        except OSError:
            self.transport.abort()

    def abort_soon(self) -> None:
        """Drop the connection once what was written is on its way."""
        if self.transport is not None:
            self.loop.call_soon(self._abort)

    def _abort(self) -> None:
        """Drop the connection itself: TLS above it cannot be aborted any more once it has been closed twice."""
        if not self._lost:
            (self._original_transport or self.transport).abort()

    # Time

    @property
    def is_idle(self) -> bool:
        """Whether nothing of a message is under way."""
        raise NotImplementedError

    def check_time(self, now: float) -> None:
        """End a session that is over time; called every second with the loop's time."""
        if self._hold & Hold.CLOSING:
            if now >= self._closes_at and self.transport is not None:
                self._abort()
        elif self._hold & (Hold.STORING | Hold.TLS):
            return
        elif self._receiver is not None:
            self._check_message_time(now)
        elif now - self.heard > limits.COMMAND_IDLE:
            self.close(replies.IDLE)
        elif self._session_is_over(now):
            self.close(replies.SESSION_OVER)

    def _check_message_time(self, now: float) -> None:
        assert self._receiver is not None
        if now - self.heard > limits.DATA_IDLE:
            self.close(replies.IDLE)
        elif self._session_is_over(now):
            in_vain = self._receiver.refusal is not None
            if in_vain or self._receiver.heard < limits.DATA_RATE * (now - self._receiving_since):
                self.close(replies.SESSION_OVER)

    def _session_is_over(self, now: float) -> bool:
        return now - self.started > self.reception.services.intake.running().config.limits.session_time

    # What a session adds

    def _opened(self) -> None:
        raise NotImplementedError

    def _secured(self) -> None:
        raise NotImplementedError

    def _received(self, receiver: Receiver) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError


def _run(command: Coroutine[Any, Any, None]) -> None:
    """Run a command to its end at once. Commands are coroutines as aiosmtpd has them, but none may wait."""
    try:
        command.send(None)
    except StopIteration:
        return
    command.close()
    raise RuntimeError("an SMTP command waited for something")
