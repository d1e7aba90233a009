"""A whole session of the listener without sockets: what is promised is stored, and every reply is one.

The octets are what a client sends, read in pieces: 0x1E ends a piece. The first octet chooses the relay's
configuration, a failing spool, and a commit that takes its time. What a client hears must not depend on the pieces.
"""

import asyncio
from dataclasses import dataclass
from functools import cache
from typing import Any

import re2
from tests.support.listening import Bench, running_of
from tests.support.memory_spool import MemorySpool

from mailhaul_contract.addresses import Address
from mailhaul_relay.model.message import Message
from mailhaul_relay.policy.headers import parse_head
from mailhaul_relay.policy.running import Running
from mailhaul_relay.smtpin.conversation import Hold
from mailhaul_relay.smtpin.limits import COMMAND_LINE, REPLY_LINE
from mailhaul_relay.smtpin.session import Session
from mailhaul_relay.spool.interface import SpoolError

LONGEST = 2500
WORDS = (
    *(b"EHLO x\r\n", b"HELO x\r\n", b"MAIL FROM:<app@example.com>\r\n", b"MAIL FROM:<> BODY=8BITMIME\r\n", b"DATA\r\n"),
    *(b"RCPT TO:<joe@example.net>\r\n", b"RCPT TO:<sales@own.example>\r\n", b"RCPT TO:<postmaster>\r\n", b"RSET\r\n"),
    *(b"From: app@example.com\r\n", b"\r\n", b"\r\n.\r\n", b"\n.\n", b"QUIT\r\n", b"NOOP\r\n", b"VRFY x\r\n", b"\x1e"),
    *(b"AUTH PLAIN AGEAYg==\r\n", b"STARTTLS\r\n", b"BDAT 5 LAST\r\n", b"GET / HTTP/1.1\r\n", b"Bcc: x@y.example\r\n"),
    *(b"Received: from x\r\n", b"Delivered-To: sales@own.example\r\n", b" SMTPUTF8", b" SIZE=99999", b"\xc3\xbc"),
)
PIECE = b"\x1e"
TURNS = 200
_LINE = re2.compile(r"([2-5][0-9]{2})[ -]([ -~]*)")
_ENHANCED = re2.compile(r"([245])\.\d{1,3}\.\d{1,3} .*")
_QUEUED = b"250 2.0.0 Ok: queued as "
_BARE = ("220 relay.example.com ESMTP Mailhaul", "250 relay.example.com", "354 End data", "334 ")
_ALIAS = {"namespace": "smtp", "name": "sales", "value": "sales@own.example", "destinations": ["joe@example.net"]}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client heard, with the ids of messages left out, and what lies in the spool."""

    said: bytes
    stored: tuple[bytes, ...]


def check(data: bytes) -> None:
    """Play a session twice: in the pieces that the input has, and in one."""
    choice, content = (data[0] if data else 0), data[1:]
    in_pieces = asyncio.run(_played(choice, content.split(PIECE)))
    if b"STARTTLS" not in content.upper():  # what follows it at once is refused, and must be
        assert asyncio.run(_played(choice, [content.replace(PIECE, b"")])) == in_pieces, "other words by other pieces"


async def _played(choice: int, pieces: list[bytes]) -> Heard:
    bench = Bench(_running(choice & 3))
    if choice & 4:
        bench.spool.fault = SpoolError("No space left on device", full=bool(choice & 8))
    client = "127.0.0.1" if choice & 16 else "203.0.113.9"
    wire = bench.connect(client)
    if choice & 32:
        bench.spool.gate.clear()
    said = wire.take()
    for piece in pieces:
        said += wire.send(piece) if wire.reading else b""
        _check_bounds(wire.session, len(piece))
        _check_promises(said, bench.spool)
        if choice & 32:
            await _turns(2)
            bench.spool.gate.set()
        await _settled(wire.session)
        said += wire.take()
        _check_promises(said, bench.spool)
    wire.session.eof_received()
    await _settled(wire.session)
    said += wire.take()
    wire.close()
    _check_end(bench, said)
    return Heard(_anonymous(said), tuple(_checked(one) for one in bench.accepted))


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _settled(session: Session) -> None:
    """Let the loop turn until the session takes commands again, or ends."""
    for _ in range(TURNS):
        if not session._hold & ~Hold.CLOSING:
            return
        await asyncio.sleep(0)
    raise AssertionError("the session hangs")


@cache
def _running(kind: int) -> Running:
    kinds: dict[int, dict[str, Any]] = {
        0: {},
        1: {"listeners": [{"name": "smtp", "port": 2525, "lineEndings": "Normalise"}]},
        2: {"aliases": {"domains": ["own.example"], "entries": [_ALIAS]}},
        3: {"limits": {"messageSize": 1024, "recipients": 2}, "suppression": {}},
    }
    return running_of(kinds[kind])


def _check_bounds(session: Session, last: int) -> None:
    commands = session._input
    assert len(commands._data) - commands._at <= COMMAND_LINE + 2 * last + 2, "input piles up"


def _check_promises(said: bytes, spool: MemorySpool) -> None:
    for part in said.split(_QUEUED)[1:]:
        id = part.split(b"\r\n")[0].decode()  # noqa: A001 - the field's own word
        assert id in spool.messages, "250 for what is not stored"


def _check_end(bench: Bench, said: bytes) -> None:
    *lines, rest = said.split(b"\r\n")
    assert rest == b"", "a reply without its end"
    for line in lines:
        _check_reply(line)
    assert said.count(_QUEUED) == bench.tally.accepted == len(bench.spool.messages)
    assert bench.tally.handler_errors == 0, bench.lines
    assert bench.tally.sessions_open == 0
    assert bench.spool.open_bodies == 0, "a body was left open"
    assert bench.gate.heads._left == type(bench.gate.heads)()._left, "room of heads was not given back"


def _check_reply(line: bytes) -> None:
    text = line.decode("ascii")
    found = _LINE.fullmatch(text)
    assert found, f"no reply: {text!r}"
    assert len(line) + 2 <= REPLY_LINE
    if text.startswith("250-") or text == "250 ENHANCEDSTATUSCODES" or text.startswith(_BARE):
        return
    enhanced = _ENHANCED.fullmatch(found[2])
    assert enhanced, f"no enhanced code: {text!r}"
    assert enhanced[1] == found[1][0], f"two classes: {text!r}"


def _anonymous(said: bytes) -> bytes:
    first, *parts = said.split(_QUEUED)
    return first + b"".join(_QUEUED + part[part.index(b"\r\n") :] for part in parts)


def _checked(message: Message) -> bytes:
    """Give the octets that are to leave; they smuggle nothing, and the head can be read again."""
    wire = message.head + (message.body.data or b"")
    assert not any(octet in wire.replace(b"\r\n", b"") for octet in (b"\r", b"\n", b"\0")), "a bare line end is kept"
    assert b"\n.\r" not in b"\n" + wire, "a line of one dot is kept"
    fields = parse_head(message.head)
    assert sum(field.name == b"received" for field in fields) >= 1
    assert not any(field.name == b"bcc" for field in fields if message.envelope.origin == "submission")
    assert message.envelope.size == len(wire)
    for recipient in message.envelope.recipients:
        Address.parse(recipient.final)
    return wire.replace(message.id.encode(), b"ID")
