"""The history of messages: whole for each message, bounded, there after a restart, and not emptied by a bad hour."""

import asyncio

import pytest
from tests.support.memory_spool import MemorySpool
from tests.support.queued_mail import message_id, queued

from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.chronicle import ENDED, FULL, PAGE, PENDING, UNDER_WAY, Chronicle
from mailhaul_relay.queue.rounds import Batch
from mailhaul_relay.queue.story import SHOWN, Ordered, Story, told
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.log import Log

TAKEN = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=Reply(250, "2.0.0", "taken"))
LATER = Outcome(Verdict.RETRY, Stage.RCPT, Fault.TRANSIENT, Reply(451, "", "später"), remedy="wait")
HEAD = b"Received: from app.example.com ([10.0.0.9])\r\n\tby relay with ESMTP id 1;\r\n\tx\r\nFrom: a@b\r\n\r\n"


class Desk:
    def __init__(self, spool: MemorySpool | None = None) -> None:
        self.spool = spool or MemorySpool()
        self.lines: list[str] = []
        self.clock = VirtualClock()
        self.chronicle = Chronicle(self.spool, Log(self.lines.append), self.clock)

    def add(self, number: int, outcome: Outcome, now: float = 1.0) -> Message:
        message = queued(number, head=HEAD)
        self.chronicle.add(message, _batch(message), Delivery((outcome,), "mx.example.net:25"), now)
        return message


def _batch(message: Message) -> Batch:
    to = tuple(one.final for one in message.envelope.recipients)
    return Batch("up", tuple(range(len(to))), Transmission(message.id, "srs@own.example", to, b"", message.body))


async def test_every_attempt_is_told_in_order_with_where_it_came_from() -> None:
    desk = Desk()
    desk.add(1, LATER, 5.0)
    desk.add(2, TAKEN, 6.0)
    desk.add(1, TAKEN, 9.0)
    story = await desk.chronicle.story(message_id(1))
    assert [(one.time, one.fates[0].verdict, one.fates[0].reply) for one in story.tried] == [
        (5.0, "retry", "451 später"),
        (9.0, "delivered", "250 2.0.0 taken"),
    ]
    assert story.tried[0].sender == "srs@own.example"
    assert story.origins is not None
    assert (story.origins.helo, story.origins.client) == ("app.example.com", "127.0.0.1")
    assert await desk.chronicle.story(message_id(3)) == Story()


async def test_what_was_written_is_there_after_a_restart_and_told_once() -> None:
    desk = Desk()
    desk.add(1, LATER, 5.0)
    await desk.chronicle.flush()
    desk.add(1, TAKEN, 9.0)
    await desk.chronicle.flush()
    before = await desk.chronicle.story(message_id(1))
    assert len(before.tried) == 2
    assert await Desk(desk.spool).chronicle.story(message_id(1)) == before


async def test_a_process_goes_on_behind_the_pages_of_the_one_before() -> None:
    desk = Desk()
    desk.add(1, TAKEN)
    await desk.chronicle.flush()
    after = Desk(desk.spool)
    after.add(2, TAKEN)
    await after.chronicle.flush()
    assert (await after.chronicle.story(message_id(1))).tried
    assert sorted(desk.spool.pages) == [(ENDED, 1), (ENDED, 2)]


async def test_full_pages_are_left_alone() -> None:
    desk = Desk()
    for number in range(PAGE + 3):
        desk.add(number, TAKEN)
    await desk.chronicle.flush()
    assert sorted(desk.spool.pages) == [(ENDED, 1), (ENDED, 2)]
    assert len(desk.spool.pages[ENDED, 1][0]) == PAGE
    for number in (0, PAGE - 1, PAGE, PAGE + 2):
        assert (await desk.chronicle.story(message_id(number))).tried


