"""8-bit mail made 7-bit: no octet above 127 leaves, no line end changes, and the text is the same when it is decoded.

The second reading is the standard library's email package, before and after.
"""

from email import message_from_bytes
from email.message import Message

from mailhaul_relay.policy.eightbit import to_seven_bit
from mailhaul_relay.policy.headers import HeaderError, parse_head
from mailhaul_relay.smtpout.capture import unstuffed

LONGEST = 900
WORDS = (
    *(b"Content-Type: text/plain; charset=utf-8\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n", b"\r\n--b\r\n"),
    *(
        b"\r\n--b--\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"\r\n..",
        b"\r\n\r\n",
    ),
    *(
        b"Content-Type: application/octet-stream\r\n",
        b"multipart/signed",
        b"\xc3\xbc",
        b"\xff",
        b" \r\n",
        b"=\r\n",
        b"=",
    ),
    *(b"Content-Transfer-Encoding: base64\r\n", b"MIME-Version: 1.0\r\n", b'boundary="b c"', b"\t\r\n", b"From \r\n"),
)
_MESSAGES = frozenset({"message/rfc822", "message/global"})


def check(data: bytes) -> None:
    """Convert what a relay could have taken: an octet of 0x0A is a line end here, and dots are stuffed."""
    wire = data.replace(b"\r", b"").replace(b"\0", b"").replace(b"\n", b"\r\n")
    end = 2 if wire.startswith(b"\r\n") else wire.find(b"\r\n\r\n") + 4
    if end == 3:
        return
    head, body = wire[:end], wire[end:]
    stuffed = body.replace(b"\r\n.", b"\r\n..")
    stuffed = b"." + stuffed if stuffed.startswith(b".") else stuffed
    try:
        parse_head(head)
    except HeaderError:
        assert to_seven_bit(head, stuffed) is None or stuffed.isascii()
        return
    converted = to_seven_bit(head, stuffed)
    if converted is None:
        assert not (head + stuffed).isascii()
        return
    _check_wire(*converted)
    if stuffed.isascii():
        assert converted == (head, stuffed), "7-bit mail was changed"
        return
    before, after = message_from_bytes(head + body), message_from_bytes(converted[0] + unstuffed(converted[1]))
    if not any(_is_read_otherwise(part) for part in before.walk()):
        assert _leaves(before) == _leaves(after), "another text"


def _check_wire(head: bytes, body: bytes) -> None:
    assert head.isascii()
    assert body.isascii(), "an octet above 127 leaves"
    bare = (head + body).replace(b"\r\n", b"")
    assert b"\r" not in bare
    assert b"\n" not in bare, "a bare line end leaves"
    assert not any(line == b"." for line in body.split(b"\r\n")), "a line of one dot leaves"
    assert all(not line.startswith(b".") or line.startswith(b"..") for line in body.split(b"\r\n")), "an unstuffed dot"
    parse_head(head)


def _is_read_otherwise(part: Message) -> bool:
    """Whether the second reader mends what is malformed, or looks into a kind of message that it does not know."""
    kind, written = part.get_content_type(), str(part.get("Content-Type", "")).partition(";")[0].strip().lower()
    of_message = kind.startswith("message/") and kind not in _MESSAGES
    return bool(part.defects) or of_message or (kind != written and bool(written))


def _leaves(message: Message) -> list[tuple[str, bytes]]:
    found = []
    for part in message.walk():
        content = None if part.is_multipart() else part.get_payload(decode=True)
        if isinstance(content, bytes):
            found.append((part.get_content_type(), content))
    return found
