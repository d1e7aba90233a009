"""Every verbatim reply means what a mail engineer says it means, and every row of the table is needed."""

import pytest
from tests.support.reply_cases import ReplyCase, reply_cases

from mailhaul_relay.model.outcome import Fault, Verdict
from mailhaul_relay.smtpout.classify import classify
from mailhaul_relay.smtpout.reply_table import rows

CASES = reply_cases()
PROVIDERS = {"mailtrap", "resend", "brevo", "gmail", "google-workspace", "ses", "mailgun", "sendgrid", "postmark",
             "microsoft365", "smtp2go", "smtp"}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_verbatim_reply_is_understood(case: ReplyCase) -> None:
    outcome = classify(case.profile, case.stage, case.reply(), case.context)
    assert (outcome.rule, outcome.verdict, outcome.fault) == (case.rule, case.verdict, case.fault)
    assert outcome.stage is case.stage
    assert outcome.reply == case.reply()


def test_there_are_at_least_300_replies_and_some_of_every_provider() -> None:
    real = [case for case in CASES if "made up" not in case.source]
    assert len(real) >= 300
    assert {case.profile for case in real} == PROVIDERS


def test_no_reply_is_listed_twice() -> None:
    listed = [(case.profile, case.stage, case.text) for case in CASES]
    assert sorted({one for one in listed if listed.count(one) > 1}) == []


def test_every_row_is_hit() -> None:
    special = {"ses-sandbox-recipient": "ses-identity-not-verified"}
    hit = {special.get(case.rule, case.rule) for case in CASES}
    assert {row.name for row in rows()} - hit == set()


def test_names_of_rows_are_unique() -> None:
    names = [row.name for row in rows()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", [Fault.AUTH, Fault.QUOTA, Fault.SENDER])
def test_no_row_lets_auth_quota_or_sender_bounce_mail(fault: Fault) -> None:
    assert {row.verdict for row in rows() if row.fault is fault} == {Verdict.HOLD}


def test_a_row_fails_mail_only_for_what_no_waiting_mends() -> None:
    failing = {row.fault for row in rows() if row.verdict is Verdict.FAILED}
    assert failing == {Fault.RECIPIENT, Fault.CONTENT, Fault.SIZE, Fault.CAPABILITY}
    assert [row.name for row in rows() if row.verdict is Verdict.FAILED and not row.codes and not row.profiles] == []


def test_each_row_of_any_server_that_fails_mail_understands_every_word() -> None:
    """A word that nobody foresaw may speak of one's own account, and a bounce for that cannot be taken back."""
    assert [row.name for row in rows() if row.verdict is Verdict.FAILED and not row.profiles and not row.only] == []


def test_every_row_has_a_remedy() -> None:
    assert [row.name for row in rows() if not row.remedy.endswith(".")] == []


def test_every_row_of_a_provider_names_its_page() -> None:
    assert [row.name for row in rows() if row.profiles and not row.docs.startswith("https://")] == []
