"""What leaves through each kind of provider (row B2): bytes unchanged, or exactly the named rewriting."""

import email
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.policy.builders import NOW, alias, aliases, first_upstream, running, spooled, upstream

from mailhaul_relay.model.message import Message, Origin, Recipient
from mailhaul_relay.policy.rewriting import Rewritten, rewrite
from mailhaul_relay.policy.running import Running

SALES = alias("sales@own.example", "ann@gmail.example")
TO_ALIAS = Recipient("sales@own.example", "ann@gmail.example", "shop/alias")
FOREIGN = "From: Bob <bob@far.example>\nSender: list@far.example\nReturn-Path: <x@y.example>\nSubject: Hi\n"


def relay(srs: bool = True, **one: object) -> Running:
    return running(upstreams=[upstream("one", **one)], aliases=aliases(SALES, srs=srs))


def forward(head: str = FOREIGN, sender: str = "bob@far.example") -> Message:
    return spooled(head, TO_ALIAS, sender=sender, origin=Origin.INBOUND, from_domain="far.example")


def leave(through: Running, message: Message) -> Rewritten:
    return rewrite(through, first_upstream(through), message, message.envelope.recipients[0], NOW)


def test_own_mail_leaves_as_it_was_spooled() -> None:
    message = spooled("From: app@own.example\nSender: x@far.example\n")
    left = leave(relay(senders={"domains": ["own.example"]}, behavior={"foreignFrom": "Refuse"}), message)
    assert left.head is message.head
    assert (left.sender, left.from_domain) == ("app@own.example", "own.example")


def test_own_mail_to_an_alias_is_marked_and_else_unchanged() -> None:
    message = spooled("From: app@own.example\n", TO_ALIAS)
    assert leave(relay(), message).head == b"Delivered-To: sales@own.example\r\n" + message.head


def test_own_mail_with_a_from_that_is_not_the_upstreams_gets_rewrite_from() -> None:
    through = relay(senders={"domains": ["mine.example"], "rewriteFrom": "relay@mine.example"})
    left = leave(through, spooled('X: 1\nFrom: "App, One"\n <app@own.example>\nSubject: Hi\n'))
    assert left.head == (
        b'X: 1\r\nFrom: "App, One" <relay@mine.example>\r\n'
        b'Reply-To: "App, One" <app@own.example>\r\nSubject: Hi\r\n\r\n'
    )
    assert (left.sender, left.from_domain) == ("relay@mine.example", "mine.example")


def test_forward_through_a_provider_that_keeps_from_and_envelope() -> None:
    left = leave(relay(), forward())
    assert left.head == b"Delivered-To: sales@own.example\r\n" + forward().head
    assert left.sender.startswith("SRS0=")
    assert left.sender.endswith("=far.example=bob@own.example")
    assert left.from_domain == "far.example"


@pytest.mark.parametrize("foreign_from", ["Replace", "Refuse"])
def test_forward_through_a_provider_that_does_not_keep_a_foreign_from(foreign_from: str) -> None:
    left = leave(relay(behavior={"foreignFrom": foreign_from}), forward())
    assert left.head == (
        b"Delivered-To: sales@own.example\r\n"
        b"From: Bob via sales <sales@own.example>\r\n"
        b"Reply-To: Bob <bob@far.example>\r\n"
        b"Subject: Hi\r\n\r\n"
    )
    assert left.from_domain == "own.example"


def test_reply_to_of_the_author_is_kept() -> None:
    left = leave(
        relay(behavior={"foreignFrom": "Refuse"}), forward("Reply-To: desk@far.example\nFrom: bob@far.example\n")
    )
    assert left.head.count(b"Reply-To") == 1
    assert b'From: "bob at far.example via sales" <sales@own.example>\r\n' in left.head


def test_several_authors_are_all_answered() -> None:
    left = leave(relay(behavior={"foreignFrom": "Refuse"}), forward("From: Bob <bob@far.example>, c@d.example\n"))
    assert (
        b"From: Bob via sales <sales@own.example>\r\nReply-To: Bob <bob@far.example>,\r\n c@d.example\r\n" in left.head
    )


def test_alias_of_a_domain_that_the_upstream_may_not_send_uses_rewrite_from() -> None:
    through = relay(senders={"domains": ["mine.example"], "rewriteFrom": "fwd@mine.example"})
    left = leave(through, forward())
    assert b"From: Bob via sales <fwd@mine.example>\r\n" in left.head
    assert left.sender == "fwd@mine.example"


def test_foreign_from_that_the_upstream_may_send_is_kept_whatever_its_behavior() -> None:
    through = relay(senders={"domains": ["far.example", "own.example"]}, behavior={"foreignFrom": "Refuse"})
    assert leave(through, forward()).head.endswith(forward().head)


def test_signature_that_the_rewriting_breaks_is_dropped_only_where_it_must_be_the_only_one() -> None:
    head = "DKIM-Signature: v=1;\n b=x\nFrom: bob@far.example\n"
    assert b"DKIM" in leave(relay(behavior={"foreignFrom": "Refuse"}), forward(head)).head
    unique = {"foreignFrom": "Refuse", "uniqueHeaders": ["DKIM-Signature"]}
    assert b"DKIM" not in leave(relay(behavior=unique), forward(head)).head
    assert b"DKIM" in leave(relay(behavior={"uniqueHeaders": ["DKIM-Signature"]}), forward(head)).head


