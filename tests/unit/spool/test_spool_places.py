"""Places of the spool, on each backend: mail that awaits an upstream is not due, and comes back in turns: those of
givers, and within each of them those of its domains.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.spool.making import NOW, at, message, opened
from tests.unit.spool.test_spool_conformance import BACKENDS

from mailhaul_relay.model.message import Message, Recipient, State
from mailhaul_relay.model.party import giver_of
from mailhaul_relay.spool.database import FILE
from mailhaul_relay.spool.interface import NO_TURNS, LastTurns, Place, Spool

NONE: frozenset[str] = frozenset()
AT_A, AT_B = Place("a", NOW + 100), Place("b", NOW + 200)


@pytest.fixture(params=sorted(BACKENDS))
async def spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spool]:
    async with BACKENDS[request.param](tmp_path / "spool") as made:
        yield made


def given(name: str, client: str, domain: str = "example.com") -> Message:
    one = message(name, at(State.DEFERRED, NOW))
    to = Recipient(f"r@{domain}", f"r@{domain}")
    return replace(one, envelope=replace(one.envelope, client=client, recipients=(to,)))


def last(giver: str = "", *messages: Message) -> LastTurns:
    return LastTurns(giver, {one.envelope.giver: one.envelope.party for one in messages})


async def put(spool: Spool, place: Place | None, *messages: Message) -> None:
    """Accept messages and put one after the other into a place."""
    for one in messages:
        await spool.accept(one)
        await spool.update(one, place)


async def ids(spool: Spool, after: LastTurns = NO_TURNS, limit: int = 10, exclude: frozenset[str] = NONE) -> list[str]:
    return [one.id for one in await spool.waiting("a", after, limit, exclude)]


async def test_a_message_in_a_place_is_due_at_the_end_of_its_time_only(spool: Spool) -> None:
    await put(spool, AT_A, given("m1", "x"))
    assert list(await spool.places()) == ["a"]
    assert await ids(spool) == ["m1"]
    assert await spool.due(NOW + 99, 10, NONE) == []
    assert await spool.next_due(NONE) == NOW + 100
    assert [one.id for one in await spool.due(NOW + 100, 10, NONE)] == ["m1"]


async def test_an_update_without_a_place_takes_a_message_out_of_it(spool: Spool) -> None:
    await put(spool, AT_A, given("m1", "x"))
    await spool.update(given("m1", "x"))
    assert list(await spool.places()) == []
    assert await ids(spool) == []
    assert [one.id for one in await spool.due(NOW, 10, NONE)] == ["m1"]


async def test_a_removed_message_leaves_no_place_behind(spool: Spool) -> None:
    await put(spool, AT_A, given("m1", "x"))
    await spool.remove("m1")
    assert list(await spool.places()) == []
    assert await ids(spool) == []


async def test_each_place_is_named_once_and_gives_its_own_mail(spool: Spool) -> None:
    await put(spool, AT_A, given("m1", "x"), given("m2", "y"))
    await put(spool, AT_B, given("m3", "x"))
    assert sorted(await spool.places()) == ["a", "b"]
    assert [one.id for one in await spool.waiting("b", NO_TURNS, 10, NONE)] == ["m3"]


async def test_givers_have_their_turns_whoever_has_more(spool: Spool) -> None:
    giant = [given(f"g{number}", "giant") for number in range(6)]
    await put(spool, AT_A, *giant, given("s1", "small"), given("t1", "tiny"))
    assert await ids(spool, limit=3) == ["g0", "s1", "t1"]
    assert (await ids(spool, limit=5))[:4] == ["g0", "s1", "t1", "g1"]
    assert await ids(spool, limit=2) == ["g0", "s1"]


async def test_turns_go_on_after_the_giver_that_was_last_and_begin_anew(spool: Spool) -> None:
    ones = [given(f"m{number}", f"c{number}") for number in range(4)]
    await put(spool, AT_A, *ones)
    assert await ids(spool, after=last(ones[1].envelope.giver), limit=2) == ["m2", "m3"]
    assert await ids(spool, after=last(ones[2].envelope.giver), limit=3) == ["m3", "m0", "m1"]
    assert await ids(spool, after=last("zzz"), limit=2) == ["m0", "m1"]


async def test_domains_of_a_giver_have_their_turns_whichever_has_more(spool: Spool) -> None:
    giant = [given(f"g{number}", "app", "giant.example") for number in range(9)]
    await put(spool, AT_A, *giant, given("s1", "app", "small.example"), given("o1", "other", "giant.example"))
    await put(spool, AT_A, given("s2", "app", "small.example"))
    assert await ids(spool, limit=3) == ["g0", "o1", "s1"]
    assert await ids(spool, limit=6) == ["g0", "o1", "s1", "g1", "s2", "g2"]
    assert len(await ids(spool, limit=12)) == 12


async def test_many_domains_are_no_more_turns_for_their_giver(spool: Spool) -> None:
    await put(spool, AT_A, *[given(f"m{number:02}", "sprayer", f"d{number:02}.example") for number in range(20)])
    await put(spool, AT_A, given("s1", "tiny"), given("s2", "tiny"))
    assert await ids(spool, limit=5) == ["m00", "s1", "m01", "s2", "m02"]


async def test_turns_go_on_behind_the_domain_that_was_last_and_begin_anew(spool: Spool) -> None:
    ones = [given(f"m{number}", "app", f"d{number}.example") for number in range(3)]
    await put(spool, AT_A, *ones, given("x1", "x"))
    assert await ids(spool, last("", ones[0]), limit=1) == ["m1"]
    assert await ids(spool, last("", ones[1]), limit=4) == ["m2", "x1", "m0", "m1"]
    assert await ids(spool, last("", ones[2]), limit=1) == ["m0"]
    assert await ids(spool, last(ones[0].envelope.giver, ones[0]), limit=2) == ["x1", "m1"]


async def test_givers_whose_names_begin_alike_are_not_taken_for_one(spool: Spool) -> None:
    """A giver's name may be the beginning of another's; in the order of strings their parties are near each other."""
    await put(spool, AT_A, given("m1", "app", "a.example"), given("m2", "app", "b.example"))
    longer = given("m3", "app", "a.example")
    await put(spool, AT_A, replace(longer, envelope=replace(longer.envelope, from_domain="example.org.uk")))
    assert await ids(spool, limit=3) == ["m1", "m3", "m2"]
    assert await ids(spool, last(longer.envelope.giver, longer), limit=3) == ["m3", "m2", "m1"]


async def test_who_is_named_has_no_turn(spool: Spool) -> None:
    ones = [given("m1", "a", "x.example"), given("m2", "a", "y.example"), given("m3", "b"), given("m4", "c")]
    await put(spool, AT_A, *ones)
    without = frozenset({ones[0].envelope.party, ones[2].envelope.giver})
    assert await ids(spool, LastTurns(without=without)) == ["m2", "m4"]


async def test_due_mail_that_is_lined_up_comes_back_in_turns(spool: Spool) -> None:
    giant = [given(f"g{number}", "app", "giant.example") for number in range(5)]
    await put(spool, None, *giant, given("s1", "app", "small.example"), given("o1", "other"))
    await put(spool, None, message("later", at(State.DEFERRED, NOW + 50)))
    assert await spool.line_up(NOW, AT_A, 100, frozenset({"g0"})) == 6
    assert await ids(spool, limit=4) == ["g1", "o1", "s1", "g2"]
    assert [one.id for one in await spool.due(NOW, 10, NONE)] == ["g0"]
    assert await spool.next_due(frozenset({"g0"})) == NOW + 50
    assert sorted(one.id for one in await spool.due(NOW + 100, 10, NONE)) == [
        *["g0", "g1", "g2", "g3", "g4"],
        *["later", "o1", "s1"],
    ]
    kept = await spool.load("g1")
    assert kept is not None
    assert kept.progress == giant[1].progress, "its own time is as it was"
    await spool.update(giant[1])
    await spool.remove("o1")
    assert await ids(spool, limit=2) == ["g2", "s1"]
    assert spool.counts().deferred == 7


async def test_what_is_lined_up_first_is_the_longest_due(spool: Spool) -> None:
    many = [message(f"m{number:04}", at(State.DEFERRED, NOW - 2000 + number)) for number in range(1200)]
    await asyncio.gather(*[spool.accept(one) for one in many])
    moved = await spool.line_up(NOW, AT_A, 600, NONE)
    assert 600 <= moved <= 1100
    assert await ids(spool, limit=3) == ["m0000", "m0001", "m0002"]
    assert [one.id for one in await spool.due(NOW, 1, NONE)] == [f"m{moved:04}"]
    assert await spool.line_up(NOW, AT_A, 2000, NONE) == 1200 - moved


async def test_mail_in_work_gives_its_turn_to_the_next(spool: Spool) -> None:
    """Else one message that takes long would keep all others of its place back while there is room for one."""
    await put(spool, AT_A, given("m1", "a", "slow.example"), given("m2", "a", "x.example"), given("m3", "b"))
    assert await ids(spool, limit=1, exclude=frozenset({"m1"})) == ["m2"]
    assert await ids(spool, limit=1, exclude=frozenset({"m1", "m2"})) == ["m3"]
    many = [given(f"n{number:03}", "a", "slow.example") for number in range(400)]
    await asyncio.gather(*[done for one in many for done in (spool.accept(one), spool.update(one, AT_A))])
    in_work = frozenset({"m1", "m2", "m3"} | {one.id for one in many[:399]})
    assert await ids(spool, limit=1, exclude=in_work) == ["n399"]


async def test_of_one_party_what_was_updated_last_comes_last(spool: Spool) -> None:
    """Else a message that breaks its session would be the trial of its upstream for ever."""
    ones = [given(f"m{number}", "x") for number in range(3)]
    await put(spool, AT_A, *ones)
    await spool.update(ones[0], AT_A)
    assert await ids(spool) == ["m1", "m2", "m0"]
    assert await ids(spool, exclude=frozenset({"m1"}), limit=1) == ["m2"]


async def test_a_wake_leaves_mail_in_its_place(spool: Spool) -> None:
    later = message("m1", at(State.HELD, NOW + 50))
    await put(spool, AT_A, later)
    await put(spool, None, message("m2", at(State.HELD, NOW + 50)))
    assert await spool.wake(NOW, (State.HELD, State.DEFERRED)) == 1
    kept = await spool.load("m1")
    assert kept is not None
    assert kept.progress == later.progress


async def test_places_are_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, AT_A, given("m1", "x"), given("m2", "y"))
    async with opened(tmp_path) as spool:
        assert list(await spool.places()) == ["a"]
        assert await ids(spool) == ["m1", "m2"]


async def test_a_wake_finds_its_messages_among_many_that_are_not_meant(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        for number in range(2300):
            held = message(f"m{number:04}", at(State.HELD, NOW + 50))
            spool.accept(held)
            if number % 10:
                spool.update(held, AT_A)
        assert await spool.wake(NOW, (State.HELD,)) == 230


async def test_rows_of_a_relay_that_knew_givers_only_have_their_turns_too(tmp_path: Path) -> None:
    ones = [given("m1", "app", "a.example"), given("m2", "app", "b.example"), given("m3", "app", "a.example")]
    async with opened(tmp_path) as spool:
        await put(spool, AT_A, *ones, given("x1", "x"))
    database = sqlite3.connect(tmp_path / FILE)
    with database:
        database.execute("UPDATE message SET giver=? WHERE id='m1'", (giver_of(ones[0].envelope.party),))
    database.close()
    async with opened(tmp_path) as spool:
        assert await ids(spool, limit=4) == ["m1", "x1", "m3", "m2"]


async def test_a_spool_of_a_relay_of_before_is_opened_with_all_its_mail(tmp_path: Path) -> None:
    async with opened(tmp_path) as spool:
        await put(spool, None, given("m1", "x"), given("m2", "y"))
    database = sqlite3.connect(tmp_path / FILE)
    database.executescript(
        "DROP INDEX message_place; ALTER TABLE message DROP COLUMN awaits; ALTER TABLE message DROP COLUMN giver;"
        "ALTER TABLE message DROP COLUMN since; PRAGMA user_version=1"
    )
    database.close()
    async with opened(tmp_path) as spool:
        assert [one.id for one in await spool.due(NOW, 10, NONE)] == ["m1", "m2"]
        assert spool.counts().deferred == 2
        await spool.update(given("m1", "x"), AT_A)
        await spool.accept(given("m3", "x"))
        assert await ids(spool) == ["m1"]
