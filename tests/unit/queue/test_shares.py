"""One upstream's backlog leaves room for the mail of the others: a slow, hanging or paced one starves nobody."""

import asyncio
from typing import Any

import pytest
from tests.support.queueing import DELIVERED, Desk, mail, upstream

from mailhaul_contract.upstream import RateLimit
from mailhaul_relay.model.message import State
from mailhaul_relay.queue.crowd import LONGEST, Crowd, Share

TWO: dict[str, Any] = {
    "upstreams": [
        upstream("a", senders={"domains": ["a.example"]}, connections={"max": 1}),
        upstream("b", senders={"domains": ["b.example"]}),
    ]
}


async def backlog(desk: Desk, messages: int) -> asyncio.Event:
    """Let upstream `a` hang over its first message, and more wait for it than the queue holds in work."""
    go = asyncio.Event()

    async def hang() -> tuple[Any, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", hang)
    for number in range(messages):
        await desk.queue.accept(mail(f"a{number}", sender="app@a.example"))
        await asyncio.sleep(0)
    return go


async def test_a_hanging_upstream_with_a_long_backlog_does_not_stop_mail_for_another() -> None:
    desk = Desk(**TWO)
    go = await backlog(desk, 1200)
    assert await desk.send(mail("b1", sender="app@b.example")) is None
    assert len(desk.transport("b").taken) == 1
    go.set()
    await asyncio.gather(*(desk.settled(f"a{number}") for number in range(1200)))


async def test_what_exceeds_the_share_waits_in_the_spool_and_is_told_so() -> None:
    desk = Desk(**TWO)
    go = await backlog(desk, 600)
    late = desk.spool.messages["a599"].progress[0]
    assert late.state is State.DEFERRED
    assert late.text == "waits for its turn at a"
    assert late.attempts == 0
    assert desk.clock() < late.due <= desk.clock() + 1.5 * LONGEST
    go.set()
    await asyncio.gather(*(desk.settled(f"a{number}") for number in range(600)))


async def test_an_only_upstream_may_have_all_the_room() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1})])
    go = await backlog(desk, 900)
    assert len(desk.queue.active) == 900
    go.set()
    await asyncio.gather(*(desk.settled(f"a{number}") for number in range(900)))


def test_heavy_mail_fills_a_share_by_its_octets() -> None:
    crowd, share = Crowd(1, None), Share(messages=10, octets=1000)
    crowd.enter(999)
    assert crowd.wait(share, 0.0) == 0.0
    crowd.enter(1)
    assert crowd.wait(share, 0.0) > 0.0
    crowd.leave(1)
    assert crowd.wait(share, 0.0) == 0.0


@pytest.mark.parametrize(
    ("slots", "limit", "age", "seconds"),
    [
        (1, None, 0.0, 1.0),
        (1, None, 4.0, 40.0),
        (5, None, 4.0, 8.0),
        (5, RateLimit(messages=2, per=60), 0.0, LONGEST),
        (5, RateLimit(messages=2, per=6), 0.0, 30.0),
        (1, None, 500.0, LONGEST),
    ],
)
def test_the_wait_is_as_long_as_the_crowd_needs(
    slots: int, limit: RateLimit | None, age: float, seconds: float
) -> None:
    crowd = Crowd(slots, limit)
    for _ in range(10):
        crowd.enter(1)
    assert crowd.wait(Share(10, 1000), age) == seconds


def test_how_long_transmissions_take_is_learnt() -> None:
    crowd = Crowd(1, None)
    for _ in range(100):
        crowd.enter(1)
        crowd.took(1.0)
    assert crowd.wait(Share(100, 1000), 0.0) == pytest.approx(100, rel=0.01)
