"""A giver's mail to one domain does not delay its mail to another: new mail, stored mail, mail that falls due."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.queueing import Desk, mail, upstream

from mailhaul_relay.model.message import Message

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
        assert await until(lambda: not any(one.id in desk.spool.messages for one in to("small", 5)), 60) < 3
    await desk.queue.stop(0)
