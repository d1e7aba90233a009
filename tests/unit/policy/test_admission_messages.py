"""A whole message before the 250: what is refused, what is mended, and that all else keeps its bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.builders import STRANGER, TRUSTED, admitted, alias, aliases, incoming, refusal, running, upstream

from mailhaul_relay.model.message import Origin, Recipient
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.admission import Admitted, admit_message
from mailhaul_relay.policy.guards import MAX_HOPS

PLAIN = (
    "From: App <app@own.example>\nTo: you@far.example\nSubject: Hi\n"
    "Date: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <1@x>\n"
)
TO_ALIAS = Recipient("sales@own.example", "ann@far.example", "shop/alias")
RELAY = running()


def wire(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


def test_submission_gains_only_received_and_keeps_every_byte() -> None:
    result = admitted(RELAY, TRUSTED, incoming(PLAIN))
    received, rest = result.head[: -len(wire(PLAIN) + b"\r\n")], result.head[-len(wire(PLAIN) + b"\r\n") :]
    assert rest == wire(PLAIN) + b"\r\n"
    assert received == (
        b"Received: from app.shop.svc ([10.1.2.3])\r\n"
        b"\tby relay.own.example with ESMTP id id1;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )
    assert result.envelope.size == len(result.head) + 100
    assert result.envelope.origin is Origin.SUBMISSION
    assert result.envelope.from_domain == "own.example"


def test_date_and_message_id_are_added_to_submissions_only() -> None:
    head = admitted(RELAY, TRUSTED, incoming("From: app@own.example\n")).head
    assert b"\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n" in head
    assert b"\r\nMessage-ID: <id1@relay.own.example>\r\n" in head
    inbound = admitted(RELAY, STRANGER, incoming("From: a@far.example\n", TO_ALIAS)).head
    assert b"Date:" not in inbound
    assert b"Message-ID" not in inbound


def test_fields_that_leak_are_dropped_from_submissions_only() -> None:
    extra = (
        "bcc: secret@far.example,\n other@far.example\nResent-Bcc: x@y.example\n"
        "Return-Path: <a@b.example>\nContent-Length: 3\n"
    )
    head = admitted(RELAY, TRUSTED, incoming(PLAIN + extra)).head
    assert head.endswith(wire(PLAIN) + b"\r\n")
    assert wire(extra) in admitted(RELAY, STRANGER, incoming(PLAIN + extra, TO_ALIAS)).head


@pytest.mark.parametrize(
    "name",
    [
        *("From", "Sender", "Reply-To", "To", "Cc", "Message-ID", "In-Reply-To", "References", "Subject", "Date"),
        *("MIME-Version", "Content-Type", "Content-Transfer-Encoding", "DKIM-Signature"),
    ],
)
def test_repeated_unique_header_is_refused_and_named(name: str) -> None:
    relay = running(upstreams=[upstream("one", behavior={"uniqueHeaders": ["DKIM-Signature"]}), upstream("two")])
    head = "From: app@own.example\n" + f"{name}: a@own.example\n{name.upper()} : b@own.example\n"
    reply = refusal(relay, TRUSTED, incoming(head))
    assert (reply.code, reply.enhanced) == (550, "5.6.0")
    assert name.lower() in reply.text


def test_repeats_in_forwards_are_refused_only_for_from_and_where_every_upstream_wants_it() -> None:
    repeated = "From: a@far.example\nSubject: 1\nSubject: 2\n"
    wants = upstream("one", behavior={"uniqueHeaders": ["Subject"]})
    assert admitted(running(upstreams=[wants, upstream("two")]), STRANGER, incoming(repeated, TO_ALIAS)).head
    assert refusal(running(upstreams=[wants]), STRANGER, incoming(repeated, TO_ALIAS)).enhanced == "5.6.0"
    assert "from" in refusal(RELAY, STRANGER, incoming("From: a@b.example\nFrom: c@d.example\n", TO_ALIAS)).text


@pytest.mark.parametrize(
    ("head", "text"),
    [
        ("Subject: no author\n", "no From field"),
        ("From: \n", "no From field"),
        ("From: Undisclosed:;\n", "no From field"),
        ("From: root\n", "cannot be read"),
        ("From: ceo@bank.example <app@own.example>\n", "cannot be read"),
        ("not a header\n", "line 1"),
    ],
)
def test_submission_without_a_readable_author_is_refused(head: str, text: str) -> None:
    reply = refusal(RELAY, TRUSTED, incoming(head))
    assert (reply.code, reply.enhanced) == (550, "5.6.0")
    assert text in reply.text


def test_stranger_may_write_any_from() -> None:
    for head in ("Subject: none\n", "From: root\n", "From: Undisclosed:;\n"):
        assert admitted(RELAY, STRANGER, incoming(head, TO_ALIAS)).envelope.from_domain == ""


@pytest.mark.parametrize(
    ("senders", "upstreams", "author", "remedy"),
    [
        ({"domains": ["own.example"]}, [upstream("one")], "x@far.example", "spec.senders.domains of the relay"),
        ({"domains": ["own.example"]}, [upstream("one")], "x@sub.own.example", "spec.senders.domains of the relay"),
        ({}, [upstream("one", senders={"domains": ["own.example"]})], "x@far.example", "rewriteFrom"),
        ({"domains": ["own.example"]}, [upstream("one")], "a@own.example, x@far.example", "spec.senders.domains"),
    ],
)
def test_from_that_no_upstream_may_send_is_refused_before_the_250(
    senders: dict[str, object], upstreams: list[dict[str, object]], author: str, remedy: str
) -> None:
    relay = running(senders=senders, upstreams=upstreams)
    reply = refusal(relay, TRUSTED, incoming(f"From: {author}\n"))
    assert (reply.code, reply.enhanced) == (550, "5.7.1")
    assert remedy in reply.text


@pytest.mark.parametrize(
    "upstreams",
    [
        [upstream("one", senders={"domains": ["far.example"]})],
        [upstream("one", senders={"domains": ["own.example"]}), upstream("two")],
        [upstream("one", senders={"domains": ["own.example"], "rewriteFrom": "relay@own.example"})],
        [],
    ],
)
def test_from_that_some_upstream_may_send_is_taken(upstreams: list[dict[str, object]]) -> None:
    assert admitted(running(upstreams=upstreams), TRUSTED, incoming("From: x@far.example\n")).head


def test_gateway_in_the_cluster_may_hand_other_peoples_mail_to_aliases_only() -> None:
    relay = running(
        senders={"domains": ["own.example"]}, aliases=aliases(alias("sales@own.example", "ann@far.example"))
    )
    message = incoming("From: x@far.example\n", TO_ALIAS)
    assert admitted(relay, TRUSTED, message).envelope.origin is Origin.INBOUND
    returned = incoming(
        "From: mailer-daemon@far.example\n", Recipient("SRS0=x@own.example", "z@far.example"), sender=""
    )
    assert admitted(relay, TRUSTED, returned).envelope.origin is Origin.INBOUND
    beside = incoming("From: x@far.example\n", TO_ALIAS, Recipient("y@far.example", "y@far.example"))
    assert refusal(relay, TRUSTED, beside).enhanced == "5.7.1"


def test_hops_are_counted() -> None:
    hops = "Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\n"
    assert admitted(RELAY, TRUSTED, incoming(hops * MAX_HOPS + PLAIN)).head
    reply = refusal(RELAY, TRUSTED, incoming(hops * (MAX_HOPS + 1) + PLAIN))
    assert (reply.code, reply.enhanced) == (554, "5.4.6")


def test_own_delivered_to_is_a_loop() -> None:
    passed = "Delivered-To: <Sales@own.example>\nFrom: a@far.example\n"
    assert refusal(RELAY, STRANGER, incoming(passed, TO_ALIAS)).enhanced == "5.4.6"
    other = "Delivered-To: ann@far.example\nDelivered-To: nonsense\nFrom: a@far.example\n"
    assert admitted(RELAY, STRANGER, incoming(other, TO_ALIAS)).head


def test_delivered_to_of_an_address_that_is_not_ours_is_no_loop() -> None:
    resent = "Delivered-To: you@far.example\n" + PLAIN
    assert admitted(RELAY, TRUSTED, incoming(resent)).head


def test_message_over_the_size_is_refused_after_the_data_too() -> None:
    reply = refusal(RELAY, TRUSTED, incoming(PLAIN, body_size=RELAY.size_limit))
    assert (reply.code, reply.enhanced) == (552, "5.3.4")


def test_one_mailbox_is_a_recipient_once_in_the_order_given() -> None:
    to = (Recipient("b@far.example", "b@far.example"), TO_ALIAS, Recipient("Ann@far.example", "Ann@far.example"))
    assert admitted(RELAY, TRUSTED, incoming(PLAIN, *to)).envelope.recipients == to[:2]


@pytest.mark.parametrize(
    ("sender", "final", "subject", "declared", "utf8"),
    [
        ("app@own.example", "you@far.example", "plain", True, False),
        ("app@bücher.example", "you@far.example", "plain", True, False),
        ("jürgen@own.example", "you@far.example", "plain", True, True),
        ("app@own.example", "jürgen@far.example", "plain", False, True),
        ("app@own.example", "you@far.example", "Grüße", True, True),
        ("app@own.example", "you@far.example", "Grüße", False, False),
    ],
)
def test_utf8_is_asked_for_only_when_it_is_needed(
    sender: str, final: str, subject: str, declared: bool, utf8: bool
) -> None:
    head = f"From: app@own.example\nSubject: {subject}\n"
    message = incoming(head, Recipient(final, final), sender=sender, declared_utf8=declared)
    assert admitted(RELAY, TRUSTED, message).envelope.utf8 is utf8


@pytest.mark.parametrize(
    ("helo", "shown"),
    [
        ("app.shop.svc", "app.shop.svc"),
        ("[10.1.2.3]", "[10.1.2.3]"),
        ("[IPv6:fd00::1]", "[IPv6:fd00::1]"),
        ("a\r\nX-Injected: yes", "unknown"),
        ("a b", "unknown"),
        ("jürgen", "unknown"),
        ("(comment", "unknown"),
        ("", "unknown"),
        ("a" * 300, "unknown"),
    ],
)
def test_hostile_helo_is_not_repeated(helo: str, shown: str) -> None:
    head = admitted(RELAY, TRUSTED, incoming(PLAIN, helo=helo, client="fd00::1", protocol="ESMTPS")).head
    assert head.startswith(f"Received: from {shown} ([IPv6:fd00::1])\r\n\tby relay.own.example with ESMTPS id".encode())


def test_unknown_client_and_protocol_are_not_repeated() -> None:
    head = admitted(RELAY, TRUSTED, incoming(PLAIN, client="evil\r\nX: y", protocol="evil\r\nX: y")).head
    assert head.startswith(b"Received: from app.shop.svc\r\n\tby relay.own.example with SMTP id")


@given(st.binary(max_size=150), st.booleans())
def test_any_head_is_admitted_or_refused_with_a_permanent_reply(head: bytes, trusted: bool) -> None:
    result = admit_message(
        RELAY, TRUSTED if trusted else STRANGER, incoming(b"From: a@own.example\r\n" + head, TO_ALIAS)
    )
    if isinstance(result, Reply):
        assert result.code in {550, 554}
        assert result.text.isprintable()
    else:
        assert isinstance(result, Admitted)
        assert result.head.endswith(b"\r\n\r\n")


def test_authors_that_one_upstream_may_send_only_in_part_are_refused() -> None:
    """Mail goes by the first author's domain, and the other would leave through a provider that may not send it."""
    both = incoming("From: a@own.example, b@other.example\n")
    partial = upstream("partial", senders={"domains": ["own.example"]})
    told = refusal(running(upstreams=[upstream("any"), partial]), TRUSTED, both)
    assert (told.code, told.enhanced) == (550, "5.7.1")
    assert "upstream partial may send From domain own.example but not other.example" in told.text
    whole = upstream("partial", senders={"domains": ["own.example", "other.example"]})
    assert admitted(running(upstreams=[upstream("any"), whole]), TRUSTED, both).envelope.from_domain == "own.example"
    rewriting = upstream("rewriting", senders={"domains": ["x.example"], "rewriteFrom": "relay@x.example"})
    assert admitted(running(upstreams=[rewriting]), TRUSTED, both).envelope.from_domain == "own.example"


def test_a_stranger_with_authors_of_several_domains_is_never_taken_for_ours() -> None:
    entries = aliases(alias("sales@own.example", "ann@far.example"))
    relay = running(upstreams=[upstream("ours", senders={"domains": ["own.example"]})], aliases=entries)
    to = Recipient("sales@own.example", "ann@far.example", "shop/alias")
    mixed = incoming("From: boss@own.example, thief@bad.example\n", to)
    assert admitted(relay, STRANGER, mixed).envelope.from_domain == ""
    assert (
        admitted(relay, STRANGER, incoming("From: a@x.example, b@x.example\n", to)).envelope.from_domain == "x.example"
    )
