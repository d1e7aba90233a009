"""A name before the @ that a server repeats bare stops no upstream, bounces nothing, and hides no true quota."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import Context, classify
from mailhaul_relay.smtpout.local_parts import local_parts

SENDER = "app@example.com"
COMMON = ["user", "mailbox", "no", "full", "a", "quota", "daily", "limit", "account", "sender", "mail", "recipient"]
WORDS = st.lists(
    st.sampled_from([*COMMON, "unknown", "such", "not", "exceeded", "is", "address", "rejected", "suspended", "spam",
                     "too", "many", "temporarily", "over-quota", "bandwidth...", '"authentication', 'required"']),
    min_size=1, max_size=8,
)  # fmt: skip
NAMES = st.sampled_from([*COMMON, "over-quota", "bandwidth", '"authentication required"', "no+limit", "temporarily"])


def classified(text: str, recipient: str, *, code: int = 550, stage: Stage = Stage.RCPT, own: str = SENDER) -> Outcome:
    return classify("smtp", stage, Reply(code, "", text), Context("example.com", own, (recipient, "x1@example.net")))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quota-exceeded", "quota-exceeded... User unknown"),
        ("Quota-Exceeded", "quota-exceeded: User unknown"),
        ("daily-limit-exceeded", 'Mailbox "daily-limit-exceeded" does not exist'),
        ("daily.limit.exceeded", "daily.limit.exceeded is quaint"),
        ("daily/limit/exceeded", "No such user: daily/limit/exceeded"),
        ('"authentication required"', '"authentication required"... User unknown'),
        ('"authentication required"', "Authentication required... User unknown"),
        ('"authentication \\required"', "authentication required: User unknown"),
        ('"a \\"login required\\" b"', 'a "login required" b is unknown'),
        ("quota-exceeded+bob", "quota-exceeded... User unknown"),
        ("bob+quota-exceeded", "bob+quota-exceeded... User unknown"),
        ("bandwidth", "bandwidth... User unknown"),
        ("bandwidth", "<bandwidth> is quaint"),
        ("bandwidth", "Unknown user bandwidth"),
        ("throttled", "throttled: mailbox is quaint"),
        ("sender", "sender... User unknown"),
    ],
)
@pytest.mark.parametrize("code", [450, 550])
def test_a_bare_local_part_stops_no_upstream(name: str, text: str, code: int) -> None:
    outcome = classified(text, f"{name}@victim.example", code=code)
    assert outcome.verdict in {Verdict.HOLD, Verdict.RETRY}
    assert outcome.fault in {Fault.RECIPIENT, Fault.TRANSIENT}
    assert outcome.reply is not None
    assert outcome.reply.text == text


def test_a_local_part_of_the_sender_stops_no_upstream_either() -> None:
    outcome = classified("Mailbox quota-exceeded is quaint", "bob@example.net", own="quota-exceeded@example.com")
    assert outcome.fault is Fault.RECIPIENT


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize(
    "text", ["User unknown", "No such user", "Mailbox full", "Recipient address rejected: User unknown"]
)
def test_a_common_word_as_local_part_hides_no_failure(name: str, text: str) -> None:
    assert classified(text, f"{name}@example.net").verdict is Verdict.FAILED


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Daily sending quota exceeded", Fault.QUOTA),
        ("Daily quota exceeded", Fault.QUOTA),
        ("User has reached the daily mail limit", Fault.QUOTA),
        ("no credits", Fault.QUOTA),
        ("Your account is suspended", Fault.AUTH),
        ("Authentication required", Fault.AUTH),
        ("Sender domain is not verified", Fault.SENDER),
    ],
)
def test_a_common_word_as_local_part_hides_no_true_trouble_of_the_upstream(name: str, text: str, fault: Fault) -> None:
    for recipient, own in ((f"{name}@example.net", SENDER), ("bob@example.net", f"{name}@example.com")):
        outcome = classified(text, recipient, stage=Stage.END_OF_DATA, own=own)
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, fault)


@given(WORDS, NAMES, st.sampled_from([Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA]))
def test_what_is_taken_out_makes_nothing_fail_and_stops_nothing(words: list[str], name: str, stage: Stage) -> None:
    text = " ".join(words)
    plain = classified(text, "x2@example.net", stage=stage)
    named = classified(text, f"{name}@victim.example", stage=stage, own=f"{name}@example.com")
    assert (named.verdict is Verdict.FAILED) == (plain.verdict is Verdict.FAILED)
    if not plain.fault.is_of_upstream:
        assert not named.fault.is_of_upstream


def test_a_local_part_without_a_letter_takes_no_blank_or_sign_out_of_a_reply() -> None:
    assert local_parts(('" "@example.net', "!@example.net")).replaced("too many mails!", "") == "too many mails!"
