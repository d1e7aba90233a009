"""Mail that no upstream takes waits in its place: it delays nobody, and leaves at once when it may."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.support.queue_desk import journal_of
from tests.support.queueing import DELIVERED, GREYLISTED, LOST_AFTER_DOT, REFUSED_CONNECTION, Desk, mail, upstream

from mailhaul_relay.model.message import Message, State
from mailhaul_relay.queue.active import ActiveSet
from mailhaul_relay.queue.commands import QueueCommands
from mailhaul_relay.queue.orders import Answer, Order, Verb
from mailhaul_relay.queue.patience import LONGEST, SHORTEST, Patience
from mailhaul_relay.spool.interface import LastTurns, SpoolError

TO_A, TO_B = (
    {"name": f"to-{one}", "match": {"recipient_domains": [f"{one}.example"]}, "upstreams": [one]} for one in "ab"
)
TWO: dict[str, Any] = {"upstreams": [upstream("a"), upstream("b")], "routes": [TO_A, TO_B]}
pytestmark = pytest.mark.looptime


class Watched(Desk):
    """A desk that knows what the scanner read from the spool, and what it did not deliver."""

    def __init__(self, **config: Any) -> None:  # noqa: ANN401 - fields of RelayConfig
        super().__init__(**config)
        self.read = 0
        self._due, self._waiting = self.spool.due, self.spool.waiting
        self.spool.due = self.due  # type: ignore[method-assign]
        self.spool.waiting = self.waiting  # type: ignore[method-assign]

    async def due(self, now: float, limit: int, exclude: frozenset[str]) -> list[Message]:
        found = await self._due(now, limit, exclude)
        self.read += len(found)
        return found

    async def waiting(self, awaits: str, last: LastTurns, limit: int, exclude: frozenset[str]) -> Sequence[Message]:
        found = await self._waiting(awaits, last, limit, exclude)
        self.read += len(found)
        return found

    def store(self, *messages: Message) -> None:
        """Put messages into the spool as if they had come before the relay started."""
        self.spool.messages |= {one.id: one for one in messages}


def to(domain: str, count: int, client: str = "10.0.0.1", prefix: str = "") -> list[Message]:
    made = [mail(f"{prefix}{domain}{number:04}", f"r@{domain}.example") for number in range(count)]
    return [replace(one, envelope=replace(one.envelope, client=client)) for one in made]


async def shut(desk: Desk, name: str = "a") -> None:
    """Let an upstream refuse a connection, which opens its breaker for ten seconds."""
    desk.script(name, (REFUSED_CONNECTION,))
    await desk.send(mail("first", f"r@{name}.example"))


async def test_a_backlog_for_a_dead_upstream_is_read_once_and_then_costs_one_trial_at_a_time() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 500))
    async with desk.scanning():
        await asyncio.sleep(60)
        assert desk.read == 500
        assert len(desk.transport("a").taken) == 1
        desk.script("a", (REFUSED_CONNECTION,))
        desk.clock.advance(12)
        await asyncio.sleep(60)
    assert (desk.read, len(desk.transport("a").taken)) == (501, 2)


async def test_what_waits_is_told_why_and_counts_as_deferred() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 3))
    async with desk.scanning():
        await asyncio.sleep(5)
    one = desk.spool.messages["a0000"].progress[0]
    assert (one.state, one.fault, one.attempts) == (State.DEFERRED, "connection", 0)
    assert "a" in one.text
    assert desk.spool.counts().deferred == 4


async def test_the_trial_is_another_message_each_time() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 5, client=""))
    async with desk.scanning():
        for pause in (12, 40, 80):
            desk.script("a", (REFUSED_CONNECTION,))
            await asyncio.sleep(6)
            desk.clock.advance(pause)
        await asyncio.sleep(6)
    tried = [one.id for one in desk.transport("a").taken]
    assert tried == ["first", "first", "a0000", "a0001"]


async def test_when_the_upstream_takes_mail_again_all_of_it_leaves_at_once() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 500))
    async with desk.scanning():
        await asyncio.sleep(60)
        desk.clock.advance(12)
        await asyncio.sleep(8)
    assert desk.spool.messages == {}
    assert len(desk.transport("a").taken) == 502


async def test_stored_mail_for_another_upstream_does_not_wait_behind_the_backlog() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 2000), *to("b", 5))
    async with desk.scanning():
        await asyncio.sleep(60)
        assert len(desk.transport("b").taken) == 5
        read = desk.read
        desk.store(*to("b", 50, prefix="later"))
        desk.queue.kick()
        await asyncio.sleep(0.2)
        assert len(desk.transport("b").taken) == 55
    assert desk.read == read + 50


async def test_under_another_configuration_what_waits_takes_its_other_way_at_once() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 150))
    async with desk.scanning():
        await asyncio.sleep(60)
        desk.reconfigure(upstreams=TWO["upstreams"], routes=[TO_A | {"upstreams": ["b"]}])
        desk.waker.wake()
        await asyncio.sleep(1)
    assert desk.spool.messages == {}
    assert len(desk.transport("b").taken) == 151


async def test_what_waits_expires_when_its_time_is_over() -> None:
    desk = Watched(queue={"expire_after": 3600}, **TWO)
    await shut(desk)
    desk.store(*to("a", 3))
    async with desk.scanning():
        await asyncio.sleep(5)
        desk.ways.way("a").current = replace(desk.ways.way("a").current, next_attempt=desk.clock() + 4000)  # type: ignore[union-attr]
        desk.clock.advance(3601)
        await asyncio.sleep(6)
    assert {one.progress[0].state for one in desk.spool.messages.values()} == {State.DEAD}
    assert len(desk.transport("a").taken) == 1


@pytest.mark.parametrize("order", [Order(Verb.MOVE, upstream="b"), Order(Verb.HOLD), Order(Verb.DROP)], ids=str)
async def test_a_person_takes_a_message_out_of_its_place(order: Order) -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 3))
    journal = journal_of(desk.spool, desk.tally, desk.lines, desk.running, desk.clock)
    commands = QueueCommands(desk.spool, desk.queue, desk.running, journal, desk.clock)
    async with desk.scanning():
        await asyncio.sleep(5)
        assert await commands.one("a0001", order) is Answer.DONE
        await asyncio.sleep(1)
        assert [one.id for one in desk.transport("b").taken] == (["a0001"] if order.verb is Verb.MOVE else [])
        desk.clock.advance(12)
        await asyncio.sleep(20)
    assert list(desk.spool.messages) == (["a0001"] if order.verb is Verb.HOLD else [])
    assert "a0001" not in [one.id for one in desk.transport("a").taken]


async def test_after_a_restart_what_waits_still_waits_and_is_not_read() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 50))
    async with desk.scanning():
        await asyncio.sleep(20)
    again = Watched(**TWO)
    await shut(again)
    again.spool.messages |= desk.spool.messages
    again.spool.places_of |= desk.spool.places_of
    async with again.scanning():
        await asyncio.sleep(20)
        assert again.read == 0
        again.clock.advance(12)
        await asyncio.sleep(8)
    assert again.spool.messages == {}


async def test_small_givers_stored_mail_does_not_wait_behind_a_giants() -> None:
    desk = Watched(upstreams=[upstream("a", connections={"max": 1})])
    desk.queue.active = ActiveSet(messages=20)

    async def slow() -> tuple[Any, ...]:
        await asyncio.sleep(0.5)
        return (DELIVERED,)

    desk.script("a", *[slow] * 400)
    desk.store(*to("a", 300, "giant", prefix="g"), *to("a", 3, "small", prefix="s"))
    async with desk.scanning():
        await asyncio.sleep(160)
    order = [one.id for one in desk.transport("a").taken]
    assert max(order.index(f"sa000{number}") for number in range(3)) < 60
    assert desk.spool.messages == {}


async def test_mail_with_several_ways_waits_for_any_of_them() -> None:
    desk = Watched(upstreams=[upstream("a"), upstream("b", 10)])
    desk.script("a", (REFUSED_CONNECTION,))
    desk.script("b", (REFUSED_CONNECTION,))
    await desk.send(mail("first"))
    desk.store(*to("a", 3))
    async with desk.scanning():
        await asyncio.sleep(5)
        assert [one.partition(" ")[2] for one in await desk.spool.places()] == ["a b"]
        desk.ways.probed(desk.ways.way("b"), None)  # type: ignore[arg-type]
        await asyncio.sleep(1)
    assert desk.spool.messages == {}
    assert len(desk.transport("b").taken) == 5


async def test_mail_that_one_upstream_may_not_send_leaves_as_soon_as_the_other_takes_it() -> None:
    desk = Watched(upstreams=[upstream("a", senders={"domains": ["other.example"]}), upstream("b", 10)])
    desk.script("b", (REFUSED_CONNECTION,))
    await desk.send(mail("first"))
    desk.store(*to("a", 3))
    async with desk.scanning():
        await asyncio.sleep(5)
        assert desk.spool.messages["a0000"].progress[0].fault == "sender"
        desk.ways.probed(desk.ways.way("b"), None)  # type: ignore[arg-type]
        await asyncio.sleep(1)
    assert desk.spool.messages == {}
    assert desk.read == 3 + 4


@pytest.mark.parametrize("answer", [GREYLISTED, LOST_AFTER_DOT])
async def test_what_has_a_time_of_its_own_has_no_place(answer: Any) -> None:  # noqa: ANN401 - an outcome
    desk = Watched(**TWO)
    desk.script("a", (answer,))
    await desk.send(mail("m1", "r@a.example"))
    assert list(await desk.spool.places()) == []


async def test_a_message_is_due_when_one_of_its_recipients_has_a_time_of_its_own() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.script("b", (GREYLISTED,))
    kept = await desk.send(mail("m1", "r@a.example", "r@b.example"))
    assert kept is not None
    assert desk.spool.places_of["m1"].until == kept.progress[1].due
    async with desk.scanning():
        await asyncio.sleep(5)
        desk.clock.advance(12)
        await asyncio.sleep(6)
        assert [one.recipients for one in desk.transport("a").taken[1:]] == [("r@a.example",), ("r@a.example",)]
        assert len(desk.transport("b").taken) == 1, "the other recipient is not tried before its time"


async def test_a_store_that_refuses_a_place_loses_nothing_and_is_asked_again() -> None:
    desk = Watched(**TWO)
    await shut(desk)
    desk.store(*to("a", 3))
    desk.spool.fault = SpoolError("fsync failed")
    async with desk.scanning():
        await asyncio.sleep(2)
        assert len(desk.queue.active) == 0, "nothing stays claimed"
        desk.spool.fault = None
        await asyncio.sleep(20)
        desk.clock.advance(12)
        await asyncio.sleep(8)
    assert desk.spool.messages == {}


async def test_sorting_rests_the_longer_the_busier_the_process_is() -> None:
    loop, used = asyncio.get_running_loop(), 0.0
    patience = Patience(lambda: used)

    async def rest(seconds: float) -> float:
        began = loop.time()
        await patience.rest(seconds)
        return loop.time() - began

    assert await rest(0.004) == pytest.approx(0.192), "it does not know yet, and yields"
    assert await rest(0.010) == pytest.approx(0.030), "the process did nothing else meanwhile"
    patience.busy = 0.5
    assert await rest(0.010) == pytest.approx(0.255)
    assert await rest(0.0) == pytest.approx(SHORTEST)
    patience.busy = 1.0
    assert await rest(9.0) == pytest.approx(LONGEST)
