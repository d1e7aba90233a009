"""A message that an upstream took for some of its recipients only: what it said of the others counts all the same."""

from typing import Any

import pytest
from tests.support.queueing import DELIVERED, GREYLISTED, Desk, mail, upstream

from mailhaul_contract.report import BreakerState
from mailhaul_relay.model.message import State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict

MIDNIGHT = 1_700_006_400.0
"""The first midnight (UTC) after the desk's clock starts."""
TWO = ("r1@example.net", "r2@example.net")
QUOTA_SPENT = Outcome(Verdict.HOLD, Stage.RCPT, Fault.QUOTA, Reply(452, "4.5.3", "daily quota exceeded"))
TOO_FAST = Outcome(Verdict.RETRY, Stage.RCPT, Fault.THROTTLE, Reply(450, "4.7.1", "sending too fast"))
DAILY: dict[str, Any] = {"quotas": [{"period": "Day", "limit": 100}]}


def _desk(**fields: Any) -> Desk:  # noqa: ANN401 - fields of an upstream
    return Desk(upstreams=[upstream("a", 0, **fields), upstream("b", 10)])


@pytest.mark.parametrize("quotas", [DAILY, {}], ids=["written-down", "not-written-down"])
async def test_a_quota_that_ended_amid_a_message_holds_the_rest_where_that_was_chosen(quotas: dict[str, Any]) -> None:
    desk = _desk(on_quota="Hold", **quotas)
    desk.script("a", (DELIVERED, QUOTA_SPENT))
    kept = await desk.send(mail("m1", *TWO))
    assert kept is not None
    assert [one.state for one in kept.progress] == [State.DELIVERED, State.HELD]
    assert await desk.send(mail("m2")) is not None
    assert not desk.transport("b").taken
    assert len(desk.transport("a").taken) == 1


@pytest.mark.parametrize("quotas", [DAILY, {}], ids=["written-down", "not-written-down"])
async def test_a_quota_that_ended_amid_a_message_fails_the_rest_over(quotas: dict[str, Any]) -> None:
    desk = _desk(on_quota="FailOver", **quotas)
    desk.script("a", (DELIVERED, QUOTA_SPENT))
    assert await desk.send(mail("m1", *TWO)) is None
    assert [one.recipients for one in desk.transport("b").taken] == [TWO[1:]]
    assert await desk.send(mail("m2")) is None
    assert [len(desk.transport(one).taken) for one in ("a", "b")] == [1, 2]


async def test_a_quota_that_ended_amid_a_message_is_told_as_full_until_its_reset() -> None:
    desk = _desk(**DAILY)
    desk.clock.now = MIDNIGHT - 600
    desk.script("a", (QUOTA_SPENT, DELIVERED))
    await desk.send(mail("m1", *TWO, accepted=desk.clock()))
    state = desk.ways.states()[0]
    (told,) = state.quotas
    assert (told.used, told.told, told.reset) == (100, True, MIDNIGHT)
    assert (state.breaker, state.fault, state.next_attempt) == (BreakerState.OPEN, "quota", MIDNIGHT)
    desk.clock.now = MIDNIGHT
    assert await desk.send(mail("m2")) is None
    (told,) = state.quotas
    assert (told.used, told.told, state.breaker) == (1, False, BreakerState.CLOSED)


async def test_a_trial_that_a_quota_ends_amid_a_message_closes_no_breaker() -> None:
    desk = _desk(**DAILY)
    desk.script("a", (QUOTA_SPENT,), (DELIVERED, QUOTA_SPENT))
    await desk.send(mail("m1"))
    desk.clock.advance(3601)
    await desk.send(mail("m2", *TWO))
    state = desk.ways.states()[0]
    assert (len(desk.transport("a").taken), state.breaker, state.quotas[0].told) == (2, BreakerState.OPEN, True)


async def test_a_provider_that_asks_for_less_amid_a_message_gets_less() -> None:
    desk = _desk(connections={"max": 4})
    desk.script("a", (DELIVERED, TOO_FAST))
    assert await desk.send(mail("m1", *TWO)) is None
    state = desk.ways.states()[0]
    assert (state.pace, state.breaker) == (0.5, BreakerState.CLOSED)
    assert desk.transport("a").most == 2


async def test_a_provider_that_asks_for_less_amid_each_message_is_not_given_more() -> None:
    desk = _desk(connections={"max": 4})
    desk.script("a", (DELIVERED, TOO_FAST), (DELIVERED, TOO_FAST))
    await desk.send(mail("m1", *TWO))
    desk.clock.advance(60)
    await desk.send(mail("m2", *TWO))
    assert desk.ways.states()[0].pace == 0.25


async def test_a_recipient_that_is_refused_for_now_says_nothing_against_an_upstream_that_takes_another() -> None:
    desk = _desk()
    desk.script("a", (DELIVERED, GREYLISTED))
    assert await desk.send(mail("m1", *TWO)) is None
    state = desk.ways.states()[0]
    assert (state.pace, state.breaker, state.fault) == (1.0, BreakerState.CLOSED, "")
