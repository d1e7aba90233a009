"""Rules of senders: whose From is whose, what becomes of the others, who gets a copy."""

from typing import Any

import pytest
from tests.unit.policy.builders import (
    STRANGER,
    TRUSTED,
    admitted,
    alias,
    aliases,
    incoming,
    refusal,
    running,
    upstream,
)

from mailhaul_relay.model.message import Origin
from mailhaul_relay.policy.source import Source

SIGNED = "DKIM-Signature: v=1; d=own.example; h=from; b=abc\n"
PAY = Source("10.9.0.7", trusted=True)


def rules(*given: dict[str, Any], **general: object) -> dict[str, Any]:
    """The section with its rules."""
    return {**general, "rules": list(given)}


def test_the_first_rule_that_fits_counts_in_place_of_the_relays_own() -> None:
    pay = {"name": "pay", "networks": ["10.9.0.0/16"], "domains": ["pay.example"]}
    other = {"name": "other", "networks": ["10.0.0.0/8"], "domains": ["other.example"]}
    relay = running(senders=rules(pay, other, domains=["own.example"]))
    assert admitted(relay, PAY, incoming("From: a@pay.example\n")).envelope.from_domain == "pay.example"
    assert admitted(relay, TRUSTED, incoming("From: a@other.example\n")).envelope.id == "id1"
    told = refusal(relay, PAY, incoming("From: a@own.example\n"))
    assert (told.code, told.enhanced) == (550, "5.7.1")
    assert "own.example in From is not in spec.senders.rules[pay].domains" in told.text
    assert admitted(relay, Source("192.168.1.1", trusted=True), incoming("From: a@own.example\n")).envelope.id == "id1"


def test_a_rule_of_accounts_is_for_those_who_logged_in() -> None:
    relay = running(senders=rules({"name": "shop", "accounts": ["shop"], "domains": ["shop.example"]}))
    shop = Source("203.0.113.9", trusted=True, account="shop")
    assert admitted(relay, shop, incoming("From: a@shop.example\n")).envelope.id == "id1"
    assert "rules[shop]" in refusal(relay, shop, incoming("From: a@own.example\n")).text
    assert (
        admitted(relay, Source("203.0.113.9", trusted=True, account="x"), incoming("From: a@own.example\n")).envelope.id
        == "id1"
    )


def test_an_account_is_not_judged_by_its_network() -> None:
    relay = running(senders=rules({"name": "pods", "networks": ["10.0.0.0/8"], "domains": ["own.example"]}))
    assert (
        admitted(relay, Source("10.1.1.1", trusted=True, account="any"), incoming("From: a@far.example\n")).envelope.id
        == "id1"
    )


def test_a_message_without_a_from_gets_the_default_one() -> None:
    relay = running(senders={"defaultFrom": "app@own.example"})
    taken = admitted(relay, TRUSTED, incoming("Subject: hi\n"))
    assert b"\r\nFrom: <app@own.example>\r\n" in taken.head or b"\r\nFrom: app@own.example\r\n" in taken.head
    assert taken.envelope.from_domain == "own.example"
    given = admitted(relay, TRUSTED, incoming("From: b@far.example\n"))
    assert given.head.count(b"From:") == 1
    assert given.envelope.from_domain == "far.example"


def test_the_forced_from_replaces_every_one_and_the_author_gets_the_answers() -> None:
    relay = running(senders={"forcedFrom": "app@own.example", "domains": ["own.example"]})
    taken = admitted(relay, TRUSTED, incoming("Sender: x@far.example\nFrom: Bob <bob@far.example>\n"))
    assert b"From: Bob <app@own.example>\r\nReply-To: Bob <bob@far.example>\r\n" in taken.head
    assert b"Sender:" not in taken.head
    assert (taken.envelope.sender, taken.envelope.from_domain) == ("app@own.example", "own.example")
    assert not taken.breaks_signature


def test_what_was_rewritten_is_told_for_the_story() -> None:
    relay = running(senders={"forcedFrom": "app@own.example"})
    taken = admitted(relay, TRUSTED, incoming("From: Bob <bob@far.example>\n", sender="bob@far.example"))
    assert taken.rewritten == "From is app@own.example, was bob@far.example; sender was bob@far.example"
    relay = running(senders={"defaultFrom": "app@own.example"})
    assert admitted(relay, TRUSTED, incoming("Subject: hi\n")).rewritten == "From is app@own.example, was none"
    assert admitted(relay, TRUSTED, incoming("From: a@own.example\n")).rewritten == ""


