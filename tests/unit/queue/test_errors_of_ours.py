"""An error of ours keeps a message, sends nothing twice that an upstream took, and ends with the message's time."""

import asyncio
from typing import Any, NoReturn

import pytest
from tests.support.queueing import DELIVERED, NO_SUCH_USER, Desk, mail, upstream

from mailhaul_relay.model.message import State
from mailhaul_relay.queue.delivery import FAULT_DELAY

TWO = ("one@x.example", "two@x.example")
pytestmark = pytest.mark.looptime


async def _fail(*_: Any) -> NoReturn:  # noqa: ANN401 - whatever it is asked for
    raise RuntimeError("canary")


def _fail_at_once(*_: Any) -> NoReturn:  # noqa: ANN401
    raise RuntimeError("canary")


def _told(desk: Desk) -> str:
    lines = "".join(desk.lines)
    assert "canary" not in lines
    return lines


async def test_a_report_that_cannot_be_made_is_no_cause_to_send_again() -> None:
    desk = Desk(upstreams=[upstream("a")], bounces={"mode": "Send"})
    desk.bouncer.accept = _fail
    desk.script("a", *[(DELIVERED, NO_SUCH_USER)] * 99)
    async with desk.scanning():
        await desk.queue.accept(mail("m1", *TWO))
        await asyncio.sleep(60)
    assert len(desk.transport("a").taken) == 1
    assert [one.state for one in desk.spool.messages["m1"].progress] == [State.DELIVERED, State.DEAD]
    assert "internal-error" in _told(desk)


async def test_a_count_that_fails_is_no_cause_to_send_again(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(upstreams=[upstream("a")])
    monkeypatch.setattr(desk.account, "settled", _fail_at_once)
    async with desk.scanning():
        await desk.queue.accept(mail("m1"))
        await asyncio.sleep(60)
    assert len(desk.transport("a").taken) == 1
    assert desk.spool.messages == {}
    assert "internal-error" in _told(desk)


async def test_what_cannot_be_concluded_of_an_upstream_is_no_cause_to_send_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(upstreams=[upstream("a")])
    desk.script("a", (DELIVERED, NO_SUCH_USER))
    monkeypatch.setattr(desk.ways.states()[0], "hear", _fail_at_once)
    kept = await desk.send(mail("m1", *TWO))
    assert kept is not None
    assert [one.state for one in kept.progress] == [State.DELIVERED, State.DEAD]
    assert "internal-error" in _told(desk)
    assert desk.tally.handler_errors == 1


async def test_a_message_whose_rounds_do_not_end_is_put_off_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(upstreams=[upstream("a")])

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(desk.ways, "deliver", nothing)
    kept = await desk.send(mail("m1"))
    assert kept is not None
    assert kept.progress[0].due == desk.clock() + FAULT_DELAY
    assert "internal-error" in _told(desk)


async def test_an_error_before_anything_was_tried_is_no_cause_to_try_without_a_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(upstreams=[upstream("a")])
    with monkeypatch.context() as patch:
        patch.setattr("mailhaul_relay.queue.delivery.Round", _fail_at_once)
        async with desk.scanning():
            await desk.queue.accept(mail("m1"))
            await asyncio.sleep(150)
    assert _told(desk).count("internal-error") == 3
    async with desk.scanning():
        await asyncio.sleep(60)
    assert desk.spool.messages == {}


async def test_mail_that_always_meets_an_error_of_ours_ends_with_its_time() -> None:
    desk = Desk(upstreams=[upstream("a")], bounces={"mode": "Send"}, queue={"expire_after": 3600})
    desk.script("a", *[_fail] * 99)
    kept = await desk.send(mail("m1"))
    assert kept is not None
    assert kept.progress[0].state is State.DEFERRED
    assert "error of the relay" in kept.progress[0].text
    desk.clock.advance(3601)
    kept = await desk.again("m1")
    assert kept is not None
    assert kept.progress[0].state is State.DEAD
    assert (desk.tally.failed, desk.tally.bounces) == (1, 1)
