"""The lease's promise: never two that may write, whatever is cut off, frozen or killed; in virtual time."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from mailhaul_operator.serve.lease import Lease, LeaseLost, Record, StoreError, Terms

pytestmark = pytest.mark.looptime

TERMS = Terms(duration=15, deadline=10, retry=2, request=4)


@dataclass
class Stored:
    """The API server's Lease, with optimistic locking."""

    record: Record = field(default_factory=Record)
    writes: list[str] = field(default_factory=list)


@dataclass
class Line:
    """One candidate's way to it, which can be cut."""

    stored: Stored
    fault: str = ""

    async def read(self) -> Record:
        await self._pass()
        return self.stored.record

    async def write(self, holder: str, after: Record) -> Record | None:
        await self._pass()
        if after.version != self.stored.record.version:
            return None
        version = str(int(after.version or "0") + 1)
        changed = holder != after.holder
        self.stored.record = Record(holder, f"at {now()}", after.transitions + changed, version)
        self.stored.writes.append(holder)
        return self.stored.record

    async def _pass(self) -> None:
        await asyncio.sleep(0.01)
        if self.fault == "hangs":
            await asyncio.sleep(3600)
        if self.fault:
            raise StoreError(self.fault)


def now() -> float:
    return asyncio.get_running_loop().time()


def lease(line: Line, identity: str) -> Lease:
    return Lease(line, identity, TERMS, clock=now)


@pytest.fixture
def stored() -> Stored:
    return Stored()


async def test_the_first_takes_it_and_the_second_waits(stored: Stored) -> None:
    first, second = lease(Line(stored), "a"), lease(Line(stored), "b")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(300):
            await second.acquire()
    assert (first.held(), second.held()) == (True, False)
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


@pytest.mark.parametrize("fault", ["hangs", "connection refused"])
async def test_a_holder_that_is_cut_off_stops_before_another_starts(stored: Stored, fault: str) -> None:
    line = Line(stored)
    first, second = lease(line, "a"), lease(Line(stored), "b")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(5)
    line.fault = fault
    while not waiting.done():
        assert not (first.held() and second.held())
        await asyncio.sleep(0.1)
    assert keeping.done()
    with pytest.raises(LeaseLost):
        await keeping
    assert not first.held()
    assert second.held()


async def test_a_holder_that_was_frozen_may_not_write_when_it_wakes(stored: Stored) -> None:
    first, second = lease(Line(stored), "a"), lease(Line(stored), "b")
    await first.acquire()
    await asyncio.sleep(10.1)  # its loop does not turn, so nothing renews
    assert not first.held()
    await second.acquire()
    with pytest.raises(LeaseLost):
        await first.keep()


async def test_a_release_lets_the_next_start_at_once(stored: Stored) -> None:
    first, second = lease(Line(stored), "a"), lease(Line(stored), "b")
    await first.acquire()
    await first.release()
    assert not first.held()
    before = now()
    await second.acquire()
    assert now() - before < 1


async def test_a_killed_holder_is_followed_after_the_duration(stored: Stored) -> None:
    await lease(Line(stored), "a").acquire()
    second = lease(Line(stored), "b")
    before = now()
    await second.acquire()
    assert 15 <= now() - before < 18
    assert stored.record.transitions == 2


async def test_the_same_pod_started_again_takes_it_at_once(stored: Stored) -> None:
    await lease(Line(stored), "a").acquire()
    again = lease(Line(stored), "a")
    before = now()
    await again.acquire()
    assert now() - before < 1


async def test_two_that_race_for_an_expired_lease_are_not_both_holders(stored: Stored) -> None:
    stored.record = Record("gone", "at 0", 1, "7")
    both = [lease(Line(stored), "a"), lease(Line(stored), "b")]
    waiting = [asyncio.create_task(one.acquire()) for one in both]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(1)
    assert sum(one.held() for one in both) == 1
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_a_single_failed_renewal_loses_nothing(stored: Stored) -> None:
    line = Line(stored)
    first = lease(line, "a")
    await first.acquire()
    keeping = asyncio.create_task(first.keep())
    line.fault = "503"
    await asyncio.sleep(5)
    line.fault = ""
    await asyncio.sleep(60)
    assert first.held()
    assert not keeping.done()
    keeping.cancel()
    with suppress(asyncio.CancelledError):
        await keeping


def test_terms_under_which_two_could_act_are_refused() -> None:
    with pytest.raises(ValueError, match="deadline"):
        Lease(Line(Stored()), "a", replace(TERMS, deadline=15), clock=lambda: 0.0)
