"""Slots go to whoever holds the fewest: nobody's slow transmissions keep them all while somebody else waits."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from mailhaul_relay.model.party import party_of
from mailhaul_relay.queue.slots import Slots

pytestmark = pytest.mark.looptime
SLOW, QUICK = 60.0, 1.0
BIG = party_of("app", "giant.example")


@pytest.fixture
async def traffic() -> AsyncIterator["Traffic"]:
    made = Traffic(Slots(8))
    yield made
    for task in made.tasks:
        task.cancel()
    await asyncio.gather(*made.tasks, return_exceptions=True)


class Traffic:
    """Parties that send through slots; `done` counts what each has sent, `most` is what each held at once."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.done: Counter[str] = Counter()
        self.holds: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.tasks: list[asyncio.Task[None]] = []

    def send(self, party: str, count: int, seconds: float) -> None:
        """Let so many transmissions of a party come at once."""
        loop = asyncio.get_running_loop()
        self.tasks += [loop.create_task(self._one(party, seconds)) for _ in range(count)]

    async def _one(self, party: str, seconds: float) -> None:
        await self.slots.take(party)
        try:
            self.holds[party] += 1
            self.most[party] = max(self.most[party], self.holds[party])
            await asyncio.sleep(seconds)
            self.done[party] += 1
        finally:
            self.holds[party] -= 1
            self.slots.give_back(party)


@pytest.mark.parametrize(
    ("slow", "quick"),
    [(BIG, party_of("app", "small.example")), (BIG, party_of("other", "giant.example"))],
    ids=["domain", "giver"],
)
async def test_a_slow_one_never_holds_all_slots_while_another_waits(traffic: Traffic, slow: str, quick: str) -> None:
    traffic.slots.resize(10)
    traffic.send(quick, 2000, QUICK)
    traffic.send(slow, 100, SLOW)
    await asyncio.sleep(300)
    assert traffic.most[slow] == 5
    assert traffic.done[quick] >= 5 * 299 / QUICK


async def test_who_comes_when_a_slow_one_holds_all_slots_has_the_next_ones_until_both_hold_as_many(
    traffic: Traffic,
) -> None:
    traffic.slots.resize(4)
    quick = party_of("app", "small.example")
    for _ in range(4):
        traffic.send(BIG, 1, SLOW)
        await asyncio.sleep(1)
    traffic.send(BIG, 100, SLOW)
    traffic.send(quick, 300, QUICK)
    await asyncio.sleep(SLOW - 4 + 0.5)
    assert (traffic.holds[BIG], traffic.holds[quick]) == (3, 1)
    await asyncio.sleep(1)
    assert (traffic.holds[BIG], traffic.holds[quick]) == (2, 2)
    await asyncio.sleep(100)
    assert (traffic.holds[BIG], traffic.holds[quick]) == (2, 2)


async def test_a_giver_with_many_domains_holds_no_more_than_one_with_a_single_one(traffic: Traffic) -> None:
    traffic.slots.resize(6)
    one = party_of("other", "giant.example")
    for number in range(50):
        traffic.send(party_of("app", f"d{number}.example"), 10, 1.0)
    traffic.send(one, 500, 1.0)
    await asyncio.sleep(30.5)
    assert traffic.holds[one] == 3
    assert traffic.most.total() - traffic.most[one] >= 50, "each of its domains had a slot"


async def test_a_lone_party_has_all_slots(traffic: Traffic) -> None:
    traffic.send(BIG, 100, 1.0)
    await asyncio.sleep(0.5)
    assert traffic.holds[BIG] == 8
    await asyncio.sleep(13)
    assert traffic.done[BIG] == 100


async def test_of_equal_ones_each_has_its_turn_and_each_party_its_own_order() -> None:
    slots, order = Slots(1), list[str]()

    async def one(giver: str, domain: str, name: str) -> None:
        party = party_of(giver, domain)
        await slots.take(party)
        order.append(name)
        slots.give_back(party)

    async with slots:
        names = [("big", "x", f"x{number}") for number in range(3)] + [("big", "y", "y0"), ("other", "x", "o0")]
        names += [("big", "y", "y1"), ("third", "z", "z0"), ("other", "x", "o1")]
        tasks = [asyncio.ensure_future(one(*each)) for each in names]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert order == ["x0", "o0", "z0", "y0", "o1", "x1", "y1", "x2"]


@pytest.mark.parametrize("granted", [False, True], ids=["while it waits", "as it gets its slot"])
async def test_who_gives_up_leaves_the_line_as_it_was(granted: bool) -> None:
    slots, order = Slots(1), list[str]()

    async def one(party: str) -> None:
        await slots.take(party)
        order.append(party)
        slots.give_back(party)

    parties = [party_of(*each) for each in (("a", "x"), ("a", "y"), ("b", "x"))]
    await slots.take(parties[0])
    tasks = [asyncio.ensure_future(one(party)) for party in parties]
    await asyncio.sleep(0)
    if granted:
        slots.give_back(parties[0])
        tasks[2].cancel()
    else:
        tasks[2].cancel()
        await asyncio.sleep(0)
        slots.give_back(parties[0])
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [parties[1], parties[0]]
    await slots.take(parties[2])
    slots.give_back(parties[2])


@pytest.mark.parametrize("fewer", [2, 1])
async def test_fewer_slots_are_shared_out_as_before(traffic: Traffic, fewer: int) -> None:
    small = party_of("app", "small.example")
    traffic.send(BIG, 100, 1.0)
    traffic.send(small, 100, 1.0)
    await asyncio.sleep(0.5)
    assert (traffic.holds[BIG], traffic.holds[small]) == (8, 0)
    traffic.slots.resize(fewer)
    await asyncio.sleep(20)
    assert traffic.holds.total() == fewer
    assert traffic.done[small] == pytest.approx((traffic.done[BIG] - 8), abs=8)
    traffic.slots.resize(8)
    await asyncio.sleep(2.25)
    assert (traffic.holds[BIG], traffic.holds[small]) == (4, 4)


async def test_nothing_is_kept_of_who_has_no_mail_any_more(traffic: Traffic) -> None:
    traffic.slots.resize(2)
    for number in range(100):
        traffic.send(party_of(f"app{number % 7}", f"d{number}.example"), 3, 1.0)
    await asyncio.sleep(0.5)
    for task in traffic.tasks[::5]:
        task.cancel()
    await asyncio.gather(*traffic.tasks, return_exceptions=True)
    kept = vars(traffic.slots) | {"_givers": bool(traffic.slots._givers)}
    assert {name: one for name, one in kept.items() if one} == {"limit": 2}
