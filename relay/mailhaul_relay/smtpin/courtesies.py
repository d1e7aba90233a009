"""What a client may say before and beside mail: greetings, STARTTLS, RSET, NOOP, HELP, VRFY, QUIT.

It stands between `conversation` (bytes, replies, times) and `entrance` (who may send). It knows who the client says it
is (`helo`) and what the configuration makes of its address. Commands run to their end at once; refusals are values.
"""

import ssl

from mailhaul_relay.policy.running import Running
from mailhaul_relay.policy.source import Source
from mailhaul_relay.smtpin import limits, replies, tls
from mailhaul_relay.smtpin.conversation import Conversation, Hold
from mailhaul_relay.smtpin.reception import Reception


class Courtesies(Conversation):
    """A session before its mail. `helo` is the client's own name for itself, "" until it has said it."""

    def __init__(self, reception: Reception, client: str) -> None:
        super().__init__(reception, client)
        self.helo = ""
        self._extended = False
        self._talked = 0
        self._running = reception.services.intake.running()
        self._source = self._judge(self._running)

    def _opened(self) -> None:
        if self._source.identity_lost and not self.reception.needs_auth:
            self.reception.services.tally.client_identity_lost += 1
        self._out.append(self.reception.greeting(self._running))
        self._flush()

    def _current(self) -> Running:
        """Give the configuration of this moment; a new one judges the client anew."""
        running = self.reception.services.intake.running()
        if running is not self._running:
            self._running = running
            self._source = self._judge(running)
        return running

    def _judge(self, running: Running) -> Source:
        return self.reception.judge(running, self.client)

    async def smtp_HELO(self, argument: str) -> None:
        """Greet a client of plain SMTP."""
        if self._greeted(argument, extended=False):
            self._talk(f"250 {self._current().config.hostname}\r\n".encode())

    async def smtp_EHLO(self, argument: str) -> None:
        """Greet, and say what is offered."""
        if self._greeted(argument, extended=True):
            self._talk(self.reception.ehlo(self._current(), secured=self._tls_protocol is not None))

    def _greeted(self, name: str, *, extended: bool) -> bool:
        if not name or len(name) > limits.HELO_NAME or not name.isascii():
            self._err(replies.HELO_SYNTAX)
            return False
        self._forget()
        self.helo = name
        self._extended = extended
        return True

    def _talk(self, reply: bytes) -> None:
        """Answer a command that begins nothing; too many of them, and the session ends."""
        self._out.append(reply)
        self._talked += 1
        if self._talked > limits.IDLE_TALK:
            self.close(replies.TOO_MUCH_TALK)

    async def smtp_RSET(self, argument: str) -> None:
        """Drop the transaction."""
        if argument:
            self._err(replies.NO_ARGUMENT)
        else:
            self._forget()
            self._talk(replies.OK)

    async def smtp_NOOP(self, argument: str) -> None:  # noqa: ARG002 - RFC 5321 section 4.1.1.9: ignored
        """Do nothing."""
        self._talk(replies.OK)

    async def smtp_HELP(self, argument: str) -> None:  # noqa: ARG002
        """Name the commands."""
        self._talk(replies.HELP)

    async def smtp_VRFY(self, argument: str) -> None:
        """Tell nothing (RFC 5321 section 7.3)."""
        if argument:
            self._talk(replies.VRFY)
        else:
            self._err(replies.VRFY_SYNTAX)

    async def smtp_QUIT(self, argument: str) -> None:
        """End the session."""
        if argument:
            self._err(replies.NO_ARGUMENT)
        else:
            self._out.append(replies.BYE)
            self.close()

    async def smtp_EXPN(self, argument: str) -> None:  # noqa: ARG002
        """Is not offered."""
        self._err(replies.NOT_OFFERED)

    async def smtp_BDAT(self, argument: str) -> None:  # noqa: ARG002
        """Is not offered (RFC 3030)."""
        self._err(replies.NOT_OFFERED)

    async def smtp_STARTTLS(self, argument: str) -> None:
        """Go on under TLS."""
        context = self.reception.tls
        if self._tls_protocol is not None:
            self._err(replies.TLS_ACTIVE)
        elif context is None:
            self._err(replies.NOT_OFFERED)
        elif argument:
            self._err(replies.NO_ARGUMENT)
        elif self._input:
            # Plain text behind STARTTLS would be an attacker's, read as if it came through TLS.
            self._input.rest()
            self._err(replies.TLS_PIPELINED)
        else:
            self._out.append(replies.START_TLS)
            self._begin_tls(context)

    def _begin_tls(self, context: ssl.SSLContext) -> None:
        self._forget()
        self._flush()
        self._hold |= Hold.TLS
        self._original_transport = self.transport
        self._tls_protocol = tls.begin(self, context, self._handshaken)

    def _secured(self) -> None:
        self.session = self._create_session()
        self.helo = ""
        self._extended = False
        self.heard = self.loop.time()
        self._hold &= ~Hold.TLS

    def _handshaken(self, error: BaseException | None) -> None:
        """End a connection whose handshake failed: the transport below is closed and will not tell us."""
        if self.transport is self._original_transport or error is not None:
            self.connection_lost(None)
