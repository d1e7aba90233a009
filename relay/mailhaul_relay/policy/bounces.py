"""Reports of mail that failed for good, as messages of the relay's own (RFC 3464, RFC 6522).

`queue` asks when recipients become dead letters. One report per message, from the null sender, so that it is never
answered by another. None is made when the configuration only records, for a bounce or a message from the null sender,
or for forwarded mail: a stranger's envelope sender is often forged, and a report to it would be backscatter.
A report names the recipient that was asked for, never the mailbox behind an alias; for the same reason an upstream's
words about an alias's mailbox are left out. No body is returned, and of the head only a bounded part.
Cannot fail: where no report can be addressed there is none.
"""

from collections.abc import Mapping

from mailhaul_contract.addresses import Address, AddressError
from mailhaul_contract.config import BounceMode
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Recipient
from mailhaul_relay.model.outcome import Outcome
from mailhaul_relay.policy.aliases import AliasLoopError
from mailhaul_relay.policy.alignment import relay_address
from mailhaul_relay.policy.dates import header_date
from mailhaul_relay.policy.running import Running

MAX_HEAD = 16_384
"""Octets of the failed message's head that a report repeats, in whole lines."""
MAX_RECIPIENTS = 1000
"""Recipients that one report tells of."""


def bounce(running: Running, message: Message, failed: Mapping[int, Outcome], id: str, now: float) -> Message | None:  # noqa: A002
    """Make the report for recipients (by index) of a message; None when none is due."""
    envelope = message.envelope
    if running.config.bounces.mode is not BounceMode.SEND or not failed:
        return None
    if envelope.origin is not Origin.SUBMISSION or not envelope.sender:
        return None
    # Nobody but us addressed the archive.
    failed = {index: outcome for index, outcome in failed.items() if envelope.recipients[index].original}
    recipients = _recipients(running, envelope)
    if not recipients or not failed:
        return None
    sender = relay_address(running, envelope.from_domain)
    head = _head(running, sender, recipients[0].original, id, now)
    body = _body(running, message, failed, id)
    report = Envelope(
        id=id,
        sender="",
        recipients=recipients,
        from_domain=sender.rpartition("@")[2],
        origin=Origin.BOUNCE,
        accepted=now,
        size=len(head) + len(body),
        utf8=any(not one.final.isascii() for one in recipients),
    )
    return Message(report, head, Body(len(body), body))


def _recipients(running: Running, envelope: Envelope) -> tuple[Recipient, ...]:
    """Whoever `bounces.to` names, else the envelope sender; an own alias is followed as for any mail."""
    target = running.config.bounces.to or envelope.sender
    try:
        matches = running.aliases.resolve(Address.parse(target))
    except (AddressError, AliasLoopError):
        return ()
    found = tuple(Recipient(one.address, one.final, one.alias) for one in matches) or (Recipient(target, target),)
    if running.reach is None:
        return found
    return () if running.reach.refuse(found) else running.reach.redirected(found)


def _head(running: Running, sender: str, to: str, id: str, now: float) -> bytes:  # noqa: A002
    lines = (
        f"From: Mail relay <{sender}>",
        f"To: <{to}>",
        "Subject: Mail could not be delivered",
        f"Date: {header_date(now)}",
        f"Message-ID: <{id}@{running.config.hostname}>",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{_boundary(id)}"',
        "",
    )
    return _crlf(lines).encode("utf-8")


def _body(running: Running, message: Message, failed: Mapping[int, Outcome], id: str) -> bytes:  # noqa: A002
    told = list(failed.items())[:MAX_RECIPIENTS]
    recipients = [(message.envelope.recipients[index], outcome) for index, outcome in told]
    boundary = f"--{_boundary(id)}"
    parts = (
        *(boundary, "Content-Type: text/plain; charset=us-ascii", "", *_words(running, recipients), ""),
        *(boundary, "Content-Type: message/delivery-status", "", *_status(running, message.envelope, recipients), ""),
        *(boundary, "Content-Type: text/rfc822-headers", "", *_returned(message.head), ""),
        f"{boundary}--",
    )
    return _crlf(parts).encode("ascii", "replace")


def _words(running: Running, recipients: list[tuple[Recipient, Outcome]]) -> list[str]:
    lines = [f"The mail relay {running.config.hostname} could not deliver your message to:", ""]
    for recipient, outcome in recipients:
        lines += [f"  <{recipient.original}>", f"    {_diagnosis(recipient, outcome)}"]
    return [*lines, "", "The header of your message is attached. It will not be tried again."]


def _status(running: Running, envelope: Envelope, recipients: list[tuple[Recipient, Outcome]]) -> list[str]:
    """The machine's part (RFC 3464 sections 2.2 and 2.3)."""
    lines = [f"Reporting-MTA: dns; {running.config.hostname}", f"Arrival-Date: {header_date(envelope.accepted)}"]
    for recipient, outcome in recipients:
        status = outcome.reply.enhanced if outcome.reply else ""
        lines += [
            "",
            f"Final-Recipient: rfc822; {recipient.original}",
            "Action: failed",
            f"Status: {status if status[:2] in {'4.', '5.'} else '5.0.0'}",
            f"Diagnostic-Code: {'smtp' if outcome.reply else 'x-mailhaul'}; {_diagnosis(recipient, outcome)}",
        ]
    return lines


def _diagnosis(recipient: Recipient, outcome: Outcome) -> str:
    """The upstream's words on one line; of an alias's mailbox only the codes, since the words may name it."""
    if recipient.original != recipient.final:
        text = f"{outcome.reply.code} {outcome.reply.enhanced}".strip() if outcome.reply else outcome.fault.value
    else:
        text = outcome.text or outcome.fault.value
    return "".join(one if " " <= one <= "~" else "?" for one in text)[:512]


def _returned(head: bytes) -> list[str]:
    """Whole lines of the failed message's head, without its empty line and what is not ASCII."""
    cut = head.removesuffix(b"\r\n")[:MAX_HEAD]
    whole = cut[: cut.rfind(b"\r\n")] if b"\r\n" in cut else b""
    return whole.decode("ascii", "replace").replace("\ufffd", "?").split("\r\n")


def _boundary(id: str) -> str:  # noqa: A002
    return f"=_report_{id}"


def _crlf(lines: tuple[str, ...]) -> str:
    return "".join(f"{line}\r\n" for line in lines)
