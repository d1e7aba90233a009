"""Operations are handed over when the loop is idle, and never wait without a bound."""

import asyncio

from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.spool import gathering
from mailhaul_relay.spool.gathering import Gathering
from mailhaul_relay.spool.operations import Operation, Remove


def _remove(name: str) -> Operation:
    return Remove(asyncio.get_running_loop().create_future(), name)


def _gathering() -> tuple[Gathering, list[list[str]], VirtualClock]:
    handed: list[list[str]] = []
    clock = VirtualClock()

    def take(batch: list[Operation]) -> None:
        handed.append([one.id for one in batch if isinstance(one, Remove)])

    return Gathering(asyncio.get_running_loop(), take, clock), handed, clock


async def test_an_idle_loop_waits_for_no_company() -> None:
    gathered, handed, _ = _gathering()
    gathered.add(_remove("a"))
    await asyncio.sleep(0)
    assert handed == [["a"]]


async def test_what_is_asked_while_the_loop_works_is_one_batch() -> None:
    gathered, handed, clock = _gathering()
    for name in "abc":
        gathered.add(_remove(name))
        clock.advance(2 * gathering.IDLE)
        await asyncio.sleep(0)
    assert handed == []
    await asyncio.sleep(0)
    assert handed == [["a", "b", "c"]]


async def test_a_loop_that_is_never_idle_hands_over_all_the_same() -> None:
    gathered, handed, clock = _gathering()
    gathered.add(_remove("a"))
    for _ in range(3):
        clock.advance(gathering.LONGEST / 2.5)
        await asyncio.sleep(0)
    assert handed == [["a"]]


async def test_a_batch_is_bounded() -> None:
    gathered, handed, _ = _gathering()
    for number in range(gathering.MOST + 1):
        gathered.add(_remove(str(number)))
    assert len(handed[0]) == gathering.MOST
    gathered.flush()
    assert [len(one) for one in handed] == [gathering.MOST, 1]


async def test_nothing_is_handed_over_twice() -> None:
    gathered, handed, _ = _gathering()
    gathered.add(_remove("a"))
    gathered.flush()
    gathered.flush()
    for _ in range(5):
        await asyncio.sleep(0)
    assert handed == [["a"]]
