"""Reports of failed mail: three parts whatever the words of others are, 7-bit, and nothing in them ends the message.

The second reading is the standard library's email package.
"""

from email import message_from_bytes, policy
from functools import cache

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.config import RelayConfig
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Recipient
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.bounces import bounce
from mailhaul_relay.policy.headers import HeaderError, parse_head
from mailhaul_relay.policy.running import Running, compile_running
from mailhaul_relay.smtpout.capture import unstuffed
from mailhaul_relay.smtpout.replies import ReplyParser

LONGEST = 900
WORDS = (
    *(b"550 5.1.1 unknown\r\n", b"\n|", b"--=_report_report0000000001", b"\r\nBcc: x@y.example", b"\r\n.\r\n", b"\xff"),
    *(b"bob@example.net", b'"b b"@example.net', b"Subject: x\r\n", b"\r\n ", b"\xc3\xbc@example.net", b"\x1b[31m"),
)
_ID = "report0000000001"
_HIDDEN = b"hidden-canary"


def check(data: bytes) -> None:
    """Take the octets for a recipient, a reply and a head, which `|` parts."""
    parts = [*data.replace(_HIDDEN, b"").split(b"|", 2), b"", b""]
    try:
        recipient = str(Address.parse(parts[0].decode("utf-8", "replace")))
        parse_head(parts[2])
    except (AddressError, HeaderError):
        return
    answers = ReplyParser().feed(parts[1] + b"\r\n")
    reply = answers[0].reply() if answers else None
    outcome = Outcome(Verdict.FAILED, Stage.RCPT, Fault.RECIPIENT, reply or Reply(550, "", ""), detail="expired")
    for final in (recipient, f"{_HIDDEN.decode()}@example.net"):
        report = bounce(_running(), _failed(recipient, final, parts[2] + b"\r\n"), {0: outcome}, _ID, 1_700_000_000.0)
        assert report is not None
        _check_report(report)


def _failed(recipient: str, final: str, head: bytes) -> Message:
    envelope = Envelope(
        "id", "app@own.example", (Recipient(recipient, final),), "own.example", Origin.SUBMISSION, 1.0, len(head)
    )
    return Message(envelope, head, Body(0, b""))


@cache
def _running() -> Running:
    config = RelayConfig.from_json(
        {
            "contractVersion": 1,
            "relay": {"namespace": "smtp", "name": "relay"},
            "hostname": "relay.own.example",
            "listeners": [{"name": "smtp", "port": 2525}],
            "bounces": {"mode": "Send"},
        }
    )
    running = compile_running(config, Secrets(), "sha256:fuzz")
    assert isinstance(running, Running), running
    return running


def _check_report(report: Message) -> None:
    wire = report.head + (report.body.data or b"")
    assert wire.isascii(), "an octet above 127 in a report"
    bare = wire.replace(b"\r\n", b"")
    assert not any(octet in bare for octet in (b"\r", b"\n", b"\0")), "a bare line end in a report"
    ours = wire.partition(b"text/rfc822-headers")[0].replace(b"\r\n", b"")
    assert ours.decode("ascii").isprintable(), "a control character in words of ours"
    assert not any(line.startswith(b".") for line in wire.split(b"\r\n")), "an unstuffed dot"
    assert _HIDDEN not in wire, "the mailbox behind an alias is told"
    assert report.envelope.sender == ""
    read = message_from_bytes(unstuffed(wire), policy=policy.SMTP)
    kinds = [part.get_content_type() for part in read.iter_parts()]
    assert kinds == ["text/plain", "message/delivery-status", "text/rfc822-headers"], kinds
    assert not read.defects, read.defects
    assert read["Bcc"] is None
    assert read["To"].addresses[0].addr_spec == "app@own.example"
