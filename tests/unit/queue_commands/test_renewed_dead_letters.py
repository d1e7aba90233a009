"""A dead letter that was retried lives again for the whole time, whatever its upstream does at that moment."""

from tests.support.queued_mail import ACCEPTED, dead, queued

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.retry import Attempt, after_attempt, after_wait
from mailhaul_relay.policy.routing import Wait
from mailhaul_relay.queue.orders import Order, Verb
from mailhaul_relay.queue.verbs import changes, everybody
from mailhaul_relay.spool.codec import decode_progress, encode_progress

SETTINGS = Queue(expire_after=3600)
LATE = ACCEPTED + 1_000_000
CLOSED = Wait(LATE + 300, State.HELD, Fault.AUTH, "primary: auth")
BUSY = Outcome(Verdict.RETRY, Stage.MAIL, Fault.TRANSIENT, Reply(451, "4.3.0", "try later"))


def _renewed() -> Progress:
    message = queued(0, dead())
    changed = changes(Order(Verb.RETRY), message, everybody(message), lambda _: SETTINGS, LATE)
    assert changed
    return changed[0]


def test_it_waits_for_an_upstream_that_is_closed() -> None:
    assert after_wait(_renewed(), CLOSED, SETTINGS, ACCEPTED, LATE).state is State.HELD
    assert after_wait(dead(), CLOSED, SETTINGS, ACCEPTED, LATE).state is State.DEAD


def test_a_temporary_refusal_defers_it_again() -> None:
    assert after_attempt(_renewed(), Attempt(BUSY, "primary", LATE, 0.5), SETTINGS, ACCEPTED).state is State.DEFERRED


def test_its_new_life_ends_too() -> None:
    later = LATE + SETTINGS.expire_after
    assert after_attempt(_renewed(), Attempt(BUSY, "primary", later, 0.5), SETTINGS, ACCEPTED).state is State.DEAD


def test_its_new_life_survives_the_store() -> None:
    assert decode_progress(encode_progress((_renewed(),)), 1) == (_renewed(),)
