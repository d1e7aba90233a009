"""A provider that asks for less gets less, and more again in small steps: a simulated one, in virtual time."""

import asyncio
from dataclasses import dataclass

import pytest
from tests.support.queueing import DELIVERED, REFUSED_CONNECTION, Desk, mail, upstream

from mailhaul_contract.report import BreakerState
from mailhaul_contract.upstream import RateLimit
from mailhaul_relay.model.message import State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.pace import Pace
from mailhaul_relay.queue.slots import Slots

pytestmark = pytest.mark.looptime
THROTTLED = Outcome(Verdict.RETRY, Stage.BANNER, Fault.THROTTLE, Reply(421, "4.7.0", "too many connections"))
CLOSING = Outcome(Verdict.RETRY, Stage.MAIL, Fault.TRANSIENT, Reply(421, "4.3.2", "slow down"))
IMPATIENT = {"retry": {"initial": 1, "max": 5}}


class LoopClock(VirtualClock):
    """Wall time that goes with the virtual time of the loop."""

    def __call__(self) -> float:
        return self.now + asyncio.get_running_loop().time()


@dataclass
class Provider:
    """Takes so many at once, each in a fifth of a second, and refuses the others at once."""

    allowed: int
    at_once: int = 0
    most: int = 0
    taken: int = 0
    refused: int = 0

    async def answer(self) -> tuple[Outcome, ...]:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            fits = self.at_once <= self.allowed
            await asyncio.sleep(0.2 if fits else 0.01)
        finally:
            self.at_once -= 1
        self.taken += fits
        self.refused += not fits
        return (DELIVERED,) if fits else (THROTTLED,)


def _desk(provider: Provider, most: int) -> Desk:
    desk = Desk(LoopClock(), upstreams=[upstream("a", connections={"max": most})], queue=IMPATIENT)
    desk.script("a", *[provider.answer] * 20_000)
    return desk


async def _send(desk: Desk, first: int, messages: int, per_second: float) -> None:
    for number in range(first, first + messages):
        await desk.queue.accept(mail(f"m{number:06}", accepted=desk.clock()))
        await asyncio.sleep(1 / per_second)


async def _emptied(desk: Desk) -> None:
    while desk.spool.messages:  # noqa: ASYNC110 - the spool tells nobody
        await asyncio.sleep(1)


async def test_the_connections_settle_at_what_the_provider_takes() -> None:
    provider = Provider(allowed=3)
    desk = _desk(provider, most=10)
    async with desk.scanning():
        began = asyncio.get_running_loop().time()
        await _send(desk, 0, 1500, per_second=30)
        await _emptied(desk)
    seconds = asyncio.get_running_loop().time() - began
    assert provider.taken == 1500
    assert 0 < provider.refused < 40, "a provider that is asked for too much too often bans its customer"
    assert seconds < 2.5 * 1500 / 15, "three at once, five a second each, is what it would take at best"


async def test_all_connections_are_used_again_when_the_provider_takes_more() -> None:
    provider = Provider(allowed=1)
    desk = _desk(provider, most=5)
    async with desk.scanning():
        await _send(desk, 0, 30, per_second=20)
        await _emptied(desk)
        assert desk.ways.states()[0].pace <= 0.5
        provider.allowed = 5
        await _send(desk, 1000, 1200, per_second=3)
        await _emptied(desk)
    assert desk.ways.states()[0].pace == 1
    told = [line for line in desk.lines if "pace-lowered" in line or "pace-raised" in line]
    assert any('"pace":1.0' in line.replace(" ", "") for line in told)


async def test_a_provider_that_takes_nothing_for_a_while_gets_pauses_and_then_all() -> None:
    provider = Provider(allowed=0)
    desk = _desk(provider, most=4)
    async with desk.scanning():
        await _send(desk, 0, 50, per_second=50)
        await asyncio.sleep(1800)
        assert provider.refused < 25
        assert desk.ways.states()[0].breaker is not BreakerState.CLOSED
        assert desk.ways.states()[0].pace == 0.25, "never less than one connection"
        provider.allowed = 4
        await _emptied(desk)
    assert provider.taken == 50


async def test_one_request_for_less_stops_nobody_else() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4})])
    desk.script("a", (THROTTLED,))
    refused = await desk.send(mail("m1"))
    assert refused is not None
    assert refused.progress[0].state is State.DEFERRED
    assert desk.ways.states()[0].breaker is BreakerState.CLOSED
    assert await desk.send(mail("m2")) is None


async def test_a_421_in_a_session_asks_for_less_too() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4})])
    desk.script("a", (CLOSING,))
    await desk.send(mail("m1"))
    assert desk.ways.states()[0].pace == 0.5


async def test_at_one_connection_the_breaker_makes_a_pause() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 1})])
    desk.script("a", (THROTTLED,))
    await desk.send(mail("m1"))
    assert (desk.ways.states()[0].breaker, desk.ways.states()[0].pace) == (BreakerState.OPEN, 1)


async def test_a_lowered_rate_spreads_turns_evenly() -> None:
    pace = Pace(RateLimit(messages=4, per=2))
    pace.level = 0.5
    loop = asyncio.get_running_loop()
    turns = []
    for _ in range(4):
        await pace.turn()
        turns.append(loop.time())
    assert [turn - turns[0] for turn in turns] == pytest.approx([0, 1, 2, 3], abs=0.01)


async def test_fewer_slots_let_those_under_way_end_and_nobody_follow() -> None:
    slots, inside, most = Slots(3), 0, 0

    async def work() -> None:
        nonlocal inside, most
        async with slots:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1)
            inside -= 1

    tasks = [asyncio.ensure_future(work()) for _ in range(9)]
    await asyncio.sleep(0.5)
    slots.resize(1)
    assert inside == 3
    await asyncio.sleep(1)
    most = 0
    await asyncio.sleep(3)
    assert most == 1
    slots.resize(4)
    await asyncio.gather(*tasks)
    assert inside == 0


@pytest.mark.parametrize("given", [False, True], ids=["while it waits", "as it gets its slot"])
async def test_who_gives_up_takes_no_slot_along(given: bool) -> None:
    slots = Slots(1)

    async def work() -> str:
        async with slots:
            return "done"

    async with slots:
        waiting, next_one = asyncio.ensure_future(work()), asyncio.ensure_future(work())
        await asyncio.sleep(0)
        if not given:
            waiting.cancel()
            await asyncio.sleep(0)
    if given:
        waiting.cancel()
    assert await asyncio.wait_for(next_one, 1) == "done"
    assert waiting.cancelled()


async def test_connections_that_are_not_used_any_more_are_not_kept() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 8})])
    desk.script("a", (THROTTLED,))
    await desk.send(mail("m1"))
    assert desk.transport("a").most == 4


async def test_a_trial_that_is_throttled_makes_the_pause_longer_and_is_no_cause_to_go_on_slowly() -> None:
    desk = Desk(upstreams=[upstream("a", connections={"max": 4})])
    desk.script("a", (REFUSED_CONNECTION,), (THROTTLED,))
    await desk.send(mail("m1"))
    desk.clock.advance(20)
    await desk.send(mail("m2"))
    state = desk.ways.states()[0]
    assert (state.breaker, state.fault) == (BreakerState.OPEN, "throttle")
    assert state.next_attempt > desk.clock()
