"""Reports of failed mail: to our own senders only, and never telling where an alias leads."""

import email
from email.message import EmailMessage
from email.policy import default

import pytest
from tests.unit.policy.builders import NOW, alias, aliases, running, spooled

from mailhaul_relay.model.message import Message, Origin, Recipient
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.bounces import MAX_HEAD, bounce
from mailhaul_relay.policy.running import Running

TO_ALIAS = Recipient("sales@own.example", "ann@gmail.example", "shop/alias")
NO_SUCH = Outcome(Verdict.FAILED, Stage.RCPT, Fault.RECIPIENT, Reply(550, "5.1.1", "<ann@gmail.example> no such user"))


def sends(**changes: object) -> Running:
    entry = alias("sales@own.example", "ann@gmail.example")
    return running(**{"bounces": {"mode": "Send"}, "aliases": aliases(entry), **changes})


def report(relay: Running, message: Message, failed: dict[int, Outcome] | None = None) -> EmailMessage:
    made = bounce(relay, message, {0: NO_SUCH} if failed is None else failed, "b1", NOW)
    assert made
    assert made.envelope.sender == ""
    assert made.envelope.origin is Origin.BOUNCE
    assert made.body.data is not None
    assert made.envelope.size == len(made.head) + len(made.body.data)
    return email.message_from_bytes(made.head + made.body.data, policy=default)


def test_report_has_the_three_parts_of_rfc_3464() -> None:
    parsed = report(sends(), spooled("From: app@own.example\nSubject: Hi\n"))
    assert parsed.get_content_type() == "multipart/report"
    words, status, head = parsed.iter_parts()
    assert "you@far.example" in words.get_content()
    fields = status.as_string()
    for line in (
        "Reporting-MTA: dns; relay.own.example",
        "Final-Recipient: rfc822; you@far.example",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 <ann@gmail.example> no such user",
    ):
        assert line in fields
    assert "Subject: Hi" in head.as_string()
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["To"].addresses[0].addr_spec == "app@own.example"
    assert not parsed.defects


def test_mailbox_behind_an_alias_is_never_named() -> None:
    text = report(sends(), spooled("From: app@own.example\n", TO_ALIAS)).as_string()
    assert "ann@gmail.example" not in text
    assert "sales@own.example" in text
    assert "550 5.1.1" in text


@pytest.mark.parametrize(
    ("relay", "message"),
    [
        (running(), spooled("From: app@own.example\n")),
        (sends(), spooled("From: app@own.example\n", sender="")),
        (sends(), spooled("From: app@own.example\n", sender="", origin=Origin.BOUNCE)),
        (sends(), spooled("From: app@own.example\n", origin=Origin.BOUNCE)),
        (sends(), spooled("From: bob@far.example\n", TO_ALIAS, sender="bob@far.example", origin=Origin.INBOUND)),
        (sends(bounces={"mode": "Send", "to": "ops@own.example"}), spooled("From: a@own.example\n", sender="")),
    ],
)
def test_no_report_when_recording_to_bounces_null_senders_or_strangers(relay: Running, message: Message) -> None:
    assert bounce(relay, message, {0: NO_SUCH}, "b1", NOW) is None


def test_nothing_failed_is_no_report() -> None:
    assert bounce(sends(), spooled("From: app@own.example\n"), {}, "b1", NOW) is None


def test_bounces_to_receives_in_place_of_the_sender_and_may_be_an_alias() -> None:
    made = bounce(
        sends(bounces={"mode": "Send", "to": "sales@own.example"}),
        spooled("From: a@own.example\n"),
        {0: NO_SUCH},
        "b1",
        NOW,
    )
    assert made
    assert made.envelope.recipients == (TO_ALIAS,)


def test_report_that_would_go_in_a_circle_is_not_made() -> None:
    loop = aliases(alias("loop@own.example", "loop@own.example"))
    relay = sends(aliases=loop, bounces={"mode": "Send", "to": "loop@own.example"})
    assert bounce(relay, spooled("From: a@own.example\n"), {0: NO_SUCH}, "b1", NOW) is None


def test_report_is_from_an_address_that_upstreams_may_send() -> None:
    message = spooled("From: app@own.example\n")
    assert report(sends(), message)["From"] == "Mail relay <mailer-daemon@own.example>"
    assert report(sends(postmaster="ops@own.example"), message)["From"] == "Mail relay <ops@own.example>"
    elsewhere = sends(postmaster="ops@gmail.example")
    assert report(elsewhere, message)["From"] == "Mail relay <mailer-daemon@own.example>"


def test_hostile_words_of_an_upstream_add_no_line() -> None:
    evil = Outcome(Verdict.FAILED, Stage.DATA, Fault.CONTENT, Reply(554, "", "no\r\nBcc: x@y.example\r\n\r\n.\r\nü"))
    made = bounce(sends(), spooled("From: app@own.example\n"), {0: evil}, "b1", NOW)
    assert made
    assert made.body.data
    assert b"\r\nBcc" not in made.body.data
    assert not [line for line in made.body.data.split(b"\r\n") if line.startswith(b".")]
    assert made.body.data.isascii()


def test_head_that_is_returned_is_bounded_in_whole_lines() -> None:
    long = "From: app@own.example\n" + f"X-Long: {'y' * 90}\n" * 1000
    parsed = report(sends(), spooled(long))
    returned = list(parsed.iter_parts())[2].as_string()
    assert len(returned) < MAX_HEAD + 1000
    assert returned.rstrip().endswith("y" * 90)


def test_expired_mail_is_told_without_a_reply() -> None:
    expired = Outcome(Verdict.FAILED, Stage.RELAY, Fault.EXPIRED, detail="expired; last: 535 no")
    text = report(sends(), spooled("From: app@own.example\n"), {0: expired}).as_string()
    assert "Status: 5.0.0" in text
    assert "Diagnostic-Code: x-mailhaul; expired; last: 535 no" in text