def test_a_null_sender_stays_null_under_a_forced_from() -> None:
    relay = running(senders={"forcedFrom": "app@own.example"})
    assert admitted(relay, TRUSTED, incoming("From: a@far.example\n", sender="")).envelope.sender == ""


@pytest.mark.parametrize(
    ("head", "broken"), [(SIGNED + "From: a@far.example\n", True), ("From: a@far.example\n", False)]
)
def test_a_signature_that_a_forced_from_breaks_is_told(head: str, broken: bool) -> None:
    relay = running(senders={"forcedFrom": "app@own.example"})
    taken = admitted(relay, TRUSTED, incoming(head))
    assert taken.breaks_signature == ("another From" if broken else "")
    assert (b"DKIM-Signature" in taken.head) is broken


@pytest.mark.parametrize(
    ("signed", "head", "broken"),
    [
        ("from : Bcc", "From: a@own.example\nBcc: b@far.example\n", "a bcc dropped"),
        ("from:subject", "From: a@own.example\nBcc: b@far.example\n", ""),
        ("from:content-length", "From: a@own.example\nContent-Length: 5\n", "a content-length dropped"),
        ("from:\n\tMessage-Id:date", "From: a@own.example\n", "a date added and a message-id added"),
        ("from:date", "From: a@own.example\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n", ""),
        ("from:subject", "From: a@own.example\n", ""),
    ],
)
def test_a_signature_of_what_is_dropped_or_added_is_told_as_broken(signed: str, head: str, broken: str) -> None:
    signature = f"DKIM-Signature: v=1; bh=; H={signed};\n d=own.example; b=abc\n"
    assert admitted(running(), TRUSTED, incoming(signature + head)).breaks_signature == broken


def test_a_default_from_voids_a_signature_that_was_made_without_one() -> None:
    relay = running(senders={"defaultFrom": "app@own.example"})
    assert admitted(relay, TRUSTED, incoming(SIGNED + "Subject: hi\n")).breaks_signature == "another From"


def test_what_is_left_alone_keeps_its_bytes_and_its_signature() -> None:
    relay = running(senders={"defaultFrom": "app@own.example", "domains": ["own.example"]})
    head = SIGNED + "From:  odd   spacing <a@own.example>\nMessage-ID: <1@x>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n"
    taken = admitted(relay, TRUSTED, incoming(head))
    assert taken.head.endswith(head.encode().replace(b"\n", b"\r\n") + b"\r\n")
    assert not taken.breaks_signature


def test_the_archive_gets_every_submission_once_and_no_forward() -> None:
    forward = aliases(alias("sales@own.example", "a@far.example"))
    relay = running(senders={"alwaysBcc": ["archive@own.example"]}, aliases=forward)
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n"))
    assert [(one.original, one.final) for one in taken.envelope.recipients][1:] == [("", "archive@own.example")]
    assert b"archive" not in taken.head
    stranger = admitted(relay, STRANGER, incoming("From: x@away.example\n"))
    assert stranger.envelope.origin is Origin.INBOUND
    assert len(stranger.envelope.recipients) == 1


def test_a_forced_from_that_no_upstream_may_send_is_refused() -> None:
    ways = [upstream("primary", senders={"domains": ["own.example"]})]
    relay = running(senders={"forcedFrom": "app@far.example"}, upstreams=ways)
    assert (
        "no upstream may send From domain far.example"
        in refusal(relay, TRUSTED, incoming("From: a@own.example\n")).text
    )


def test_an_archive_that_is_an_own_alias_is_followed_for_sent_out_it_would_come_back_or_vanish() -> None:
    table = aliases(alias("archive@own.example", "one@far.example", "two@far.example"))
    relay = running(senders={"alwaysBcc": ["archive@own.example", "other@own.example"]}, aliases=table)
    taken = admitted(relay, TRUSTED, incoming("From: a@own.example\n"))
    assert [(one.original, one.final) for one in taken.envelope.recipients][1:] == [
        ("", "one@far.example"),
        ("", "two@far.example"),
        ("", "other@own.example"),
    ]
