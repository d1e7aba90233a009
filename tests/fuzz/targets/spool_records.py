"""The spool's records: a value or `Unreadable`, whatever the bytes; a value comes back as it was written."""

from mailhaul_relay.model.message import Envelope, Origin, Progress, Recipient, State
from mailhaul_relay.spool.codec import (
    Unreadable,
    decode_envelope,
    decode_progress,
    encode_envelope,
    encode_progress,
    mask,
)

LONGEST = 700
WORDS = (
    *(b'[1,"a@b.example",[["c@d.example","c@d.example",""]],"b.example","submission",1.5,10,"10.0.0.1",false,true]',),
    *(b'[1,["deferred",1.5,2,0,"","primary","rcpt","recipient",450,"later",1.0,0.0]]', b"[1,[]]", b"[1,", b"1e999"),
    *(b"NaN", b"null", b'"held"', b'"\\ud800"', b"[[[[", b"-0.0", b"99999999999999999999", b"true", b'"operator"'),
)
_ENCODABLE = (State.QUEUED, State.DEFERRED, State.HELD, State.DEAD, State.DELIVERED)


def check(data: bytes) -> None:
    """Read the octets as either record, and write values made of them."""
    text = data.decode("utf-8", "surrogateescape")
    _check_envelope(text)
    for recipients in (1, 2, 3):
        _check_progress(text, recipients)
    _check_written(data)


def _check_envelope(text: str) -> None:
    try:
        envelope = decode_envelope("id", text)
    except Unreadable as error:
        assert str(error)
        return
    assert envelope.recipients
    assert decode_envelope("id", encode_envelope(envelope)) == envelope


def _check_progress(text: str, recipients: int) -> None:
    try:
        progress = decode_progress(text, recipients)
    except Unreadable as error:
        assert str(error)
        return
    assert len(progress) == recipients
    assert 0 < mask(progress) < 64
    assert decode_progress(encode_progress(progress), recipients) == progress


def _check_written(data: bytes) -> None:
    """Values that a relay could have: words of others in any form, any numbers."""
    words = [one.decode("utf-8", "replace") for one in (data + b"|" * 6).split(b"|")[:7]]
    number = int.from_bytes(data[:8], "big", signed=True)
    recipients = tuple(Recipient(words[0], one, words[1]) for one in words[2:4])
    envelope = Envelope(
        "id", words[0], recipients, words[1], list(Origin)[number % 3], number / 1000, abs(number), words[5],
        bool(number & 1), bool(number & 2), words[6],
    )  # fmt: skip
    assert decode_envelope("id", encode_envelope(envelope)) == envelope
    state = _ENCODABLE[number % len(_ENCODABLE)]
    told = Progress(state, number / 1000, number % 1000, 1, words[1], words[2], words[3], words[4], 450, words[5])
    assert decode_progress(encode_progress((told, Progress())), 2) == (told, Progress())
