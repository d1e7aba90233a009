"""Mail that a person holds: no scan, no reload and no upstream that comes back sends it; its time ends it."""

from dataclasses import replace

from tests.support.queueing import WRONG_PASSWORD, Desk, mail, upstream

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Message, State
from mailhaul_relay.policy.holding import on_hold

DAYS_5 = 5 * 24 * 3600


def _held(desk: Desk, message: Message) -> Message:
    kept = on_hold(message.progress[0], Queue(), message.envelope.accepted, desk.clock())
    assert kept is not None
    return message.with_progress({0: kept})


async def test_it_is_not_sent_even_when_it_is_brought_into_work() -> None:
    desk = Desk()
    message = _held(desk, mail())
    desk.spool.messages["m1"] = message.with_progress({0: replace(message.progress[0], due=desk.clock())})
    kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].is_on_hold
    assert not desk.transport("a").taken


async def test_an_upstream_that_comes_back_does_not_release_it() -> None:
    desk = Desk(upstreams=[upstream("a")])
    desk.script("a", (WRONG_PASSWORD,))
    await desk.send(mail("m1"))
    desk.spool.messages["m1"] = _held(desk, desk.spool.messages["m1"])
    desk.waker.wake()
    async with desk.scanning():
        desk.clock.advance(60)
        assert await desk.spool.wake(desk.clock(), (State.HELD, State.DEFERRED)) == 0
    assert desk.spool.messages["m1"].progress[0].is_on_hold
    await desk.waker.stop()


async def test_it_expires_as_any_mail_does() -> None:
    desk = Desk()
    desk.spool.messages["m1"] = _held(desk, mail())
    desk.clock.advance(DAYS_5)
    kept = await desk.again("m1")
    assert kept is not None
    assert (kept.progress[0].state, kept.progress[0].fault) == (State.DEAD, "expired")
    assert desk.tally.failed == 1


async def test_it_is_counted_as_held_and_on_hold_and_makes_the_queue_no_older() -> None:
    desk = Desk()
    desk.spool.messages["m1"] = _held(desk, mail("m1", accepted=desk.clock() - 900))
    counts = desk.spool.counts()
    assert (counts.held, counts.on_hold, counts.oldest) == (1, 1, 0.0)


def test_what_is_past_its_time_is_not_put_on_hold() -> None:
    message = mail(accepted=1000.0)
    assert on_hold(message.progress[0], Queue(), 1000.0, 1000.0 + DAYS_5) is None
