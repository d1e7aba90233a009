"""A connection to an upstream that says what it likes: no mail is told delivered, failed or lost that is not.

The octets are what the upstream says, in pieces: 0x1E ends a piece, and the next one comes when the relay waits; behind
the last the connection is lost. What was said before and after the final dot is read once more and compared.
"""

import asyncio
from functools import cache

from tests.support.outgoing import transmission, upstream

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.ports.outbox import Outbox
from mailhaul_relay.smtpout.breakdown import UnusableError, classify_exception
from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.connection import Connection, Dialer, Opening
from mailhaul_relay.smtpout.preparation import Prepared, prepare
from mailhaul_relay.smtpout.replies import Answer, ReplyParser
from mailhaul_relay.smtpout.timeouts import Timeouts
from mailhaul_relay.smtpout.transaction import Transaction
from mailhaul_relay.smtpout.wire import Wire

LONGEST = 900
WORDS = (
    *(
        b"220 x\r\n\x1e",
        b"250-x\r\n250 PIPELINING\r\n\x1e",
        b"250-x\r\n250-SIZE 100000\r\n250 AUTH PLAIN\r\n\x1e",
        b"\x1e",
    ),
    *(
        b"250 2.1.0 ok\r\n",
        b"250 2.1.5 ok\r\n\x1e",
        b"354 go\r\n\x1e",
        b"250 2.0.0 queued\r\n\x1e",
        b"421 4.4.2 bye\r\n",
    ),
    *(
        b"550 5.1.1 user unknown\r\n",
        b"452 4.5.3 too many\r\n",
        b"235 2.7.0 ok\r\n\x1e",
        b"535 5.7.8 no\r\n",
        b"334 \r\n",
    ),
    *(b"250-", b"\n", b"354", b"554 5.7.1 spam\r\n\x1e"),
)
PIECE = b"\x1e"
TURNS = 12
"""Turns of the loop after which the relay waits for words, and not for itself."""
_BODY = b"the content\r\n"
_DOT = _BODY + b".\r\n"
_TO = ("bob@example.net", "eve@example.net", "joe@example.net")


class _Upstream(asyncio.Transport):
    """The other side: `sent` is what the relay said, `said` what it heard, and what of that after a final dot."""

    def __init__(self, wire: Wire, pieces: list[bytes]) -> None:
        super().__init__()
        self.wire = wire
        self.pieces = pieces
        self.sent = b""
        self.said = b""
        self.after_dot: bytes | None = None
        self.is_open = True
        wire.connection_made(self)

    def begin(self) -> None:
        """Forget the dot of an earlier transaction."""
        self.after_dot = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.is_open
        self.sent += bytes(data)
        if self.sent.endswith(_DOT):
            assert any(one.code == 354 for one in _answers(self.said)), "content without 354"
            self.after_dot = b""

    def say(self) -> None:
        """Say the next piece, or go away."""
        if self.is_open and self.pieces:
            piece = self.pieces.pop(0)
            self.said += piece
            if self.after_dot is not None:
                self.after_dot += piece
            self.wire.data_received(piece)
        elif self.is_open:
            self.abort()

    def abort(self) -> None:
        if self.is_open:
            self.is_open = False
            self.wire.connection_lost(None)

    close = abort

    def is_closing(self) -> bool:
        return not self.is_open


class _Opening(Opening):
    """An opening over a connection that stands already."""

    def __init__(self, dialer: Dialer, wire: Wire) -> None:
        super().__init__(dialer)
        self._standing = wire

    async def _connect(self) -> Wire:
        return self._standing


def check(data: bytes) -> None:
    """Open a connection and send a mail twice; the first octet chooses whether there is a login."""
    asyncio.run(_checked(bool(data[:1] and data[0] & 1), data[1:].split(PIECE)))


async def _checked(has_login: bool, pieces: list[bytes]) -> None:
    outbox = Outbox()
    wire = Wire(asyncio.get_running_loop(), outbox)
    other = _Upstream(wire, pieces)
    task = asyncio.create_task(_converse(_opening(wire, outbox, has_login), other))
    for _ in range(len(pieces) + 3):
        for _ in range(TURNS):
            await asyncio.sleep(0)
            outbox.send()
        if task.done():
            break
        other.say()
    assert task.done(), "it waits for somebody who is gone"
    await task
    other.abort()


def _opening(wire: Wire, outbox: Outbox, has_login: bool) -> Opening:
    dialer = Dialer(_upstream(has_login), "relay.example.com", Timeouts())
    dialer.outbox = outbox
    return _Opening(dialer, wire)


@cache
def _upstream(has_login: bool) -> Upstream:
    return upstream(25, auth="Plain" if has_login else "None")


async def _converse(opening: Opening, other: _Upstream) -> None:
    try:
        wire, capabilities = await opening.greet()
        await opening.log_in(Credential("relay", "canary-password"))
    except UnusableError as error:
        _check_opening(error.outcome)
        return
    except Exception as error:  # noqa: BLE001 - as `Dialer.dial` does
        _check_opening(classify_exception(opening.stage, error))
        return
    connection = Connection(wire, capabilities)
    for _ in range(2):
        mail = transmission(*_TO, body=_BODY)
        prepared = prepare(mail, _TO, capabilities)
        if isinstance(prepared, Outcome):
            assert prepared.retry_elsewhere, "another upstream might take it"
            return
        if not await _sent(connection, prepared, other):
            return


def _check_opening(outcome: Outcome) -> None:
    assert outcome.verdict in {Verdict.RETRY, Verdict.HOLD}, "a connection that fails fails mail"
    assert outcome.stage in {Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.AUTH}
    assert "canary" not in repr(outcome), "the password is told"


async def _sent(connection: Connection, prepared: Prepared, other: _Upstream) -> bool:
    """Send once; tells whether the connection may be used again."""
    other.begin()
    transaction = Transaction(connection, prepared, "smtp", Context("example.com", "app@example.com", _TO))
    await transaction.run(Timeouts())
    told = _answers(other.after_dot or b"")
    for outcome in transaction.outcomes:
        if outcome is not None:
            _check_outcome(outcome, told[0].code if told else 0, has_dot=other.after_dot is not None)
    assert not transaction.keeps_connection or connection.wire.lost is None
    return transaction.keeps_connection and connection.wire.is_clean


def _check_outcome(outcome: Outcome, final: int, *, has_dot: bool) -> None:
    """Compare with the code of the answer to the final dot; 0 is none."""
    is_positive = 200 <= final < 300
    match outcome.verdict:
        case Verdict.DELIVERED:
            assert has_dot, "delivered, but not sent"
            assert is_positive, "delivered, but nobody said so"
        case Verdict.UNKNOWN:
            assert has_dot, "unknown, though nothing was sent"
        case Verdict.FAILED:
            assert outcome.rule, "mail fails by a guess"
        case Verdict.RETRY | Verdict.HOLD:
            is_answered = outcome.stage is not Stage.END_OF_DATA or not has_dot or final
            assert is_answered, "nobody knows, and it is tried again"
            assert outcome.stage is not Stage.END_OF_DATA or not is_positive, "delivered, but tried again"


def _answers(said: bytes) -> list[Answer]:
    return ReplyParser().feed(said)
