"""DATA from client to upstream: no cut and no line end makes two messages of one, and strictly taken octets stay.

What is kept is read once more as an upstream would that takes any line end for one; it must see one end, the last.
"""

from tests.fuzz.pieces import cuts
from tests.support.memory_spool import MemorySpool

from mailhaul_contract.listening import LineEndings
from mailhaul_relay.smtpin.gate import HeadBudget
from mailhaul_relay.smtpin.limits import HEAD
from mailhaul_relay.smtpin.line_ends import line_ends
from mailhaul_relay.smtpin.receiver import Receiver
from mailhaul_relay.smtpout.capture import unstuffed

LONGEST = 1200
WORDS = (
    *(b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"\r\n.\n", b"\n.\r\n", b"\r\n.\r", b"\r\r\n.\r\n", b"\r\n..\r\n", b".", b"\0"),
    *(b"\r\n\r\n", b"From: a@b.example\r\n", b"\xff"),
)
_LIMIT = 500
_BETWEEN = b"\n.\n"


def check(data: bytes) -> None:
    """Receive the same octets cut in three ways; the first octet chooses the mode."""
    choice, content, ways = cuts(data)
    mode = LineEndings.NORMALISE if choice & 0x80 else LineEndings.STRICT
    whole, *others = [_received(way, mode) for way in ways]
    assert all(other == whole for other in others), "another message by another cut"
    refused, kept, rest = whole
    if rest is None:
        assert b"\r\n.\r\n" not in content
        return
    assert content.endswith(rest)
    if refused:
        return
    assert len(kept) <= _LIMIT + 2
    _check_smuggles_nothing(kept)
    if mode is LineEndings.STRICT:
        sent = content[: len(content) - len(rest)]
        assert sent in {kept + b".\r\n", kept.removesuffix(b"\r\n") + b".\r\n"}, "an octet was changed"


def _received(way: list[bytes], mode: LineEndings) -> tuple[bool, bytes, bytes | None]:
    """Give whether it was refused, what is kept, and what was left behind its end (None: it did not end)."""
    bodies, budget = MemorySpool(), HeadBudget()
    receiver = Receiver(bodies.new_body, line_ends(mode), _LIMIT, budget)
    rest: bytes | None = None
    for index, piece in enumerate(way):
        rest = receiver.feed(piece)
        assert len(receiver._carry) <= 4
        assert len(receiver._head) <= HEAD
        if rest is not None:
            rest += b"".join(way[index + 1 :])
            break
    refused, kept = receiver.refusal is not None, b""
    if rest is not None and not refused:
        head, body = receiver.finish()
        assert head.endswith(b"\r\n")
        assert b"\r\n\r\n" not in head[:-2], "the head goes on behind its empty line"
        kept = head + (body.data or b"")
        assert receiver.eight_bit == (not kept.isascii())
    receiver.discard()
    assert bodies.open_bodies == 0, "a body was left open"
    assert budget.take(HeadBudget()._left), "room of heads was not given back"
    return refused, kept, rest


def _check_smuggles_nothing(kept: bytes) -> None:
    bare = kept.replace(b"\r\n", b"")
    assert not any(octet in bare for octet in (b"\r", b"\n", b"\0")), "a bare CR or LF, or NUL, is passed on"
    lenient = b"\n" + kept.replace(b"\r\n", b"\n")
    assert _BETWEEN not in lenient, "an upstream would see the end within the message"
    assert all(line != b"." for line in lenient.split(b"\n")), "a line of one dot"
    assert unstuffed(kept).count(b"\r\n") == kept.count(b"\r\n")
