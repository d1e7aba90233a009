"""Replies that the table was not made from: none that should be kept fails, and hopeless ones mostly do fail.

`tests/replies/README.md` tells how each set scored when it was met for the first time.
"""

import pytest
from tests.support.reply_cases import ReplyCase, held_out_cases, reply_cases

from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.smtpout.classify import classify

CASES = held_out_cases()
KEPT = [case for case in CASES if case.verdict is not Verdict.FAILED]
HOPELESS = [case for case in CASES if case.verdict is Verdict.FAILED]
OWN = [case for case in [*reply_cases(), *KEPT] if case.fault in {Fault.AUTH, Fault.QUOTA, Fault.SENDER}]


def _outcome(case: ReplyCase) -> Outcome:
    return classify(case.profile, case.stage, case.reply(), case.context)


@pytest.mark.parametrize("case", KEPT, ids=[case.name for case in KEPT])
def test_a_reply_that_should_be_kept_never_fails(case: ReplyCase) -> None:
    assert _outcome(case).verdict in {Verdict.HOLD, Verdict.RETRY}


def test_hopeless_mail_is_seldom_kept() -> None:
    kept = [case.name for case in HOPELESS if _outcome(case).verdict is not Verdict.FAILED]
    assert len(kept) <= len(HOPELESS) // 20, kept


def test_most_faults_are_named_as_an_engineer_names_them() -> None:
    right = [case for case in CASES if _outcome(case).fault is case.fault]
    assert len(right) >= len(CASES) * 9 // 10


@pytest.mark.slow
@pytest.mark.parametrize("case", OWN, ids=[case.name for case in OWN])
def test_ones_own_trouble_is_kept_at_any_stage_and_under_any_digits(case: ReplyCase) -> None:
    text = case.reply().text
    replies = [Reply(code, enhanced, text) for code in (450, 550, 554) for enhanced in ("", "5.7.1", "5.0.0", "5.6.0")]
    for profile in {case.profile, "unheard-of"}:
        for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.END_OF_DATA):
            outcomes = [classify(profile, stage, reply, case.context) for reply in replies]
            assert [str(one.reply) for one in outcomes if one.verdict is Verdict.FAILED] == []
