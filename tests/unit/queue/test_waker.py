"""Who is woken when an upstream takes mail again: what may leave by that, and not what others deferred."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from tests.support.queueing import GREYLISTED, REFUSED_CONNECTION, REFUSED_FROM, Desk, mail, upstream

from mailhaul_relay.model.message import State
from mailhaul_relay.queue.waker import RETRY
from mailhaul_relay.spool.interface import Meant, SpoolError

TO_A, TO_B = (
    {"name": f"to-{one}", "match": {"recipient_domains": [f"{one}.example"]}, "upstreams": [one]} for one in "ab"
)
TWO: dict[str, Any] = {"upstreams": [upstream("a"), upstream("b")], "routes": [TO_A, TO_B]}
pytestmark = pytest.mark.looptime


async def _comes_back(desk: Desk, name: str = "a") -> None:
    """Let a probe close the breaker of an upstream."""
    way = desk.ways.way(name)
    assert way is not None
    desk.ways.probed(way, None)
    await asyncio.sleep(RETRY + 1)


async def _shut(desk: Desk, name: str = "a") -> None:
    desk.script(name, (REFUSED_CONNECTION,))
    await desk.send(mail("first", f"r@{name}.example"))


async def test_an_upstream_that_comes_and_goes_does_not_cancel_the_back_off_at_another() -> None:
    desk = Desk(**TWO)
    desk.script("b", (GREYLISTED,))
    greylisted = await desk.send(mail("m1", "r@b.example"))
    assert greylisted is not None
    for _ in range(3):
        await _shut(desk)
        await _comes_back(desk)
    assert desk.spool.messages["m1"].due == greylisted.due > desk.clock()


async def test_what_the_upstream_itself_deferred_is_due_when_it_comes_back() -> None:
    desk = Desk(**TWO)
    desk.script("a", (GREYLISTED,))
    await desk.send(mail("m1", "r@a.example"))
    await _shut(desk)
    await _comes_back(desk)
    assert desk.spool.messages["m1"].due <= desk.clock()


async def test_what_another_upstream_refused_for_its_from_leaves_through_the_one_that_comes_back() -> None:
    desk = Desk()
    desk.script("a", (REFUSED_CONNECTION,))
    desk.script("b", (REFUSED_FROM,))
    held = await desk.send(mail("m1"))
    assert held is not None
    assert held.due > desk.clock() + 2
    async with desk.scanning():
        await _comes_back(desk)
    assert desk.spool.messages == {}
    assert [len(desk.transport(one).taken) for one in ("a", "b")] == [2, 1]


async def test_another_configuration_wakes_what_any_upstream_deferred() -> None:
    desk = Desk(**TWO)
    desk.script("b", (GREYLISTED,))
    await desk.send(mail("m1", "r@b.example"))
    desk.waker.wake()
    await asyncio.sleep(1)
    assert desk.spool.messages["m1"].due <= desk.clock()


async def test_a_store_that_refuses_is_asked_again_for_the_same() -> None:
    desk = Desk(**TWO)
    desk.script("a", (GREYLISTED,))
    desk.script("b", (GREYLISTED,))
    await desk.send(mail("m1", "r@a.example"))
    greylisted = await desk.send(mail("m2", "r@b.example"))
    assert greylisted is not None
    wake, refusals = desk.spool.wake, [SpoolError("full", full=True)]

    async def refuse_once(now: float, states: Iterable[State], meant: Meant | None = None) -> int:
        if refusals:
            raise refusals.pop()
        return await wake(now, states, meant)

    desk.spool.wake = refuse_once  # type: ignore[method-assign]
    await _shut(desk)
    await _comes_back(desk)
    assert desk.spool.messages["m1"].due <= desk.clock()
    assert desk.spool.messages["m2"].due == greylisted.due
