"""Writes put off to the end of a turn of the loop."""

import asyncio
from typing import Any

from mailhaul_relay.ports.outbox import AT_ONCE, LONELY, Outbox


async def test_what_is_said_in_one_turn_leaves_together_and_in_order() -> None:
    outbox, said = Outbox(), list[str]()
    loop = asyncio.get_running_loop()
    for word in ("one", "two", "three"):
        loop.call_soon(outbox.add, lambda word=word: said.append(word))
    loop.call_soon(lambda: said.append("end of the turn"))
    await asyncio.sleep(0)
    assert said == ["end of the turn"]
    await asyncio.sleep(0)
    assert said == ["end of the turn", "one", "two", "three"]


async def test_a_write_that_fails_silences_no_other() -> None:
    outbox, said, told = Outbox(), list[str](), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def broken() -> None:
        raise RuntimeError("no more writes")

    outbox.add(broken)
    outbox.add(lambda: said.append("heard"))
    outbox.send()
    assert said == ["heard"]
    assert [str(one["exception"]) for one in told] == ["no more writes"]


async def test_what_is_added_while_it_sends_goes_at_the_end_of_the_next_turn() -> None:
    outbox, said = Outbox(), list[str]()
    outbox.add(lambda: outbox.add(lambda: said.append("later")))
    await asyncio.sleep(0)
    assert said == []
    await asyncio.sleep(0)
    assert said == ["later"]


async def test_writes_that_find_no_company_leave_at_once_until_it_is_looked_for_again() -> None:
    outbox, said = Outbox(), list[int]()

    async def add(number: int) -> bool:
        """Tell whether it left at once."""
        outbox.add(lambda: said.append(number))
        at_once = said[-1:] == [number]
        await asyncio.sleep(0)
        return at_once

    found = [await add(number) for number in range(LONELY + AT_ONCE + 1)]
    assert found == [False] * LONELY + [True] * AT_ONCE + [False]
    assert said == list(range(LONELY + AT_ONCE + 1))


async def test_company_once_found_keeps_writes_together() -> None:
    outbox, said = Outbox(), list[int]()
    for _ in range(LONELY - 1):
        outbox.add(lambda: said.append(0))
        await asyncio.sleep(0)
    for number in (1, 2):
        outbox.add(lambda number=number: said.append(number))  # type: ignore[misc]
    await asyncio.sleep(0)
    said.clear()
    outbox.add(lambda: said.append(3))
    assert said == []
    await asyncio.sleep(0)
    assert said == [3]