def test_forward_without_a_readable_from_is_still_ours() -> None:
    for head in ("Subject: none\n", "From: root\nSubject: x\n"):
        left = leave(relay(behavior={"foreignFrom": "Refuse"}), forward(head))
        assert b"From: via sales <sales@own.example>\r\n" in left.head
        assert left.head.count(b"From:") == 1


@pytest.mark.parametrize(
    ("srs", "one", "sender", "leaves_as"),
    [
        (True, {}, "", ""),
        (False, {}, "bob@far.example", "sales@own.example"),
        (True, {"behavior": {"envelopeSender": "Replace"}}, "bob@far.example", "sales@own.example"),
        (True, {}, "colleague@own.example", "colleague@own.example"),
        (True, {"senders": {"domains": ["x.example"], "rewriteFrom": "f@x.example"}}, "bob@far.example", "f@x.example"),
        (True, {"behavior": {"nullSender": "Refused"}}, "", "no-bounces@own.example"),
    ],
)
def test_envelope_sender_of_forwards(srs: bool, one: dict[str, object], sender: str, leaves_as: str) -> None:
    assert leave(relay(srs, **one), forward(sender=sender)).sender == leaves_as


@pytest.mark.parametrize(
    ("senders", "leaves_as"),
    [
        ({"domains": ["own.example"], "rewriteFrom": "sales@own.example"}, "no-bounces@own.example"),
        ({"domains": ["x.example"], "rewriteFrom": "f@x.example"}, "f@x.example"),
        ({"domains": ["two.example"], "rewriteFrom": "sales@two.example"}, "no-bounces@two.example"),
        ({"domains": ["own.example", "x.example"]}, "no-bounces@own.example"),
    ],
)
def test_a_forwarded_bounce_leaves_from_an_address_that_no_alias_of_ours_forwards(
    senders: dict[str, object], leaves_as: str
) -> None:
    two = aliases(SALES, domains=["own.example", "two.example"])
    through = running(upstreams=[upstream("one", senders=senders, behavior={"nullSender": "Refused"})], aliases=two)
    assert leave(through, forward(sender="")).sender == leaves_as
    handed_in = spooled("From: d@own.example\n", TO_ALIAS, sender="", origin=Origin.SUBMISSION)
    assert leave(through, handed_in).sender == leaves_as


def test_null_sender_that_is_refused_is_replaced_and_marked_against_answers() -> None:
    through = relay(behavior={"nullSender": "Refused"})
    bounce = spooled("From: mailer-daemon@own.example\n", sender="", origin=Origin.BOUNCE)
    left = leave(through, bounce)
    assert left.sender == "mailer-daemon@own.example"
    assert left.head == b"Auto-Submitted: auto-generated\r\n" + bounce.head
    marked = spooled("From: m@own.example\nauto-submitted: auto-replied\n", sender="", origin=Origin.BOUNCE)
    assert leave(through, marked).head == marked.head


def test_returned_bounce_goes_as_the_postmaster_not_as_an_srs_address() -> None:
    signed = Recipient("SRS0=AAAA=BB=far.example=bob@own.example", "bob@far.example")
    message = spooled("From: d@gmail.example\n", signed, sender="", origin=Origin.INBOUND, from_domain="gmail.example")
    left = leave(relay(behavior={"foreignFrom": "Refuse"}), message)
    assert b"<postmaster@own.example>\r\n" in left.head
    assert b"Delivered-To" not in left.head


HOSTILE_NAMES = [
    'Bob"\\, <evil@x.example>',
    "=?utf-8?B?Qm9iDQpCY2M6IHZpY3RpbUB4LmV4YW1wbGU=?=",
    "=?utf-8?Q?Bob=0D=0AX-Injected:_yes?=",
    "=?utf-8?Q?Bob=22_<evil@x.example>?=",
    "=?zip?B?AAAA?= =?unicode_escape?Q?=5Cn?=",
    "=?utf-8?B?!!!!?=",
    "Jürgen \u202egnp.exe",
    "x" * 500,
    "é" * 500,
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_inject_nothing(name: str) -> None:
    quoted = name if "=?" in name or not name.isascii() else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    _one_author_and_nothing_new(quoted)


@given(st.text(alphabet=st.characters(exclude_characters="\x00"), max_size=80))
def test_any_name_injects_nothing(name: str) -> None:
    _one_author_and_nothing_new(name.replace("\r", "").replace("\n", "\n "))


def _one_author_and_nothing_new(name: str) -> None:
    message = forward()
    head = (
        b"From: "
        + name.encode("utf-8", "replace").replace(b"\n", b"\r\n")
        + b" <bob@far.example>\r\nSubject: Hi\r\n\r\n"
    )
    message = Message(message.envelope, head, message.body)
    left = leave(relay(behavior={"foreignFrom": "Refuse"}), message)
    parsed = email.message_from_bytes(left.head, policy=default)
    assert set(parsed.keys()) <= {"Delivered-To", "From", "Reply-To", "Subject"}
    assert parsed["From"].addresses[0].addr_spec == "sales@own.example"
    assert len(parsed["From"].addresses) == 1
    assert left.head.isascii()
    assert all(len(line) <= 998 for line in left.head.split(b"\r\n"))


def test_names_of_others_are_shown_in_their_own_letters() -> None:
    left = leave(
        relay(behavior={"foreignFrom": "Refuse"}), forward("From: =?iso-8859-1?Q?J=FCrgen?= <j@far.example>\n")
    )
    parsed = email.message_from_bytes(left.head, policy=default)
    assert parsed["From"].addresses[0].display_name == "Jürgen via sales"
    assert parsed["Reply-To"].addresses[0].display_name == "Jürgen"
