"""What an outcome makes of progress: nothing is given up before its time, nothing lives past it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.retry import MAX_UNKNOWNS, Attempt, after_attempt, after_wait, backoff
from mailhaul_relay.policy.routing import Wait

NOW = 1_700_000_000.0
QUEUE = Queue()


def outcome(verdict: Verdict, fault: Fault = Fault.TRANSIENT, code: int = 451) -> Outcome:
    return Outcome(verdict, Stage.RCPT, fault, Reply(code, "4.3.0", "words"))


def attempt(progress: Progress, verdict: Verdict, age: float = 0, chance: float = 0.5) -> Progress:
    return after_attempt(progress, Attempt(outcome(verdict), "one", NOW, chance), QUEUE, NOW - age)


def test_words_of_the_last_attempt_are_kept() -> None:
    progress = attempt(Progress(), Verdict.RETRY)
    assert (progress.upstream, progress.stage, progress.fault, progress.code) == ("one", "rcpt", "transient", 451)
    assert (progress.text, progress.changed, progress.attempts) == ("451 4.3.0 words", NOW, 1)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (Verdict.DELIVERED, State.DELIVERED),
        (Verdict.FAILED, State.DEAD),
        (Verdict.RETRY, State.DEFERRED),
        (Verdict.HOLD, State.HELD),
        (Verdict.UNKNOWN, State.DEFERRED),
    ],
)
def test_state_after_each_verdict(verdict: Verdict, state: State) -> None:
    assert attempt(Progress(), verdict).state is state


def test_back_off_doubles_to_its_maximum() -> None:
    assert [backoff(QUEUE, n, 0.5) for n in (0, 1, 2, 3, 7, 100)] == [60, 60, 120, 240, 3600, 3600]


@given(st.integers(1, 1000), st.floats(0, 1, exclude_max=True))
def test_jitter_is_a_fifth_either_way(attempts: int, chance: float) -> None:
    middle = backoff(QUEUE, attempts, 0.5)
    assert 0.8 * middle <= backoff(QUEUE, attempts, chance) <= 1.2 * middle


def test_unknown_is_pinned_retried_twice_then_held_until_it_expires() -> None:
    progress = Progress()
    for count in range(1, MAX_UNKNOWNS + 1):
        progress = attempt(progress, Verdict.UNKNOWN)
        assert (progress.state, progress.pinned, progress.unknowns) == (State.DEFERRED, "one", count)
    progress = attempt(progress, Verdict.UNKNOWN)
    assert (progress.state, progress.due) == (State.HELD, NOW + QUEUE.expire_after)


def test_pin_outlives_a_known_outcome_since_the_unknown_one_may_have_arrived() -> None:
    assert attempt(attempt(Progress(), Verdict.UNKNOWN), Verdict.RETRY).pinned == "one"


@pytest.mark.parametrize("verdict", [Verdict.RETRY, Verdict.HOLD, Verdict.UNKNOWN])
def test_time_to_live_counts_from_acceptance_and_keeps_the_last_words(verdict: Verdict) -> None:
    dead = attempt(Progress(attempts=3), verdict, age=QUEUE.expire_after)
    assert (dead.state, dead.fault) == (State.DEAD, "expired")
    assert "451 4.3.0 words" in dead.text
    assert attempt(Progress(attempts=3), verdict, age=QUEUE.expire_after - 1).is_open


def test_last_attempt_is_due_when_it_expires_not_later() -> None:
    assert attempt(Progress(attempts=50), Verdict.RETRY, age=QUEUE.expire_after - 10).due == NOW + 10


def test_refusal_by_the_relay_is_no_attempt() -> None:
    progress = after_attempt(Progress(), Attempt(outcome(Verdict.FAILED, Fault.SIZE), "", NOW, 0.5), QUEUE, NOW)
    assert (progress.state, progress.attempts, progress.upstream) == (State.DEAD, 0, "")


def test_waiting_keeps_the_last_words_and_expires_too() -> None:
    wait = Wait(NOW + 300, State.HELD, Fault.AUTH, "one: auth")
    fresh = after_wait(Progress(), wait, QUEUE, NOW, NOW)
    assert (fresh.state, fresh.due, fresh.fault, fresh.text) == (State.HELD, NOW + 300, "auth", "one: auth")
    told = after_wait(attempt(Progress(), Verdict.RETRY), wait, QUEUE, NOW, NOW)
    assert (told.text, told.attempts) == ("451 4.3.0 words", 1)
    unreached = replace(Progress(), attempts=1, upstream="one", stage="connect", text="connection refused")
    assert after_wait(unreached, wait, QUEUE, NOW, NOW).text == "connection refused"
    dead = after_wait(Progress(), wait, QUEUE, NOW - QUEUE.expire_after, NOW)
    assert (dead.state, dead.fault) == (State.DEAD, "expired")


def test_a_from_that_may_not_be_sent_any_more_is_told_instead_of_the_last_words() -> None:
    shut = Wait(NOW + 300, State.HELD, Fault.SENDER, "route billing: one may not send pay.example")
    held = after_wait(attempt(Progress(), Verdict.RETRY), shut, QUEUE, NOW, NOW)
    assert (held.fault, held.text, held.code, held.stage) == ("sender", shut.reason, 0, "relay")
    later = after_wait(held, Wait(NOW + 10, State.DEFERRED, Fault.CONNECTION, "two: connection"), QUEUE, NOW, NOW)
    assert (later.fault, later.text) == ("connection", "two: connection")
    refused = after_attempt(Progress(), Attempt(outcome(Verdict.HOLD, Fault.SENDER), "one", NOW, 0.5), QUEUE, NOW)
    assert after_wait(refused, shut, QUEUE, NOW, NOW).text == "451 4.3.0 words", (
        "the provider's own refusal of the From stands"
    )


def test_waiting_never_spins() -> None:
    past = Wait(NOW - 100, State.DEFERRED, Fault.CONNECTION, "")
    assert after_wait(Progress(), past, QUEUE, NOW, NOW).due > NOW
