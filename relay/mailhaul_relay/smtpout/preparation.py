"""Fits a transmission to what a connection offers: parameters of MAIL, bytes of head and body, or why it cannot go.

`transaction` sends what comes out. Nothing that was not offered is ever sent (RFC 5321 section 2.2.1). A pure function,
but for a large 8-bit body that must be converted: it is read from its file; BodyError when that fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.policy.eightbit import to_seven_bit
from mailhaul_relay.policy.signatures import SIGNATURE
from mailhaul_relay.smtpout.capabilities import Capabilities
from mailhaul_relay.smtpout.content import BodyError

MAX_CONVERTED = 8 << 20
"""Bytes of an 8-bit body that is converted in memory; a larger one needs an upstream with 8BITMIME."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes over the wire: the commands without pipelining decisions, and the content. `breaks_signature` when it
    was made 7-bit, which voids a DKIM signature (RFC 6376 section 5.3).
    """

    mail: bytes
    recipients: tuple[bytes, ...]
    head: bytes
    body: Body
    breaks_signature: bool = False


def prepare(transmission: Transmission, recipients: Sequence[str], offered: Capabilities) -> Prepared | Outcome:
    """Give the transaction for these recipients, or the outcome that all of them get."""
    if not _is_sendable("".join((transmission.sender, *recipients))):
        return _failed(Fault.PROTOCOL, "an address of the envelope holds a line end or is no UTF-8", elsewhere=False)
    if offered.size and transmission.size > offered.size:
        text = f"the message has {transmission.size} octets, this upstream takes {offered.size} (SIZE)"
        return _failed(Fault.SIZE, text, elsewhere=True)
    utf8 = _needs_utf8(transmission, recipients)
    if utf8 and not offered.utf8:
        return _failed(Fault.CAPABILITY, _NO_UTF8, elsewhere=True)
    eight = transmission.eight_bit or utf8
    head, body, broken = transmission.head, transmission.body, False
    if eight and not offered.eight_bit:
        converted = None if utf8 else _converted(transmission)
        if converted is None:
            return _failed(Fault.CAPABILITY, _NO_EIGHT_BIT, elsewhere=True)
        head, body = converted
        broken = head is not transmission.head and SIGNATURE in head.lower()
    parameters = "".join((
        f" SIZE={len(head) + body.size}" if offered.size is not None else "",
        " BODY=8BITMIME" if eight and offered.eight_bit else "",
        " SMTPUTF8" if utf8 else "",
    ))  # fmt: skip
    mail = f"MAIL FROM:<{transmission.sender}>{parameters}\r\n".encode()
    return Prepared(mail, tuple(f"RCPT TO:<{one}>\r\n".encode() for one in recipients), head, body, broken)


def _is_sendable(addresses: str) -> bool:
    """The last guard against a command in an address; what was parsed when it came in always passes."""
    if "\r" in addresses or "\n" in addresses or "\0" in addresses:
        return False
    return addresses.isascii() or not any("\ud800" <= one <= "\udfff" for one in addresses)


def _needs_utf8(transmission: Transmission, recipients: Sequence[str]) -> bool:
    """Whether RFC 6531 is needed: for a local part that is not ASCII, or for such a header if SMTPUTF8 was declared. An
    undeclared one is what old clients send and every server passes on: asking for SMTPUTF8 would fail such mail.
    """
    if not (transmission.sender.isascii() and "".join(recipients).isascii()):
        return True
    return transmission.utf8 and not transmission.head.isascii()


def _converted(transmission: Transmission) -> tuple[bytes, Body] | None:
    body = transmission.body
    if body.size > MAX_CONVERTED:
        return None
    given = _bytes_of(body)
    if given.isascii():
        return transmission.head, body  # only the header is not: it leaves as it came
    converted = to_seven_bit(transmission.head, given)
    if converted is None:
        return None
    head, data = converted
    return head, replace(body, size=len(data), data=data, path=None)


def _bytes_of(body: Body) -> bytes:
    if body.data is not None:
        return body.data
    try:
        read = Path(str(body.path)).read_bytes()
    except OSError as error:
        raise BodyError(f"the body's file cannot be read: {error.strerror}") from error
    if len(read) != body.size:
        raise BodyError(f"the body's file has {len(read)} bytes where {body.size} were stored")
    return read


def _failed(fault: Fault, text: str, *, elsewhere: bool) -> Outcome:
    return Outcome(Verdict.FAILED, Stage.RELAY, fault, detail=text, remedy=_REMEDY[fault], retry_elsewhere=elsewhere)


_NO_UTF8 = "5.6.7 the message has addresses or headers that are not ASCII and this upstream does not offer SMTPUTF8"
_NO_EIGHT_BIT = "5.6.3 the message has 8-bit content that cannot be converted and this upstream does not offer 8BITMIME"
_REMEDY = {
    Fault.PROTOCOL: "Report this to Mailhaul: such an address should not have been accepted.",
    Fault.SIZE: "Send a smaller message, or add an upstream that takes larger ones.",
    Fault.CAPABILITY: "Add an upstream that offers it, or let the sender use ASCII addresses and headers.",
}
