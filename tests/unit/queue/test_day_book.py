"""The last 24 hours survive a restart: written once a second at most, and only when mail has ended."""

import asyncio
import json

import pytest
from tests.support.memory_spool import MemorySpool
from tests.support.queueing import Desk, mail

from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.day_book import INTERVAL, KEY, DayBook
from mailhaul_relay.spool.interface import SpoolError
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

HOUR = 3600.0


class Life:
    """One process over a spool: its tally and its day book."""

    def __init__(self, spool: MemorySpool, clock: VirtualClock) -> None:
        self.spool, self.clock, self.tally = spool, clock, Tally()
        self.lines: list[str] = []
        self.book = DayBook(spool, self.tally, Log(self.lines.append), clock)

    def ends(self, delivered: int = 0, failed: int = 0) -> None:
        now = self.clock()
        self.tally.delivered += delivered
        self.tally.failed += failed
        self.tally.delivered_last_day.add(now, delivered)
        self.tally.failed_last_day.add(now, failed)

    @property
    def day(self) -> tuple[int, int]:
        now = self.clock()
        return self.tally.delivered_last_day.total(now), self.tally.failed_last_day.total(now)


async def _next(life: Life) -> Life:
    after = Life(life.spool, life.clock)
    await after.book.restore()
    return after


async def test_a_restart_keeps_the_day_and_goes_on_counting() -> None:
    life = Life(MemorySpool(), VirtualClock())
    life.ends(delivered=5, failed=2)
    await life.book.flush()
    after = await _next(life)
    assert after.day == (5, 2)
    assert (after.tally.delivered, after.tally.failed) == (0, 0), "these are since the start"
    after.ends(delivered=1)
    await after.book.flush()
    assert (await _next(after)).day == (6, 2)


async def test_hours_end_whether_a_process_runs_or_not() -> None:
    life = Life(MemorySpool(), VirtualClock())
    life.ends(delivered=5)
    life.clock.advance(10 * HOUR)
    life.ends(delivered=1)
    await life.book.flush()
    life.clock.advance(13 * HOUR)
    assert (await _next(life)).day == (6, 0)
    life.clock.advance(HOUR)
    assert (await _next(life)).day == (1, 0)
    life.clock.advance(10 * HOUR)
    assert (await _next(life)).day == (0, 0)


async def test_hours_of_a_clock_that_went_wrong_are_not_of_the_day() -> None:
    life = Life(MemorySpool(), VirtualClock())
    life.clock.advance(1000 * HOUR)
    life.ends(delivered=5)
    await life.book.flush()
    life.clock.advance(-1000 * HOUR)
    assert (await _next(life)).day == (0, 0)


@pytest.mark.looptime
async def test_it_is_written_once_an_interval_at_most_and_not_at_all_while_nothing_ends() -> None:
    life = Life(MemorySpool(), VirtualClock())
    written: list[str] = []
    remember = life.spool.remember

    async def noted(key: str, value: object) -> None:
        written.append(key)
        await remember(key, value)  # type: ignore[arg-type]

    life.spool.remember = noted  # type: ignore[method-assign]
    task = asyncio.get_running_loop().create_task(life.book.run())
    for _ in range(100):
        life.ends(delivered=1)
        await asyncio.sleep(INTERVAL / 50)
    await asyncio.sleep(10 * INTERVAL)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert written == [KEY] * len(written)
    assert 2 <= len(written) <= 3
    assert (await _next(life)).day == (100, 0)


async def test_a_store_that_refuses_is_told_once_and_asked_again() -> None:
    life = Life(MemorySpool(), VirtualClock())
    life.ends(delivered=3)
    life.spool.fault = SpoolError("no space left", full=True)
    await life.book.flush()
    await life.book.flush()
    assert [json.loads(line)["event"] for line in life.lines] == ["store-refused"]
    life.spool.fault = None
    await life.book.flush()
    assert (await _next(life)).day == (3, 0)


async def test_what_cannot_be_read_is_forgotten() -> None:
    spool = MemorySpool()
    for stored in ({}, {"delivered": 7}, {"delivered": {"x": 1}}, {"delivered": {"497222": "many"}, "failed": []}):
        await spool.remember(KEY, stored)
        assert (await _next(Life(spool, VirtualClock()))).day == (0, 0)


async def test_what_the_queue_delivers_is_in_it() -> None:
    desk = Desk()
    await desk.send(mail("m1"))
    book = DayBook(desk.spool, desk.tally, desk.log, desk.clock)
    await book.flush()
    after = Life(desk.spool, desk.clock)
    await after.book.restore()
    assert after.day == (1, 0)
