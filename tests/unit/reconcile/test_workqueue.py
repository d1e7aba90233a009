"""The work queue's promises, in virtual time: once each, never two at a time, none forgotten, none starved."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from mailhaul_operator.reconcile.workqueue import Pace, Turn, Work, WorkQueue
from mailhaul_operator.wire.key import Key

pytestmark = pytest.mark.looptime

A, B, C = (Key("SmtpRelay", "mail", name) for name in "abc")
PACE = Pace(workers=2, settle=0.05, first=1, most=60, longest_pass=30)


@asynccontextmanager
async def running(
    work: Work, ended: Callable[[Turn], None] = lambda _: None, pace: Pace = PACE, chance: float = 0.0
) -> AsyncIterator[WorkQueue]:
    queue = WorkQueue(work, ended, pace, lambda: chance)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class Passes:
    """Remembers when each pass began; takes `seconds` and gives `later`."""

    def __init__(self, seconds: float = 0, later: float | None = None) -> None:
        self.seconds, self.later = seconds, later
        self.begun: list[tuple[float, Key]] = []
        self.at_once = self.most_at_once = 0

    async def __call__(self, key: Key) -> float | None:
        self.begun.append((round(asyncio.get_running_loop().time(), 3), key))
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(self.seconds)
        self.at_once -= 1
        return self.later


async def test_edges_that_come_together_make_one_pass() -> None:
    passes = Passes()
    async with running(passes) as queue:
        for _ in range(100):
            queue.add(A)
        await asyncio.sleep(1)
    assert passes.begun == [(0.05, A)]


async def test_an_edge_during_a_pass_makes_another_one_after_it_and_never_beside_it() -> None:
    passes = Passes(seconds=10)
    async with running(passes) as queue:
        queue.add(A)
        await asyncio.sleep(1)
        queue.add(A)
        queue.add(A)
        await asyncio.sleep(30)
    assert passes.begun == [(0.05, A), (10.05, A)]
    assert passes.most_at_once == 1


async def test_no_more_passes_at_once_than_workers() -> None:
    passes = Passes(seconds=1)
    async with running(passes) as queue:
        for number in range(10):
            queue.add(Key("SmtpRelay", "mail", str(number)))
        await asyncio.sleep(20)
    assert passes.most_at_once == 2
    assert len(passes.begun) == 10


async def test_a_pass_that_wants_to_come_again_does() -> None:
    passes = Passes(later=5)
    async with running(passes) as queue:
        queue.add_after(A, 0)
        await asyncio.sleep(11)
    assert [when for when, _ in passes.begun] == [0, 5, 10]


async def test_a_pass_for_what_is_gone_does_not_come_again() -> None:
    passes = Passes(later=None)
    async with running(passes) as queue:
        queue.add(A)
        await asyncio.sleep(10000)
    assert len(passes.begun) == 1


async def test_the_earlier_of_two_wishes_holds() -> None:
    passes = Passes()
    async with running(passes) as queue:
        queue.add_after(A, 100)
        queue.add_after(A, 10)
        queue.add_after(A, 50)
        await asyncio.sleep(1000)
    assert passes.begun == [(10, A)]


async def test_a_key_that_never_rests_starves_nobody() -> None:
    passes = Passes(seconds=1, later=0)
    async with running(passes, pace=Pace(workers=1)) as queue:
        queue.add(A)
        await asyncio.sleep(0.5)
        queue.add(B)
        queue.add(C)
        await asyncio.sleep(4)
    assert [key for _, key in passes.begun[:4]] == [A, B, C, A]


async def test_an_edge_overtakes_the_backlog_and_so_does_what_its_pass_wants() -> None:
    begun: list[str] = []

    async def work(key: Key) -> float | None:
        begun.append(key.name)
        await asyncio.sleep(1)
        if key.name == "edited":
            queue.add(Key("MailAlias", "mail", "of-edited"))
        elif key.kind == "SmtpRelay":
            queue.add(Key("MailAlias", "mail", "of-all"))
        return None

    async with running(work, pace=Pace(workers=1, settle=0)) as queue:
        for number in range(10):
            queue.add_after(Key("SmtpRelay", "mail", str(number)), 0)
        await asyncio.sleep(1.5)
        queue.add(Key("SmtpRelay", "mail", "edited"))
        await asyncio.sleep(20)
    assert begun[2] == "edited"
    assert begun[4] == "of-edited", "the fourth is that which waited longest"
    assert begun[-1] == "of-all"


async def test_an_edge_on_a_key_that_waits_already_hurries_it() -> None:
    passes = Passes(seconds=1)
    async with running(passes, pace=Pace(workers=1, settle=0)) as queue:
        for number in range(10):
            queue.add_after(Key("SmtpRelay", "mail", str(number)), 0)
        await asyncio.sleep(0.5)
        queue.add(Key("SmtpRelay", "mail", "9"))
        await asyncio.sleep(20)
    names = [key.name for _, key in passes.begun]
    assert names.index("9") == 1
    assert len(names) == 10


async def test_edges_without_end_do_not_starve_the_rest() -> None:
    passes = Passes(seconds=1)
    async with running(passes, pace=Pace(workers=1, settle=0)) as queue:
        queue.add_after(Key("MailAlias", "mail", "last"), 0)
        for number in range(20):
            queue.add(Key("SmtpRelay", "mail", f"{number}"))
        await asyncio.sleep(4.5)
    assert "last" in [key.name for _, key in passes.begun]


async def test_what_no_edge_made_due_goes_by_its_rank() -> None:
    passes = Passes(seconds=1)
    queue = WorkQueue(passes, pace=Pace(workers=1), rank=lambda key: key.kind == "MailAlias")
    task = asyncio.create_task(queue.run())
    for kind in ("MailAlias", "SmtpRelay"):
        for number in range(3):
            queue.add_after(Key(kind, "mail", str(number)), 0)
    await asyncio.sleep(7)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert [key.kind for _, key in passes.begun][:3] == ["SmtpRelay"] * 3


async def test_failures_are_told_and_tried_again_ever_later() -> None:
    begun: list[float] = []
    turns: list[Turn] = []

    async def fail(_: Key) -> float | None:
        begun.append(asyncio.get_running_loop().time())
        raise ValueError("broken")

    async with running(fail, turns.append) as queue:
        queue.add_after(A, 0)
        await asyncio.sleep(200)
    assert begun == [0, 1, 3, 7, 15, 31, 63, 123, 183]
    assert {type(turn.error) for turn in turns} == {ValueError}


async def test_a_success_ends_the_back_off() -> None:
    begun: list[float] = []

    async def fail_twice_then_never(_: Key) -> float | None:
        begun.append(asyncio.get_running_loop().time())
        if len(begun) in {1, 2, 4}:
            raise ValueError("broken")
        return 10

    async with running(fail_twice_then_never) as queue:
        queue.add_after(A, 0)
        await asyncio.sleep(15)
    assert begun == [0, 1, 3, 13, 14]


def test_the_delay_after_failures_has_jitter_and_bounds() -> None:
    pace = Pace(first=1, most=60)
    assert pace.delay(1, 0.999) == pytest.approx(0.5, abs=0.01)
    assert pace.delay(3, 0) == 4
    assert pace.delay(10_000, 0) == 60


async def test_a_pass_that_hangs_is_cut_and_told() -> None:
    turns: list[Turn] = []
    passes = Passes(seconds=10_000)
    async with running(passes, turns.append) as queue:
        queue.add_after(A, 0)
        await asyncio.sleep(29)
        assert queue.longest_running() == 29
        await asyncio.sleep(1.5)
    assert isinstance(turns[0].error, TimeoutError)
    assert turns[0].seconds == 30


async def test_depth_counts_what_waits_for_a_worker() -> None:
    passes = Passes(seconds=10)
    async with running(passes) as queue:
        for key in (A, B, C):
            queue.add(key)
        await asyncio.sleep(1)
        assert queue.depth == 1
        assert queue.longest_running() == pytest.approx(0.95)
        await asyncio.sleep(30)
        assert queue.depth == 0
        assert queue.longest_running() == 0
