"""What one upstream refuses for good and another may take waits for that other one, and fails only when none may."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.queueing import (
    DELIVERED,
    GREYLISTED,
    LOST_AFTER_DOT,
    REFUSED_CONNECTION,
    REFUSED_FROM,
    TOO_LARGE_HERE,
    Desk,
    mail,
    upstream,
)

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.queue.orders import Order, Verb
from mailhaul_relay.queue.verbs import changes, everybody
from mailhaul_relay.smtpout.classify import Context, classify

TO_LIVE = 5 * 24 * 3600
NO_UTF8 = Outcome(Verdict.FAILED, Stage.RELAY, Fault.CAPABILITY, detail="5.6.7 no SMTPUTF8", retry_elsewhere=True)
BY_SIZE = Outcome(Verdict.FAILED, Stage.RELAY, Fault.SIZE, detail="octets", retry_elsewhere=True)
AFTER_DOT = classify("smtp", Stage.END_OF_DATA, Reply(552, "5.3.4", "Message size exceeds fixed limit"), Context())
UTF8_REFUSED = classify(
    "smtp", Stage.RCPT, Reply(553, "5.6.7", "Must declare SMTPUTF8 to send unicode address"), Context()
)
SENDER_REFUSED = Outcome(Verdict.HOLD, Stage.MAIL, Fault.SENDER, Reply(553, "5.7.1", "sender domain not verified"))
RELAY_DENIED = classify("smtp", Stage.RCPT, Reply(554, "5.7.1", "Relay access denied"), Context())
CLIENT_BANNED = classify("smtp", Stage.BANNER, Reply(554, "5.7.1", "No SMTP service here for you"), Context())
ELSEWHERE = [TOO_LARGE_HERE, NO_UTF8, BY_SIZE, AFTER_DOT, UTF8_REFUSED]
NOT_HERE = [*ELSEWHERE, SENDER_REFUSED, RELAY_DENIED, CLIENT_BANNED]


def _names(one: object) -> str:
    return f"{one.fault}-at-{one.stage}" if isinstance(one, Outcome) else str(one)


async def _b_is_down(desk: Desk, fault: Fault = Fault.CONNECTION) -> None:
    refused = Outcome(Verdict.RETRY, Stage.CONNECT, fault, Reply(421, "4.3.2", "not now"))
    desk.script("a", (GREYLISTED,))
    desk.script("b", (refused,))
    await desk.send(mail("before"))
    await desk.queue._spool.remove("before")
    assert desk.ways.states()[1].current.is_open


async def _b_is_spent(desk: Desk) -> None:
    desk.script("a", (GREYLISTED,))
    assert await desk.send(mail("before")) is None


async def _b_is_crowded(desk: Desk) -> None:
    lane = desk.ways.states()[1].lane
    lane.wait, lane.crowding = lambda share: 5.0, lambda share: None  # type: ignore[method-assign]  # noqa: ARG005


async def _b_is_on_trial(desk: Desk) -> None:
    await _b_is_down(desk)
    desk.ways.states()[1].on_trial = True


async def _b_refuses_the_from(desk: Desk) -> None:
    desk.script("a", (GREYLISTED,))
    desk.script("b", (REFUSED_FROM,))
    await desk.send(mail("before"))
    await desk.queue._spool.remove("before")


async def _b_refuses_the_envelope(desk: Desk) -> None:
    desk.script("a", (GREYLISTED,))
    desk.script("b", (SENDER_REFUSED,))
    await desk.send(mail("before", envelope_sender="root@machine.example"))
    await desk.queue._spool.remove("before")


def _desk(**b: Any) -> Desk:  # noqa: ANN401 - fields of an upstream
    return Desk(upstreams=[upstream("a", 0), upstream("b", 10, **b)])


def _kept(message: Message | None) -> State:
    assert message is not None, "it is neither delivered nor lost"
    return message.progress[0].state


@pytest.mark.parametrize("refusal", NOT_HERE, ids=_names)
async def test_what_a_refuses_waits_for_b_while_its_breaker_is_open_and_leaves_there(refusal: Outcome) -> None:
    desk = _desk()
    await _b_is_down(desk)
    desk.script("a", (refusal,))
    kept = await desk.send(mail("m1"))
    assert _kept(kept) in {State.DEFERRED, State.HELD}
    assert kept is not None
    assert (kept.progress[0].attempts, kept.progress[0].upstream) == (1, "a")
    desk.clock.advance(4000)
    desk.script("a", (refusal,))
    assert await desk.again("m1") is None
    assert [one.id for one in desk.transport("b").taken] == ["before", "m1"]


@pytest.mark.parametrize(
    ("hinder", "state"),
    [
        (_b_is_spent, State.HELD),
        (_b_is_crowded, State.DEFERRED),
        (_b_is_on_trial, State.DEFERRED),
        (_b_refuses_the_from, State.HELD),
        (_b_refuses_the_envelope, State.HELD),
    ],
)
@pytest.mark.parametrize("refusal", ELSEWHERE, ids=_names)
async def test_whatever_keeps_b_from_it_now_is_waited_for(
    hinder: Callable[[Desk], Any], state: State, refusal: Outcome
) -> None:
    desk = _desk(quotas=[{"period": "Day", "limit": 1}] if hinder is _b_is_spent else [])
    await hinder(desk)
    desk.script("a", (refusal,))
    kept = await desk.send(mail("m1", envelope_sender="root@machine.example"))
    assert _kept(kept) is state
    assert desk.tally.failed == 0


@pytest.mark.parametrize("fault", [one for one in Fault if one.is_of_upstream])
async def test_no_fault_of_b_makes_a_dead_letter_of_it(fault: Fault) -> None:
    desk = _desk(connections={"max": 1})
    await _b_is_down(desk, fault)
    desk.script("a", (TOO_LARGE_HERE,))
    assert _kept(await desk.send(mail("m1"))) in {State.DEFERRED, State.HELD}


@pytest.mark.parametrize("at_b", [GREYLISTED, REFUSED_CONNECTION, REFUSED_FROM], ids=_names)
async def test_what_b_does_not_take_now_is_kept_when_a_refuses_it_afterwards(at_b: Outcome) -> None:
    desk = Desk(upstreams=[upstream("b", 0), upstream("a", 10)])
    desk.script("b", (at_b,))
    desk.script("a", (TOO_LARGE_HERE,))
    kept = await desk.send(mail("m1"))
    assert _kept(kept) in {State.DEFERRED, State.HELD}
    assert kept is not None
    assert (kept.progress[0].upstream, kept.progress[0].fault) == ("b", at_b.fault.value), "what may be mended"
    desk.clock.advance(4000)
    assert await desk.again("m1") is None


async def test_the_words_of_both_are_told() -> None:
    desk = _desk()
    await _b_is_down(desk)
    desk.script("a", (TOO_LARGE_HERE,))
    kept = await desk.send(mail("m1"))
    assert kept is not None
    assert kept.progress[0].text == "552 5.3.4 too big; b: connection"
    assert kept.progress[0].due == desk.ways.states()[1].current.next_attempt


async def test_it_fails_with_the_words_of_the_one_that_was_asked_when_no_other_may_ever_take_it() -> None:
    desk = Desk(upstreams=[upstream("a"), upstream("b", 10, senders={"domains": ["other.example"]})])
    desk.script("a", (TOO_LARGE_HERE,))
    kept = await desk.send(mail("m1"))
    assert _kept(kept) is State.DEAD
    assert kept is not None
    assert (kept.progress[0].text, kept.progress[0].upstream) == ("552 5.3.4 too big", "a")


async def test_it_fails_when_every_upstream_refuses_it() -> None:
    desk = _desk()
    desk.script("a", (TOO_LARGE_HERE,))
    desk.script("b", (NO_UTF8,))
    kept = await desk.send(mail("m1"))
    assert _kept(kept) is State.DEAD
    assert kept is not None
    assert (kept.progress[0].text, kept.progress[0].upstream) == (NO_UTF8.detail, "b")
    assert kept.progress[0].attempts == 1


async def test_it_fails_at_the_upstream_that_a_person_asked_for() -> None:
    desk = _desk()
    desk.script("a", (GREYLISTED,))
    desk.script("b", (GREYLISTED,))
    kept = await desk.send(mail("m1"))
    assert kept is not None
    moved = changes(Order(Verb.MOVE, "a"), kept, everybody(kept), lambda _: desk.configured.config.queue, desk.clock())
    await desk.spool.update(kept.with_progress(moved or {}))
    desk.script("a", (TOO_LARGE_HERE,))
    assert _kept(await desk.again("m1")) is State.DEAD
    assert len(desk.transport("b").taken) == 1


async def test_it_fails_at_the_upstream_that_may_have_taken_it() -> None:
    desk = _desk()
    desk.script("a", (LOST_AFTER_DOT,), (TOO_LARGE_HERE,))
    await desk.send(mail("m1"))
    desk.clock.advance(4000)
    assert _kept(await desk.again("m1")) is State.DEAD
    assert desk.transport("b").taken == []


async def test_while_b_stays_down_it_is_kept_until_its_time_is_over_and_only_then_reported() -> None:
    desk = Desk(upstreams=[upstream("a"), upstream("b", 10)], bounces={"mode": "Send"})
    for _ in range(20):
        desk.script("a", (TOO_LARGE_HERE,))
        desk.script("b", (REFUSED_CONNECTION,))
    kept = await desk.send(mail("m1"))
    while desk.clock() < mail().envelope.accepted + TO_LIVE - 1:
        assert _kept(kept) is State.DEFERRED
        assert desk.tally.bounces == 0
        desk.clock.now = min(desk.clock() + 30_000, mail().envelope.accepted + TO_LIVE - 1)
        kept = await desk.again("m1")
    desk.clock.advance(2)
    kept = await desk.again("m1")
    assert _kept(kept) is State.DEAD
    assert kept is not None
    assert kept.progress[0].text.startswith("expired; last: ")
    assert desk.tally.bounces == 1


async def test_a_suspension_that_comes_between_two_upstreams_holds_it() -> None:
    desk, two = _desk(), [upstream("a", 0), upstream("b", 10)]

    async def suspend() -> tuple[Outcome, ...]:
        desk.reconfigure(upstreams=two, delivery={"suspended": True})
        return (TOO_LARGE_HERE,)

    desk.script("a", suspend)
    kept = await desk.send(mail("m1"))
    assert _kept(kept) is State.HELD
    desk.reconfigure(upstreams=two)
    desk.clock.advance(4000)
    desk.script("a", (TOO_LARGE_HERE,))
    assert await desk.again("m1") is None


async def test_a_refusal_of_an_upstream_that_a_reload_took_away_ends_nothing() -> None:
    desk = _desk()

    async def reload() -> tuple[Outcome, ...]:
        desk.reconfigure(upstreams=[])
        return (TOO_LARGE_HERE,)

    desk.script("a", reload)
    assert _kept(await desk.send(mail("m1"))) is State.HELD


async def test_a_recipient_that_was_taken_is_not_sent_to_again_while_another_waits_for_b() -> None:
    desk = _desk()
    await _b_is_down(desk)
    desk.script("a", (DELIVERED, NO_UTF8))
    kept = await desk.send(mail("m1", "one@x.example", "two@x.example"))
    assert kept is not None
    assert [one.state for one in kept.progress] == [State.DELIVERED, State.DEFERRED]
    desk.clock.advance(20)
    desk.script("a", (NO_UTF8,))
    assert await desk.again("m1") is None
    assert [one.recipients for one in desk.transport("b").taken][1:] == [("two@x.example",)]


@pytest.mark.looptime
async def test_while_b_is_down_a_is_not_asked_again_and_again_and_b_takes_it_as_soon_as_it_can() -> None:
    desk = _desk()
    await _b_is_down(desk)
    desk.script("a", *[(TOO_LARGE_HERE,)] * 50)
    async with desk.scanning():
        await desk.queue.accept(mail("m1"))
        await asyncio.sleep(600)
        asked = len(desk.transport("a").taken)
        assert asked == 2, "the clock stands still, so b's trial is never due"
        desk.clock.advance(20)
        await asyncio.sleep(10)
    assert desk.spool.messages == {}
    assert len(desk.transport("a").taken) == asked + 1


async def test_what_was_kept_for_doubt_does_not_fail_by_what_was_doubted() -> None:
    # Its words would name a quota, were they not those of the recipient: so nobody believes them enough to fail mail.
    doubtful = classify(
        "smtp",
        Stage.RCPT,
        Reply(552, "5.3.4", "daily.quota.exceeded: message too large"),
        Context("example.com", "app@example.com", ("daily.quota.exceeded@x.example",)),
    )
    assert (doubtful.verdict, doubtful.fault) == (Verdict.HOLD, Fault.SIZE)
    desk = Desk(upstreams=[upstream("a")])
    desk.script("a", (doubtful,), (doubtful,), (GREYLISTED,))
    kept = await desk.send(mail("m1", "daily.quota.exceeded@x.example"))
    for state in (State.HELD, State.HELD, State.DEFERRED):
        assert _kept(kept) is state
        desk.clock.advance(20_000)
        kept = await desk.again("m1")
    assert kept is None
