"""A clock that was hours ahead and is set right: what was put off meanwhile does not wait for all those hours."""

import asyncio

import pytest
from tests.support.queueing import GREYLISTED, REFUSED_CONNECTION, REFUSED_FROM, Answer, Desk, mail

from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.set_back import LEAST

pytestmark = pytest.mark.looptime


class Moving(VirtualClock):
    """Goes on with the loop; `now` is what it is ahead of that."""

    def __call__(self) -> float:
        return self.now + asyncio.get_running_loop().time()


async def _meets(answer: Answer) -> Desk:
    """A relay under a clock that goes two hours ahead, in which a message has met an answer at every upstream."""
    desk = Desk(Moving())
    desk.scanner.on_set_back = desk.waker.wake
    for name in "ab":
        desk.script(name, answer)
    await desk.queue.accept(mail("m1", accepted=desk.clock()))
    return desk


@pytest.mark.parametrize("answer", [(GREYLISTED,), (REFUSED_CONNECTION,), (REFUSED_FROM,)])
async def test_mail_that_was_put_off_while_the_clock_was_ahead_leaves_soon(answer: Answer) -> None:
    desk = await _meets(answer)
    async with desk.scanning():
        await asyncio.sleep(2)
        assert "m1" in desk.spool.messages
        desk.clock.advance(-7200)
        await asyncio.sleep(30)
        assert desk.spool.messages == {}
    assert sum("clock-set-back" in line for line in desk.lines) == 1


async def test_an_upstream_that_refuses_still_is_not_tried_without_a_pause_though_the_clock_was_set_back() -> None:
    desk = await _meets((REFUSED_CONNECTION,))
    async with desk.scanning():
        await asyncio.sleep(2)
        for name in "ab":
            desk.script(name, *[(REFUSED_CONNECTION,)] * 100)
        desk.clock.advance(-7200)
        await asyncio.sleep(300)
        assert len(desk.transport("a").taken) <= 8


async def test_a_clock_that_is_slewed_or_goes_ahead_wakes_nobody() -> None:
    desk = await _meets((GREYLISTED,))
    async with desk.scanning():
        await asyncio.sleep(2)
        held = desk.spool.messages["m1"]
        for _ in range(10):
            desk.clock.advance(-LEAST / 20)
            await asyncio.sleep(6)
        assert desk.spool.messages["m1"] == held
    assert not any("clock-set-back" in line for line in desk.lines)
