"""The mail of a send-test: from whom it may be, and what it says.

`http` asks for the sender, `smtpin.send_test` for the text. The mail goes through every check that an application's
goes through; a sender that none of them would take is given all the same, for then the refusal is the test's answer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from mailhaul_relay.model.message import Envelope, Origin, Recipient
from mailhaul_relay.policy.guards import refuse_authors
from mailhaul_relay.policy.mending import Admitted
from mailhaul_relay.policy.route_admission import refuse_unroutable
from mailhaul_relay.policy.running import Running

LOCAL_PART = "postmaster"


@dataclass(frozen=True, slots=True)
class TrialMail:
    """Addresses in normal form; `subject` is one line of printable ASCII, "" for the usual one."""

    sender: str
    recipients: tuple[str, ...]
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. `id` is "" when the session ended before DATA; with one, a lost 250 leaves it open whether the
    message is in the queue.
    """

    id: str
    accepted: bool


def usual_sender(running: Running) -> str:
    """Give the first of these that the relay may send: the sender of an upstream's probe (known to the provider), a
    sender domain of an upstream, one of the relay, the host name.
    """
    candidates = list(_candidates(running))
    return next((one for one in candidates if _may_send(running, one)), candidates[0])


def trial_text(running: Running, mail: TrialMail, message_id: str) -> bytes:
    """Give head and body in wire form, without the final dot. Date and Message-ID are added as for any application."""
    relay = running.config.relay
    lines = (
        f"From: {mail.sender}",
        "To: " + ",\r\n ".join(mail.recipients),
        f"Subject: {mail.subject or f'Mailhaul test {message_id}'}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Auto-Submitted: auto-generated",
        "",
        f"This mail was sent by `mailhaul send-test` through the mail relay {relay.name} in the namespace",
        f"{relay.namespace}, to show that mail leaves. Its id there is {message_id}. Nothing is to be done.",
        "",
    )
    return "\r\n".join(lines).encode()


def _may_send(running: Running, sender: str) -> bool:
    """Whether this relay takes own mail of a sender, as far as no recipient, client or header field matters."""
    domain = sender.rpartition("@")[2]
    if refuse_authors(running, running.senders.general, (domain,)) is not None:
        return False
    envelope = Envelope("", sender, (Recipient("", ""),), domain, Origin.SUBMISSION, 0.0, 0)
    return refuse_unroutable(running, Admitted(envelope, b"")) is None


def _candidates(running: Running) -> Iterator[str]:
    for upstream in running.candidates:
        if upstream.probe_sender:
            yield upstream.probe_sender
        yield from (f"{LOCAL_PART}@{domain}" for domain in upstream.senders.domains)
    yield from (f"{LOCAL_PART}@{domain}" for domain in running.config.senders.domains)
    yield f"{LOCAL_PART}@{running.config.hostname}"