async def test_retries_do_not_share_a_shelf_with_what_ended() -> None:
    desk = Desk()
    desk.add(1, TAKEN)
    desk.add(2, LATER)
    await desk.chronicle.flush()
    assert sorted(desk.spool.pages) == [(ENDED, 1), (UNDER_WAY, 1)]


async def test_nothing_is_written_while_nothing_happens() -> None:
    desk = Desk()
    await desk.chronicle.flush()
    assert not desk.spool.pages


async def test_a_spool_that_refuses_loses_nothing_and_is_told() -> None:
    desk = Desk()
    desk.add(1, TAKEN)
    desk.spool.fault = SpoolError("full", full=True)
    await desk.chronicle.flush()
    assert any("store-refused" in one for one in desk.lines)
    assert (await desk.chronicle.story(message_id(1))).tried
    desk.spool.fault = None
    await desk.chronicle.flush()
    assert (await Desk(desk.spool).chronicle.story(message_id(1))).tried


async def test_memory_is_bounded_while_nothing_can_be_written() -> None:
    desk = Desk()
    for number in range(PENDING + 5):
        desk.add(number, TAKEN)
    assert not (await desk.chronicle.story(message_id(0))).tried
    assert (await desk.chronicle.story(message_id(PENDING))).tried


async def test_few_of_many_recipients_are_remembered() -> None:
    desk = Desk()
    message = queued(1, to=tuple(f"r{index}@example.net" for index in range(100)))
    desk.chronicle.add(message, _batch(message), Delivery((TAKEN,) * 100), 1.0)
    (tried,) = (await desk.chronicle.story(message.id)).tried
    assert len(tried.fates) == SHOWN


async def test_orders_of_people_are_part_of_the_story() -> None:
    desk = Desk()
    message = desk.add(1, LATER)
    desk.chronicle.note(message, "move", "backup")
    story = await desk.chronicle.story(message.id)
    assert story.ordered == (Ordered(desk.clock(), "move", "backup"),)


@pytest.mark.parametrize("page", [b"", b"2\n[]", b'1\n["m",0', b'1\n["m",0,[],[]]', b'1\n["m",7,1,2]', b"\xff\xfe"])
def test_a_page_that_cannot_be_read_is_left_out(page: bytes) -> None:
    assert told("m", [page]).tried == ()


@pytest.mark.looptime
async def test_much_at_once_is_written_at_once_and_a_refusing_spool_is_not_pestered() -> None:
    desk = Desk()
    task = asyncio.create_task(desk.chronicle.run())
    await asyncio.sleep(0.1)
    for number in range(FULL):
        desk.add(number, TAKEN)
    await asyncio.sleep(0.1)
    assert len(desk.spool.pages) == FULL // PAGE
    desk.spool.fault = SpoolError("full", full=True)
    for number in range(10):
        for _ in range(FULL):
            desk.add(number, TAKEN)
        await asyncio.sleep(0.01)
    assert len([one for one in desk.lines if "store-refused" in one]) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_history_that_cannot_be_read_leaves_what_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.add(1, TAKEN)

    async def refuse(_: str) -> list[bytes]:
        raise SpoolError("damaged")

    monkeypatch.setattr(desk.spool, "pages_about", refuse)
    assert (await desk.chronicle.story(message_id(1))).tried
    assert any("store-refused" in one for one in desk.lines)


class SlowReadingSpool(MemorySpool):
    """Reads the pages, and lets everybody else have their turn before it gives them."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Chronicle | None = None

    async def pages_about(self, id: str) -> list[bytes]:  # noqa: A002
        found = await super().pages_about(id)
        if self.meanwhile:
            await self.meanwhile.flush()
        return found


async def test_a_page_that_is_written_while_somebody_asks_is_not_missing() -> None:
    spool = SlowReadingSpool()
    desk = Desk(spool)
    for number in range(PAGE):
        desk.add(number, TAKEN)
    spool.meanwhile = desk.chronicle
    assert len((await desk.chronicle.story(message_id(1))).tried) == 1
