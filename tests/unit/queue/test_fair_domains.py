"""A giver's mail to one domain does not delay its mail to another: new mail, stored mail, mail that falls due."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.queueing import REFUSED_CONNECTION, Desk, mail, upstream

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.queue.places import LINED_UP
from mailhaul_relay.queue.returner import REMEMBERED, remember
from mailhaul_relay.spool.interface import LastTurns, Place

pytestmark = pytest.mark.looptime
OTHER = upstream("b", senders={"domains": ["b.example"]})


def to(domain: str, count: int) -> list[Message]:
    """Mail of one giver."""
    return [mail(f"{domain}{number:05}", f"r@{domain}.example") for number in range(count)]


def slow(desk: Desk, seconds: float, domain: str = "giant") -> None:
    """Let upstream `a` take so long for each mail to a domain, and a tenth of a second for another."""
    transport = desk.transport("a")
    deliver = transport.deliver

    async def take_long(transmission: Any) -> Any:  # noqa: ANN401 - as a transport has it
        is_slow = transmission.recipients[0].endswith(f"@{domain}.example")
        await asyncio.sleep(seconds if is_slow else 0.1)
        return await deliver(transmission)

    transport.deliver = take_long  # type: ignore[method-assign]


async def until(met: Callable[[], bool], most: float) -> float:
    """Wait until something is so; the seconds that it took, at most so many."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not met() and loop.time() - began < most:  # noqa: ASYNC110 - virtual time, and several things may make it so
        await asyncio.sleep(0.05)
    return loop.time() - began


@pytest.mark.parametrize("others", [[], [OTHER]], ids=["only", "of-two"])
async def test_a_giant_domain_does_not_delay_new_mail_of_the_same_giver_to_another(
    others: list[dict[str, Any]],
) -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4}), *others])
    slow(desk, 1.0)
    async with desk.scanning():
        for one in to("giant", 2500):
            await desk.queue.accept(one)
        await asyncio.sleep(2)
        for one in to("small", 5):
            await desk.queue.accept(one)
            await asyncio.sleep(0)
            assert one.id in desk.queue.active, "it is in work, and not behind the backlog in the spool"
        assert await until(lambda: left(desk, to("small", 5)), 60) < 3
    await desk.queue.stop(0)


def stored(desk: Desk, messages: list[Message], due: float = 0.0) -> None:
    """Put messages into the spool that were tried before and are due."""
    for one in messages:
        tried = replace(one.progress[0], state=State.DEFERRED, attempts=1, due=due)
        desk.spool.messages[one.id] = one.with_progress({0: tried})


def reading(desk: Desk) -> list[str]:
    """The ids of what is read from the spool from now on."""
    reads, due, waiting = list[str](), desk.spool.due, desk.spool.waiting

    async def read_due(now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        found = await due(now, limit, exclude)
        reads.extend(one.id for one in found)
        return found

    async def read_waiting(awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> Sequence[Message]:
        found = await waiting(awaits, last, limit, exclude)
        reads.extend(one.id for one in found)
        return found

    desk.spool.due, desk.spool.waiting = read_due, read_waiting  # type: ignore[method-assign]
    return reads


def left(desk: Desk, messages: list[Message]) -> bool:
    return not any(one.id in desk.spool.messages for one in messages)


@pytest.mark.parametrize("others", [[], [OTHER]], ids=["only", "of-two"])
async def test_a_giant_domains_mail_that_is_due_does_not_delay_the_same_givers_stored_mail_to_another(
    others: list[dict[str, Any]],
) -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4}), *others])
    slow(desk, 5.0)
    small = to("small", 5)
    stored(desk, to("giant", 5000))
    stored(desk, small, desk.clock() - 10)
    reads = reading(desk)
    async with desk.scanning():
        assert await until(lambda: left(desk, small), 600) < 8
    assert [one for one in reads if one.startswith("small")]
    assert next(at for at, one in enumerate(reads) if one.startswith("small")) < 1500, "most of it is not read before"
    await desk.queue.stop(0)


