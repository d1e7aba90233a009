"""What is known of a credential: who said so, and when it may be tried again."""

import json

import pytest

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.credentials import (
    PROVED,
    Standing,
    is_refusal,
    previous_changed,
    previous_refused,
    previous_taken,
    refused,
)

NOW = 1_700_000_000.0
WRONG = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "bad password"))
NOT_OFFERED = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, detail="the upstream offers no AUTH")
TOO_OFTEN = Outcome(Verdict.RETRY, Stage.AUTH, Fault.THROTTLE, Reply(454, "4.7.0", "too many login attempts"))
AT_MAIL = Outcome(Verdict.HOLD, Stage.MAIL, Fault.AUTH, Reply(530, "5.7.0", "authentication required"))


def test_only_a_reply_to_auth_that_blames_the_credential_is_a_refusal() -> None:
    assert is_refusal(WRONG)
    assert not any(map(is_refusal, (NOT_OFFERED, TOO_OFTEN, AT_MAIL)))


def test_a_refused_credential_is_tried_again_after_5_then_15_then_every_60_minutes() -> None:
    standing, now, waits = Standing(), NOW, []
    for _ in range(4):
        standing = refused(standing, WRONG, now)
        waits.append(standing.next_attempt - now)
        assert not standing.is_due(standing.next_attempt - 1)
        now = standing.next_attempt
        assert standing.is_due(now)
    assert waits == [300, 900, 3600, 3600]


def test_refusals_of_logins_that_were_under_way_together_are_one() -> None:
    first = refused(Standing(), WRONG, NOW)
    assert refused(first, WRONG, NOW + 1) == first


def test_a_clock_that_was_set_back_bars_no_login() -> None:
    assert refused(Standing(), WRONG, NOW).is_due(NOW - 3600)


def test_the_previous_credential_carries_until_it_is_refused_too() -> None:
    standing = previous_taken(refused(Standing(), WRONG, NOW))
    assert (standing.state, standing.refusal) == (CredentialState.PREVIOUS, WRONG)
    again = refused(standing, WRONG, standing.next_attempt)
    assert again.state is CredentialState.PREVIOUS
    assert previous_refused(again).state is CredentialState.REFUSED


def test_a_previous_credential_that_is_taken_says_nothing_of_a_current_one_that_was_not_tried() -> None:
    assert previous_taken(Standing()).state is CredentialState.UNPROVED
    assert previous_refused(Standing()).state is CredentialState.UNPROVED


def test_a_refusal_is_remembered_over_a_restart_and_a_proof_is_not() -> None:
    carried = previous_taken(refused(Standing(), WRONG, NOW))
    assert Standing.from_json(json.loads(json.dumps(carried.to_json()))) == carried
    assert Standing.from_json(PROVED.to_json()) == Standing()


@pytest.mark.parametrize("stored", [None, "x", [], {}, {"reply": [535]}, {"state": "Later", "reply": [535, "", ""]}])
def test_what_cannot_be_read_is_forgotten(stored: object) -> None:
    assert Standing.from_json(stored) == Standing()


def test_a_proof_stands_when_the_previous_credential_is_dropped() -> None:
    assert previous_changed(PROVED, exists=False).state is CredentialState.PROVED


def test_without_the_previous_credential_a_refused_one_is_plainly_refused() -> None:
    carried = previous_taken(refused(Standing(), WRONG, NOW))
    assert previous_changed(carried, exists=False).state is CredentialState.REFUSED
    assert previous_changed(carried, exists=True).state is CredentialState.PREVIOUS
