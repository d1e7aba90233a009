"""What holds for every reply, known or not: account, quota and sender troubles never bounce mail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_relay.model.outcome import Fault, Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import NEW_TRANSACTION, SES_IDENTITY, Context, classify
from mailhaul_relay.smtpout.reply_table import Row, rows
from mailhaul_relay.smtpout.reply_words import Understood

PROFILES = st.sampled_from(["smtp", "ses", "gmail", "google-workspace", "mailtrap", "resend", "brevo", "mailgun",
                            "sendgrid", "postmark", "microsoft365", "smtp2go", "unheard-of"])  # fmt: skip
STAGES = st.sampled_from([stage for stage in Stage if stage not in {Stage.CONNECT, Stage.RELAY}])
TROUBLES = st.sampled_from(
    [
        "Authentication required",
        "Authentication failed",
        "Daily sending quota exceeded",
        "You have exceeded your daily sending limit",
        "Monthly message limit reached",
        "Sender address rejected",
        "Sender domain not verified",
        "The from address does not match a verified Sender Identity",
        "Relay access denied",
        "relaying denied",
    ]
)
CODES = st.integers(min_value=400, max_value=599)
ENHANCED = st.sampled_from(["", "5.1.1", "5.2.1", "4.2.0", "5.3.4", "5.7.1", "5.4.5", "5.0.0"])
CONTEXT = Context("example.com", "app@example.com", ("bob@example.net",))


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.BANNER, Stage.EHLO, Stage.TLS, Stage.AUTH])
@pytest.mark.parametrize("words", ["Message too large", "duplicate header", "marked as inactive"])
@pytest.mark.parametrize("profile", ["smtp", "ses", "postmark"])
def test_nothing_that_is_said_before_a_message_is_a_verdict_on_one(profile: str, words: str, stage: Stage) -> None:
    assert classify(profile, stage, Reply(552, "5.3.4", words), CONTEXT).verdict is not Verdict.FAILED


@given(PROFILES, STAGES, CODES, ENHANCED, TROUBLES)
def test_account_quota_and_sender_troubles_never_fail(
    profile: str, stage: Stage, code: int, enhanced: str, text: str
) -> None:
    assert classify(profile, stage, Reply(code, enhanced, text), CONTEXT).verdict is not Verdict.FAILED


@given(PROFILES, STAGES, st.integers(min_value=200, max_value=599), ENHANCED, st.text(max_size=80))
def test_classify_never_raises_and_never_delivers(
    profile: str, stage: Stage, code: int, enhanced: str, text: str
) -> None:
    outcome = classify(profile, stage, Reply(code, enhanced, text), CONTEXT)
    assert outcome.verdict is not Verdict.DELIVERED
    if 400 <= code < 500:
        assert outcome.verdict in {Verdict.RETRY, Verdict.HOLD}
    if outcome.verdict is Verdict.FAILED:
        assert stage in {Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA}


@pytest.mark.parametrize(
    ("stage", "code", "verdict", "fault"),
    [
        (Stage.BANNER, 554, Verdict.RETRY, Fault.CONNECTION),
        (Stage.EHLO, 550, Verdict.RETRY, Fault.CONNECTION),
        (Stage.TLS, 554, Verdict.RETRY, Fault.TLS),
        (Stage.AUTH, 500, Verdict.HOLD, Fault.AUTH),
        (Stage.AUTH, 450, Verdict.HOLD, Fault.AUTH),
        (Stage.MAIL, 550, Verdict.HOLD, Fault.SENDER),
        (Stage.MAIL, 450, Verdict.RETRY, Fault.TRANSIENT),
        (Stage.RCPT, 550, Verdict.HOLD, Fault.RECIPIENT),
        (Stage.RCPT, 450, Verdict.RETRY, Fault.TRANSIENT),
        (Stage.DATA, 554, Verdict.HOLD, Fault.TRANSIENT),
        (Stage.DATA, 450, Verdict.RETRY, Fault.TRANSIENT),
        (Stage.END_OF_DATA, 554, Verdict.HOLD, Fault.CONTENT),
        (Stage.END_OF_DATA, 450, Verdict.RETRY, Fault.TRANSIENT),
        (Stage.END_OF_DATA, 354, Verdict.UNKNOWN, Fault.PROTOCOL),
        (Stage.RCPT, 354, Verdict.RETRY, Fault.PROTOCOL),
    ],
)
def test_an_unknown_reply_is_judged_by_stage_and_class(stage: Stage, code: int, verdict: Verdict, fault: Fault) -> None:
    outcome = classify("smtp", stage, Reply(code, "", "words"), CONTEXT)
    assert (outcome.verdict, outcome.fault, outcome.rule) == (verdict, fault, "")


@given(PROFILES, STAGES, CODES, st.text(alphabet="abcdefgh ", max_size=40))
def test_what_no_row_knows_never_fails(profile: str, stage: Stage, code: int, text: str) -> None:
    outcome = classify(profile, stage, Reply(code, "", text), CONTEXT)
    assert outcome.rule or outcome.verdict is not Verdict.FAILED


@pytest.mark.parametrize(
    "address",
    [
        "daily.sending.quota.exceeded@example.net",
        "bob@quota-exceeded.example",
        '"daily sending quota exceeded"@example.net',
        '"a \\" account suspended \\" b"@example.net',
        "relay-access-denied@blocked-using-spamhaus.example",
        "too-many-connections@example.net",
    ],
)
def test_a_recipients_name_does_not_decide(address: str) -> None:
    text = f"<{address}>: Recipient address rejected: User unknown in virtual mailbox table"
    outcome = classify(
        "smtp", Stage.RCPT, Reply(550, "5.1.1", text), Context("example.com", "a@example.com", (address,))
    )
    assert (outcome.verdict, outcome.fault) == (Verdict.FAILED, Fault.RECIPIENT)
    assert outcome.reply is not None
    assert outcome.reply.text == text


def test_a_domain_of_the_mail_does_not_decide() -> None:
    text = "Domain quota-exceeded.example not found"
    context = Context("example.com", "a@example.com", ("bob@Quota-Exceeded.example",))
    assert classify("smtp", Stage.RCPT, Reply(550, "5.1.2", text), context).fault is Fault.RECIPIENT


def test_an_enhanced_code_may_stand_later_in_the_text() -> None:
    reply = Reply(550, "", "cuda_nsu 5.2.2 Recipient")
    assert classify("smtp", Stage.RCPT, reply, CONTEXT).rule == "recipient-unknown-code"
    assert classify("smtp", Stage.RCPT, Reply(550, "", "Recipient 192.5.2.2"), CONTEXT).rule == ""


@pytest.mark.parametrize(
    ("named", "sender", "recipients", "fault"),
    [
        ("app@example.com", "app@example.com", ("bob@example.net",), Fault.SENDER),
        ("bob@example.net", "app@example.com", ("bob@example.net",), Fault.RECIPIENT),
        (
            "Bob@Example.net, ann@example.net",
            "app@example.com",
            ("bob@example.net", "ann@example.net"),
            Fault.RECIPIENT,
        ),
        ("bob@example.net, other@example.org", "app@example.com", ("bob@example.net",), Fault.SENDER),
        ("example.com", "app@example.com", ("bob@example.net",), Fault.SENDER),
        ("me@example.com", "me@example.com", ("me@example.com",), Fault.SENDER),
    ],
)
def test_ses_names_the_sender_or_a_sandbox_recipient(
    named: str, sender: str, recipients: tuple[str, ...], fault: Fault
) -> None:
    text = f"Message rejected: Email address is not verified. The following identities failed the check: {named}"
    outcome = classify("ses", Stage.END_OF_DATA, Reply(554, "", text), Context("example.com", sender, recipients))
    assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, fault)


def test_only_what_one_upstream_cannot_carry_may_go_elsewhere_at_once() -> None:
    too_large = classify("smtp", Stage.MAIL, Reply(552, "5.3.4", "Message size exceeds fixed limit"), CONTEXT)
    unknown = classify("smtp", Stage.RCPT, Reply(550, "5.1.1", "User unknown"), CONTEXT)
    virus = classify("ses", Stage.END_OF_DATA, Reply(554, "5.7.1", "Message contains a virus"), CONTEXT)
    twice = classify("ses", Stage.END_OF_DATA, Reply(554, "", "Transaction failed: Duplicate header 'X'."), CONTEXT)
    inactive = classify(
        "postmark", Stage.END_OF_DATA, Reply(550, "", "406 the recipient is marked as inactive"), CONTEXT
    )
    assert too_large.retry_elsewhere
    assert twice.retry_elsewhere, "a rule of SES alone, which the next provider need not have"
    assert [one.retry_elsewhere for one in (unknown, virus, inactive)] == [False] * 3


def test_a_wrong_row_is_refused_when_the_table_is_loaded() -> None:
    with pytest.raises(ValueError, match="unknown keys"):
        Row.parse({"name": "x", "fault": "auth", "verdict": "hold", "remedy": "x.", "txt": "typing error"})


def test_a_row_that_names_an_unknown_list_of_words_is_refused_when_the_table_is_loaded() -> None:
    given_row = {"name": "x", "fault": "size", "verdict": "failed", "remedy": "x.", "only": ["sizes"]}
    with pytest.raises(ValueError, match="unknown lists"):
        Row.parse(given_row, lists={"size": Understood.parse("too large")})


def test_all_words_of_a_reply_must_be_in_one_of_the_lists_that_its_row_names() -> None:
    lists = {"size": Understood.parse("too large"), "form": Understood.parse("bad header")}
    given_row = {"name": "x", "fault": "size", "verdict": "failed", "remedy": "x.", "only": ["size", "form"]}
    row = Row.parse(given_row, lists=lists)
    said = ["too large", "bad header", "header too large", "quibble"]
    assert [row.matches("smtp", Stage.DATA, Reply(552, "", one)) for one in said] == [True, True, False, False]


def test_a_row_names_one_pattern_or_several_and_what_must_not_be_there() -> None:
    given_row = {"name": "x", "fault": "auth", "verdict": "hold", "remedy": "x.", "enhanced": ["x.7.*"]}
    row = Row.parse(given_row | {"text": ["red", "blue"], "unless": "dark"})
    said = ["a red rose", "the BLUE sky", "a dark red rose", "green"]
    assert [row.matches("smtp", Stage.RCPT, Reply(550, "5.7.26", one)) for one in said] == [True, True, False, False]
    assert not row.matches("smtp", Stage.RCPT, Reply(550, "5.1.1", "a red rose"))


def test_rows_that_the_code_names_exist() -> None:
    assert {*NEW_TRANSACTION, SES_IDENTITY} <= {row.name for row in rows()}
