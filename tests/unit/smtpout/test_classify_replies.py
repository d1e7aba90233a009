"""Every verbatim reply means what a mail engineer says it means, and every row of the table is needed."""

import pytest
from tests.support.reply_cases import ReplyCase, reply_cases

from mailhaul_relay.model.outcome import Fault, Verdict
from mailhaul_relay.smtpout.classify import classify
from mailhaul_relay.smtpout.reply_table import rows

CASES = reply_cases()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_verbatim_reply_is_understood(case: ReplyCase) -> None:
    outcome = classify(case.profile, case.stage, case.reply(), case.context)
    assert (outcome.rule, outcome.verdict, outcome.fault) == (case.rule, case.verdict, case.fault)
    assert outcome.stage is case.stage
    assert outcome.reply == case.reply()


def test_there_are_at_least_70_replies_of_13_kinds_of_server() -> None:
    assert len(CASES) >= 70
    assert len({case.name.rsplit("-", 2)[0].split("-")[0] for case in CASES}) >= 12


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


def test_every_row_has_a_remedy() -> None:
    assert [row.name for row in rows() if not row.remedy.endswith(".")] == []
