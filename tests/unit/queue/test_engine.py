"""The engine owns every accepted message: never twice in work, never lost for a disk that refuses."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.support.queueing import DELIVERED, GREYLISTED, NO_SUCH_USER, Desk, mail, upstream

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.spool.interface import Place, SpoolError

ONLY_A: dict[str, Any] = {"upstreams": [upstream("a")]}


async def test_what_the_spool_refuses_is_not_worked_on() -> None:
    desk = Desk(**ONLY_A)
    desk.spool.fault = SpoolError("no room", full=True)
    with pytest.raises(SpoolError):
        await desk.queue.accept(mail())
    assert desk.transport("a").taken == []


@pytest.mark.looptime
async def test_an_outcome_that_cannot_be_stored_is_stored_later_and_not_sent_again() -> None:
    desk = Desk(**ONLY_A)
    desk.script("a", (DELIVERED, GREYLISTED))

    async def breaking() -> tuple[object, ...]:
        desk.spool.fault = SpoolError("fsync failed")
        return (DELIVERED, GREYLISTED)

    desk.transport("a").answers[0] = breaking
    await desk.queue.accept(mail("m1", "one@x.example", "two@x.example"))
    await asyncio.sleep(2.5)
    assert not desk.queue.begin(desk.spool.messages["m1"])
    desk.spool.fault = None
    await asyncio.sleep(1.5)
    assert desk.spool.messages["m1"].progress[0].state is State.DELIVERED
    assert len(desk.transport("a").taken) == 1


async def test_a_message_in_work_is_not_begun_again() -> None:
    desk = Desk(**ONLY_A)
    go = asyncio.Event()

    async def wait() -> tuple[object, ...]:
        await go.wait()
        return (DELIVERED,)

    desk.script("a", wait)
    await desk.queue.accept(mail())
    await asyncio.sleep(0)
    assert not desk.queue.begin(mail())
    assert not desk.queue.claim("m1")
    go.set()
    await desk.settled("m1")


async def test_a_claimed_message_is_not_worked_on_until_it_is_released() -> None:
    desk = Desk(**ONLY_A)
    assert desk.queue.claim("m1")
    assert not desk.queue.begin(mail())
    desk.queue.release("m1")
    assert desk.queue.begin(mail())
    await desk.settled("m1")


@pytest.mark.looptime
async def test_a_message_that_was_delivered_while_the_scanner_read_is_not_sent_twice() -> None:
    desk = Desk(**ONLY_A)
    message = mail()
    stale = asyncio.Event()
    reading = asyncio.Event()
    due = desk.spool.due

    async def slow_due(now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        found = await due(now, limit, exclude) or ([message] if not stale.is_set() else [])
        reading.set()
        await stale.wait()
        return found

    desk.spool.due = slow_due  # type: ignore[method-assign]
    async with desk.scanning():
        await reading.wait()
        await desk.send(message)
        stale.set()
        await asyncio.sleep(10)
    assert len(desk.transport("a").taken) == 1


@pytest.mark.looptime
async def test_mail_that_found_no_room_is_brought_when_there_is_some() -> None:
    desk = Desk(**ONLY_A)
    desk.queue.active = ActiveSet(messages=2)
    async with desk.scanning():
        for number in range(9):
            await desk.queue.accept(mail(f"m{number}"))
        await asyncio.sleep(20)
    assert desk.spool.messages == {}
    assert len(desk.transport("a").taken) == 9


@pytest.mark.looptime
async def test_deferred_mail_is_brought_back_when_it_falls_due() -> None:
    desk = Desk(queue={"retry": {"initial": 60}}, **ONLY_A)
    desk.script("a", (GREYLISTED,))
    async with desk.scanning():
        await desk.send(mail())
        await asyncio.sleep(20)
        assert len(desk.transport("a").taken) == 1
        desk.clock.advance(100)
        await asyncio.sleep(6)
    assert desk.spool.messages == {}


@pytest.mark.looptime
async def test_mail_that_is_due_before_the_next_look_is_brought_back_in_time() -> None:
    desk = Desk(queue={"retry": {"initial": 1}}, **ONLY_A)
    desk.script("a", (GREYLISTED,))
    async with desk.scanning():
        await asyncio.sleep(1)
        await desk.send(mail())
        desk.clock.advance(1.3)
        await asyncio.sleep(0.2)
    assert desk.spool.messages == {}


def test_memory_is_bounded_by_octets_as_well_as_by_number() -> None:
    active = ActiveSet(messages=100, octets=80)
    assert active.add(mail("m1"))
    assert active.add(mail("m2"))
    assert not active.add(mail("m3"))
    active.discard("m1")
    assert active.add(mail("m3"))


async def test_above_the_watermark_no_more_is_taken() -> None:
    desk = Desk(queue={"high_watermark": 1}, **ONLY_A)
    assert not desk.queue.over_watermark()
    desk.script("a", (GREYLISTED,))
    await desk.send(mail())
    assert desk.queue.over_watermark()


async def test_dead_letters_do_not_count_for_the_watermark() -> None:
    desk = Desk(queue={"high_watermark": 1}, **ONLY_A)
    desk.script("a", (NO_SUCH_USER,))
    await desk.send(mail())
    assert not desk.queue.over_watermark()


async def test_a_failure_is_reported_to_the_sender_where_that_is_configured() -> None:
    desk = Desk(bounces={"mode": "Send"}, **ONLY_A)
    desk.script("a", (NO_SUCH_USER,))
    await desk.send(mail())
    await asyncio.sleep(0.01)
    report = desk.transport("a").taken[-1]
    assert (report.sender, report.recipients) == ("", ("app@example.com",))
    assert desk.tally.bounces == 1


async def test_a_report_is_stored_before_the_dead_letter_so_that_a_crash_between_them_loses_none() -> None:
    desk = Desk(bounces={"mode": "Send"}, **ONLY_A)
    desk.script("a", (NO_SUCH_USER,))
    order: list[str] = []
    accept, update = desk.bouncer.accept, desk.spool.update
    assert accept is not None

    def accepting(message: Message) -> Awaitable[None]:
        order.append("report")
        return accept(message)

    def updating(message: Message, place: Place | None = None) -> "asyncio.Future[None]":
        order.append("dead letter")
        return update(message, place)

    desk.bouncer.accept = accepting
    desk.spool.update = updating  # type: ignore[method-assign]
    await desk.send(mail())
    assert order == ["report", "dead letter"]


async def test_by_default_a_failure_is_only_recorded() -> None:
    desk = Desk(**ONLY_A)
    desk.script("a", (NO_SUCH_USER,))
    kept = await desk.send(mail())
    assert kept is not None
    assert len(desk.transport("a").taken) == 1


async def test_a_report_that_fails_makes_no_further_report() -> None:
    desk = Desk(bounces={"mode": "Send"}, **ONLY_A)
    desk.script("a", (NO_SUCH_USER,), (NO_SUCH_USER,))
    await desk.send(mail())
    await asyncio.sleep(0.01)
    assert len(desk.transport("a").taken) == 2
    assert desk.spool.counts().dead == 2


async def test_after_a_stop_accepted_mail_is_kept_and_not_begun() -> None:
    desk = Desk(**ONLY_A)
    await desk.queue.stop(1)
    await desk.queue.accept(mail())
    assert "m1" in desk.spool.messages
    assert desk.transport("a").taken == []
