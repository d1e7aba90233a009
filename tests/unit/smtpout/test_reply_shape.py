"""The words of a kind of reply: nothing of one mail is in them, and what tells kinds apart stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.smtpout.classify import Context
from mailhaul_relay.smtpout.reply_shape import reply_shape

CONTEXT = Context("own.example", "app+orders@own.example", ("bob@far.example", '"jane doe"@far.example'))
SHAPES = [
    ("<bob@far.example>: quirk 12", "<<address>>: quirk 12"),
    ("Unknown quirk of bob.", "Unknown quirk of <name>"),
    ("quirk of BOB at mx1.far.example", "quirk of <name> at <domain>"),
    ("quirk for app, mail of own.example", "quirk for <name>, mail of <domain>"),
    ('"a b"@other.example is odd', "<address> is odd"),
    ("SRS0=abcd=EF=own.example=app@relay.example is odd", "<address> is odd"),
    ("odd a640c23a62f3a-ab1234567si0.44 - gsmtp", "odd <id>.44 - gsmtp"),
    ("odd 550e8400-e29b-41d4-a716-446655440000", "odd <id>"),
    ("odd 4XyZ12abcz from [192.0.2.7]", "odd <id> from [<ip>]"),
    ("odd from 2001:db8::25:1", "odd from <ip>"),
    ("odd since 2026-11-22T10:31:00Z, at 10:31:00", "odd since <time>, at <time>"),
    ("message 1234567 is odd", "message <id> is odd"),
    ("see https://provider.example/help/odd-40 (S3140) OU-2", "see https://provider.example/help/odd-40 (S3140) OU-2"),
    ("Office365 8BITMIME SMTPUTF8 SMTP2GO base64 5.7.26", "Office365 8BITMIME SMTPUTF8 SMTP2GO base64 5.7.26"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shape"), SHAPES)
def test_what_belongs_to_one_mail_is_taken_out_and_the_rest_stays(text: str, shape: str) -> None:
    assert reply_shape(text, CONTEXT) == shape


def test_the_null_sender_takes_nothing_out() -> None:
    assert reply_shape("odd, bounce", Context("", "", ())) == "odd, bounce"


@given(st.text(), st.from_regex(r"[a-z][a-z0-9._+-]{0,20}", fullmatch=True), st.text())
def test_whatever_stands_around_it_the_recipient_is_not_told(before: str, name: str, after: str) -> None:
    context = Context("own.example", "", (f"{name}@far.example",))
    shape = reply_shape(f"{before} <{name}@far.example> {name} {after}", context)
    assert f"{name}@" not in shape
    assert f"> {name} " not in shape
