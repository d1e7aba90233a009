"""The breaker of one upstream: quick to spare a dead one, slow to trouble a refused credential."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.report import BreakerState
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.breaker import JITTER, SOFT_FAILURES, Breaker, after

NOW = 1_700_000_000.0


def failed(fault: Fault, stage: Stage = Stage.CONNECT, verdict: Verdict = Verdict.RETRY) -> Outcome:
    return Outcome(verdict, stage, fault, Reply(421, "", "sorry"))


DELIVERED = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA)


def trials(fault: Fault, stage: Stage, count: int) -> list[float]:
    """The waits between trials that all fail, without jitter."""
    breaker, now, waits = Breaker(), NOW, []
    for _ in range(count):
        breaker = after(breaker, failed(fault, stage), now, 0.0)
        waits.append(breaker.next_attempt - now)
        now = breaker.next_attempt
    return waits


@pytest.mark.parametrize(
    ("fault", "stage", "waits"),
    [
        (Fault.CONNECTION, Stage.CONNECT, [10, 30, 60, 120, 300, 300]),
        (Fault.CONNECTION, Stage.BANNER, [10, 30, 60, 120, 300, 300]),
        (Fault.TLS, Stage.TLS, [10, 30, 60, 120, 300, 300]),
        (Fault.AUTH, Stage.AUTH, [300, 900, 3600, 3600]),
        (Fault.QUOTA, Stage.END_OF_DATA, [3600, 3600]),
        (Fault.THROTTLE, Stage.MAIL, [30, 60, 120, 300, 600, 600]),
    ],
)
def test_time_between_trials(fault: Fault, stage: Stage, waits: list[float]) -> None:
    assert trials(fault, stage, len(waits)) == waits


def test_closed_permits_and_open_waits_for_its_trial() -> None:
    assert Breaker().permits(NOW)
    assert Breaker().state(NOW) is BreakerState.CLOSED
    opened = after(Breaker(), failed(Fault.AUTH), NOW, 0.0)
    assert not opened.permits(NOW + 299)
    assert opened.state(NOW + 299) is BreakerState.OPEN
    assert opened.permits(NOW + 300)
    assert opened.state(NOW + 300) is BreakerState.HALF_OPEN
    assert (opened.since, opened.text) == (NOW, "421 sorry")


def test_success_closes() -> None:
    assert after(after(Breaker(), failed(Fault.QUOTA), NOW, 0.0), DELIVERED, NOW + 1, 0.0) == Breaker()


def test_sessions_that_break_later_open_at_the_third_in_a_row() -> None:
    broken = failed(Fault.CONNECTION, Stage.DATA)
    breaker = Breaker()
    for _ in range(SOFT_FAILURES - 1):
        breaker = after(breaker, broken, NOW, 0.0)
        assert not breaker.is_open
    assert after(breaker, broken, NOW, 0.0).is_open
    assert after(after(breaker, DELIVERED, NOW, 0.0), broken, NOW, 0.0).strikes == 1


def test_failures_that_were_under_way_when_it_opened_count_once() -> None:
    opened = after(Breaker(), failed(Fault.AUTH), NOW, 0.0)
    assert after(opened, failed(Fault.AUTH), NOW + 1, 0.9) == opened


def test_another_fault_never_brings_the_next_attempt_forward() -> None:
    opened = after(Breaker(), failed(Fault.AUTH), NOW, 0.0)
    assert after(opened, failed(Fault.CONNECTION), NOW + 1, 0.0).next_attempt == opened.next_attempt


@pytest.mark.parametrize("fault", [Fault.SENDER, Fault.RECIPIENT, Fault.CONTENT, Fault.SIZE, Fault.TRANSIENT])
def test_faults_of_one_message_do_not_open_it(fault: Fault) -> None:
    assert not after(Breaker(), failed(fault, Stage.MAIL, Verdict.FAILED), NOW, 0.0).is_open


def test_a_trial_that_reached_the_session_mends_connection_and_auth_but_not_quota() -> None:
    refused = failed(Fault.RECIPIENT, Stage.RCPT, Verdict.FAILED)
    for fault in (Fault.CONNECTION, Fault.TLS, Fault.AUTH):
        assert not after(after(Breaker(), failed(fault), NOW, 0.0), refused, NOW + 1000, 0.0).is_open
    quota = after(after(Breaker(), failed(Fault.QUOTA), NOW, 0.0), refused, NOW + 3600, 0.0)
    assert quota.is_open
    assert quota.next_attempt == NOW + 7200


@pytest.mark.parametrize("fault", [Fault.SIZE, Fault.CAPABILITY, Fault.PROTOCOL])
def test_a_trial_whose_message_does_not_fit_what_was_offered_reached_the_session(fault: Fault) -> None:
    misfit = Outcome(Verdict.FAILED, Stage.RELAY, fault, detail="5.6.7 this upstream does not offer SMTPUTF8")
    for opened_by in (Fault.CONNECTION, Fault.TLS, Fault.TOKEN, Fault.AUTH):
        assert after(Breaker(opened_by, 3, 0, NOW, NOW), misfit, NOW, 0.0) == Breaker()
    assert after(Breaker(Fault.QUOTA, 1, 0, NOW, NOW), misfit, NOW, 0.0).is_open


@given(st.sampled_from([Fault.CONNECTION, Fault.AUTH, Fault.QUOTA]), st.floats(0, 1, exclude_max=True))
def test_jitter_only_lengthens(fault: Fault, chance: float) -> None:
    exact = after(Breaker(), failed(fault), NOW, 0.0).next_attempt - NOW
    assert exact <= after(Breaker(), failed(fault), NOW, chance).next_attempt - NOW <= exact * (1 + JITTER)


def test_it_is_remembered() -> None:
    opened = after(Breaker(), failed(Fault.AUTH), NOW, 0.5)
    stored = json.loads(json.dumps(opened.to_json()))
    assert Breaker.from_json({**stored, "later": "field"}) == opened


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"fault": "new-kind"},
        {"fault": "sender"},
        {"fault": "auth", "failures": "many"},
        {"fault": "auth", "since": None},
        {"fault": ["auth"]},
        {"fault": "auth", "failures": float("inf")},
    ],
)
def test_what_cannot_be_read_is_a_closed_breaker(stored: dict[str, object]) -> None:
    assert Breaker.from_json(stored) == Breaker()


YEAR = 31_536_000


@pytest.mark.parametrize("fault", [Fault.CONNECTION, Fault.AUTH, Fault.QUOTA, Fault.THROTTLE])
def test_a_clock_that_was_ahead_and_is_set_right_keeps_no_upstream_shut(fault: Fault) -> None:
    ahead = after(Breaker(), failed(fault), NOW + YEAR, 0.9)
    since_before = after(after(Breaker(), failed(fault), NOW, 0.9), failed(fault), NOW + YEAR, 0.9)
    for breaker in (ahead, since_before):
        assert breaker.permits(NOW + 60)
        assert breaker.state(NOW + 60) is BreakerState.HALF_OPEN
        assert after(breaker, DELIVERED, NOW + 60, 0.0) == Breaker()


def test_a_trial_that_fails_after_the_clock_was_set_right_is_followed_by_a_pause() -> None:
    breaker = after(Breaker(), failed(Fault.AUTH), NOW + YEAR, 0.0)
    for outcome in (failed(Fault.AUTH), failed(Fault.CONNECTION), failed(Fault.RECIPIENT, Stage.RCPT)):
        again = after(breaker, outcome, NOW, 0.0)
        assert again.state(NOW) is BreakerState.OPEN or not again.is_open
        assert again.next_attempt <= NOW + 3600


@given(
    st.sampled_from(list(Fault)), st.sampled_from(list(Fault)), st.floats(0, 1, exclude_max=True), st.floats(0, 5000)
)
def test_every_pause_holds_until_its_end(first: Fault, second: Fault, chance: float, later: float) -> None:
    opened = after(Breaker(), failed(first), NOW, chance)
    again = after(opened, failed(second), NOW + later, chance)
    for breaker, since in ((opened, NOW), (again, NOW + later)):
        assert not breaker.is_open or not breaker.permits(since)
        assert breaker.permits(breaker.next_attempt)