@pytest.mark.parametrize("placed", [False, True], ids=["due", "in its place"])
@pytest.mark.parametrize("others", [[], [OTHER]], ids=["only", "of-two"])
async def test_stored_mail_to_another_domain_comes_while_a_giants_mail_fills_the_queue(
    others: list[dict[str, Any]], placed: bool
) -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4}), *others])
    slow(desk, 20.0)
    async with desk.scanning():
        for one in to("giant", 1200):
            await desk.queue.accept(one)
        await asyncio.sleep(10)
        began, small = desk.queue.active.room, to("small", 5)
        stored(desk, small, desk.clock() - 10)
        if placed:
            (name,) = await desk.spool.places()
            desk.spool.places_of |= {one.id: Place(name, desk.clock() + 9999) for one in small}
        desk.queue.kick()
        assert await until(lambda: left(desk, small), 600) < 25
        assert began == 0 or others
        assert len(desk.queue.active) <= 950, "half of the reserve is for new mail"
    await desk.queue.stop(0)


async def test_a_giver_that_sprays_domains_at_an_upstream_does_not_delay_others_there() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1}), OTHER])
    slow(desk, 5.0, "d0")
    for number in range(1200):
        await desk.queue.accept(mail(f"m{number}", f"r@d{number}.example"))
        await asyncio.sleep(0)
    small = mail("small", sender="app@small.example")
    await desk.queue.accept(small)
    assert await until(lambda: left(desk, [small]), 600) < 6
    await desk.queue.stop(0)


async def test_new_mail_goes_to_work_at_once_while_stored_mail_of_many_waits_for_room() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1})])
    desk.queue.active = ActiveSet(messages=100)
    slow(desk, 60.0, "r0")
    many = [mail(f"m{number:04}", f"r@r{number % 2}.example", sender=f"app@s{number}.example") for number in range(400)]
    stored(desk, many)
    async with desk.scanning():
        await asyncio.sleep(5)
        assert len(desk.queue.active) == 95
        new = mail("new", sender="app@new.example")
        await desk.queue.accept(new)
        await asyncio.sleep(0)
        assert "new" in desk.queue.active
    await desk.queue.stop(0)


async def test_what_was_lined_up_leaves_when_its_turn_comes_and_nobody_of_it_is_tried_before_its_time() -> None:
    desk = Desk(upstreams=[upstream("a")])
    one, later, two = mail("m1"), mail("m2"), mail("m3", "r@x.example", "s@y.example")
    stored(desk, [one])
    stored(desk, [later], desk.clock() + 60)
    waits = replace(two.progress[0], state=State.DEFERRED, due=desk.clock() + 60, fault="connection")
    desk.spool.messages[two.id] = two.with_progress({1: waits})
    desk.spool.places_of = {each.id: Place(LINED_UP, desk.clock() + 3600) for each in (one, later, two)}
    async with desk.scanning():
        await asyncio.sleep(5)
    assert sorted(each.recipients for each in desk.transport("a").taken) == [
        ("r@example.net",),
        ("r@example.net",),
        ("r@x.example",),
    ]
    assert desk.spool.messages[two.id].progress[1] == waits


async def test_every_domain_of_every_giver_has_its_turn_however_little_room_there_is() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1})])
    desk.queue.active = ActiveSet(messages=2)
    domains = [f"d{number}" for number in range(4)]
    mine = [mail(f"{one}-{number}", f"r@{one}.example") for one in domains for number in range(40)]
    other = [mail(f"other-{number}", sender="app@other.example") for number in range(40)]
    first = mail("giant", "r@giant.example")
    desk.script("a", (REFUSED_CONNECTION,))
    await desk.send(first)
    slow(desk, 0.5)
    stored(desk, [*mine, *other])
    async with desk.scanning():
        await asyncio.sleep(10)
        assert len(desk.spool.places_of) == 201, "all of it waits in its place"
        desk.clock.advance(12)
        await until(lambda: len(desk.transport("a").taken) > 42, 60)
    order = [one.id.partition("-")[0] for one in desk.transport("a").taken[2:42]]
    assert order.count("other") in range(17, 24)
    assert all(order.count(one) in range(4, 7) for one in domains)
    await desk.queue.stop(0)


def test_of_too_many_givers_those_are_forgotten_that_had_their_turn_the_longest_ago() -> None:
    parties: dict[str, str] = {}
    ones = [mail(f"m{number}", sender=f"app@s{number}.example") for number in range(REMEMBERED + 5)]
    remember(parties, [*ones[:10], *ones[5:], ones[5]])
    assert len(parties) == REMEMBERED
    assert ones[4].envelope.giver not in parties
    assert parties[ones[5].envelope.giver] == ones[5].envelope.party
