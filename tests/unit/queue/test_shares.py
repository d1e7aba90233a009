"""One upstream's backlog leaves room for the mail of the others: a slow, hanging or paced one starves nobody."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.queueing import DELIVERED, Desk, mail, upstream

from mailhaul_contract.upstream import RateLimit
from mailhaul_relay.model.message import State
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.queue.crowd import LONGEST, Crowd, Share
from mailhaul_relay.queue.slots import Slots

TWO: dict[str, Any] = {
    "upstreams": [
        upstream("a", senders={"domains": ["a.example"]}, connections={"max": 1}),
        upstream("b", senders={"domains": ["b.example"]}),
    ]
}


async def backlog(desk: Desk, messages: int, senders: int = 1) -> asyncio.Event:
    """Let upstream `a` hang over its first message, and more wait for it than the queue holds in work."""
    go = asyncio.Event()

    async def hang() -> tuple[Any, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", hang)
    for number in range(messages):
        one = mail(f"a{number}", sender="app@a.example")
        client = f"client{number % senders}"
        await desk.queue.accept(replace(one, envelope=replace(one.envelope, client=client)))
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


@pytest.mark.parametrize("others", [[], [upstream("b", senders={"domains": ["b.example"]})]], ids=["only", "of-two"])
async def test_one_giant_sender_does_not_delay_the_mail_of_others(others: list[dict[str, Any]]) -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1}), *others])
    go = await backlog(desk, 1200)
    small = mail("small", sender="me@small.example")
    await desk.queue.accept(small)
    await asyncio.sleep(0)
    assert "small" in desk.queue.active, "it is in work, and not behind the backlog in the spool"
    go.set()
    await desk.settled("small")
    assert [one.id for one in desk.transport("a").taken].index("small") <= 2
    await asyncio.gather(*(desk.settled(f"a{number}") for number in range(1200)))


async def test_many_small_senders_do_not_fill_the_queue_with_mail_for_a_hanging_upstream() -> None:
    desk = Desk(**TWO)
    go = await backlog(desk, 1200, senders=1200)
    assert len(desk.queue.active) <= 510
    assert await desk.send(mail("b1", sender="app@b.example")) is None
    go.set()
    await asyncio.gather(*(desk.settled(f"a{number}") for number in range(1200)))


async def test_givers_take_turns_and_each_keeps_its_own_order() -> None:
    slots, order = Slots(1), list[str]()

    async def one(giver: str, name: str) -> None:
        await slots.take(giver)
        order.append(name)
        slots.give_back(giver)

    async with slots:
        names = [("big", f"big{number}") for number in range(4)] + [("x", "x0"), ("y", "y0"), ("x", "x1")]
        tasks = [asyncio.ensure_future(one(*each)) for each in names]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["big0", "x0", "y0", "big2", "x1", "big3"]


def test_a_tenth_of_the_room_is_for_those_who_have_little_in_work() -> None:
    active = ActiveSet(messages=100)
    taken = [active.add(mail(f"a{number}", sender="app@a.example")) for number in range(100)]
    assert (taken.count(True), active.room) == (90, 0)
    few = [active.add(mail(f"b{number}", sender="app@b.example")) for number in range(20)]
    assert few.count(True) == 10
    for number in range(90):
        active.discard(f"a{number}")
    assert active.room == 80
