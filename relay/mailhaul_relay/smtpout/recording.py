"""Writes down what is said with an upstream about marked messages: those of a send-test, and no others.

`pool` opens a connection of its own for a marked message, whose wire is a `RecordingWire`; unmarked mail pays one look
at an empty table. The wire takes out what must not be read: credentials become `AUTH ...`, wherever the other side
repeats one it becomes `***`, and content becomes its size. Nothing here fails.
"""

import asyncio
import base64
import binascii
import ssl

from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout.concealment import conceal, forms, longest_first
from mailhaul_relay.smtpout.connection import Dialer
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.wire import Wire
from mailhaul_relay.telemetry.transcript import Side, Transcript

KEPT = 16
"""Marked messages; the oldest makes room."""
HIDDEN = "AUTH ..."
BEARER = b"\x01auth=Bearer "


class Recording(Transcript):
    """The transcript of one message, and what must never be in it: every form of a credential that was sent for it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._secrets: tuple[bytes, ...] = ()

    def conceal(self, *secrets: bytes) -> None:
        """Keep these out from now on, in every form."""
        self._secrets = longest_first((*self._secrets, *forms(*secrets)))

    def hear(self, line: bytes) -> None:
        """Add a line of the other side."""
        self.add(Side.SERVER, conceal(line, self._secrets).decode("utf-8", "replace"))


class Recordings(dict[str, Recording]):
    """The recordings of marked messages, by id."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def mark(self, message_id: str) -> None:
        """Write down from now on what is said about a message."""
        self[message_id] = Recording(self._clock)
        while len(self) > KEPT:
            del self[next(iter(self))]


def recorded(dialer: Dialer, recording: Recording) -> Dialer:
    """Give a dialer of the same upstream whose connections are written down."""
    recording.add(Side.CLIENT, f"(connecting to {dialer.upstream.host} port {dialer.upstream.port})")
    return Dialer(
        dialer.upstream,
        dialer.hostname,
        dialer.timeouts,
        lambda loop, outbox: RecordingWire(loop, outbox, recording),
        dialer.access,
    )


class RecordingWire(Wire):
    """A wire that writes down what passes over it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, outbox: Outbox, recording: Recording) -> None:
        super().__init__(loop, outbox)
        self._recording = recording
        self._hides = False
        self._asked_data = False
        self._content = -1

    def write(self, data: bytes | memoryview, owed: int = 0) -> None:
        """As `Wire.write`; commands are written down line by line, content by its size."""
        if self.lost is None:
            if self._content >= 0:
                self._content += len(data)
            else:
                self._record_commands(bytes(data))
        super().write(data, owed)

    def data_received(self, data: bytes) -> None:
        """As `Wire.data_received`; every answer is written down."""
        known = len(self.answers)
        super().data_received(data)
        for answer in list(self.answers)[known:]:
            self._end_content()
            self._record_answer(answer)

    async def start_tls(self, context: ssl.SSLContext, server_name: str, limit: float) -> None:
        """As `Wire.start_tls`; that TLS stands is written down, and with which version."""
        await super().start_tls(context, server_name, limit)
        session = self._transport.get_extra_info("ssl_object") if self._transport else None
        self._say(f"(TLS for {server_name}: {session.version() if session else 'unknown version'})")

    def leave(self, limit: float) -> "asyncio.Future[None]":
        """As `Wire.leave`."""
        if self.lost is None:
            self._say("QUIT")
        return super().leave(limit)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As `Wire.connection_made`."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._say(f"(connected to {peer[0]} port {peer[1]})" if isinstance(peer, tuple) else "(connected)")

    def _over(self, error: Exception) -> None:
        if self.lost is None:
            self._end_content()
            self._say(f"({error})")
        super()._over(error)

    def _record_commands(self, data: bytes) -> None:
        for line in data.removesuffix(b"\r\n").split(b"\r\n"):
            if self._hides or line[:5].upper() == b"AUTH ":
                self._hide(line)
            else:
                self._say(line.decode("utf-8", "replace"))
            self._asked_data = line.upper() == b"DATA"

    def _hide(self, line: bytes) -> None:
        """A credential leaves: remember its forms, for the other side may repeat them (see `login`)."""
        self._hides = True
        sent = line.rpartition(b" ")[2]
        try:
            said = base64.b64decode(sent, validate=True)
        except binascii.Error:
            said = b""
        bearer = said.rpartition(BEARER)[2].rstrip(b"\x01") if BEARER in said else b""
        self._recording.conceal(*((sent, bearer) if bearer else ()))
        password = said.rpartition(b"\0")[2]
        if line[:5].upper() != b"AUTH " or b"\0" in said:
            self._recording.conceal(sent, base64.b64encode(password), password)
        self._say(HIDDEN)

    def _record_answer(self, answer: Answer) -> None:
        for index, text in enumerate(answer.lines):
            mark = b" " if index == len(answer.lines) - 1 else b"-"
            self._recording.hear(b"%d%b%b" % (answer.code, mark, text))
        self._hides = self._hides and answer.code == 334
        if self._asked_data and answer.code == 354:
            self._asked_data, self._content = False, 0

    def _end_content(self) -> None:
        if self._content >= 0:
            self._say(f"(the message, {self._content} octets)")
            self._content = -1

    def _say(self, text: str) -> None:
        self._recording.add(Side.CLIENT, text)
