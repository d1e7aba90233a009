"""What every spool must do, whatever it stores in: run on each backend, and on the fake that other tests use.

A new backend adds itself to `BACKENDS`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.support.memory_spool import MemorySpool
from tests.unit.spool.making import HEAD, NOW, at, content, message, opened, received

from mailhaul_relay.model.message import Body, Progress, State
from mailhaul_relay.spool.interface import Counts, Narrowed, Spool

NONE: frozenset[str] = frozenset()


@asynccontextmanager
async def _memory(_: Path) -> AsyncIterator[Spool]:
    spool = MemorySpool()
    yield spool
    await spool.close()


BACKENDS: dict[str, Callable[[Path], AbstractAsyncContextManager[Spool]]] = {"sqlite": opened, "memory": _memory}


@pytest.fixture(params=sorted(BACKENDS))
async def spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spool]:
    async with BACKENDS[request.param](tmp_path / "spool") as made:
        yield made


@pytest.mark.parametrize("size", [0, 7, 1000, 1001, 300_000])
async def test_an_accepted_message_is_given_back_byte_for_byte(spool: Spool, size: int) -> None:
    data = bytes(i * 7 % 256 for i in range(size))
    given = message("a", body=received(spool, data[:500], data[500:]))
    await spool.accept(given)
    stored = await spool.load("a")
    assert stored is not None
    assert (stored.envelope, stored.head, stored.progress) == (given.envelope, HEAD, given.progress)
    assert stored.body.size == size
    assert content(stored.body) == data


async def test_a_body_made_elsewhere_is_stored_too(spool: Spool) -> None:
    await spool.accept(message("bounce", body=Body(50_000, b"x" * 50_000)))
    stored = await spool.load("bounce")
    assert stored is not None
    assert content(stored.body) == b"x" * 50_000


async def test_discarding_a_body_after_its_acceptance_is_harmless(spool: Spool) -> None:
    writer = spool.new_body()
    writer.write(b"y" * 5000)
    accepted = spool.accept(message("a", body=writer.finish()))
    writer.discard()
    await accepted
    writer.discard()
    stored = await spool.load("a")
    assert stored is not None
    assert content(stored.body) == b"y" * 5000


async def test_a_writer_counts_what_was_written(spool: Spool) -> None:
    writer = spool.new_body()
    for expected in (700, 1400, 2100):
        writer.write(b"z" * 700)
        assert writer.size == expected
    writer.discard()
    writer.discard()


async def test_an_update_changes_progress_alone(spool: Spool) -> None:
    given = message("a", Progress(), Progress())
    await spool.accept(given)
    failed = Progress(State.DEFERRED, NOW + 60, 1, 1, "ses", "ses", "data", "throttle", 454, "4.7.0 Später", NOW)
    await spool.update(given.with_progress({1: failed}))
    assert await spool.load("a") == given.with_progress({1: failed})


async def test_a_removed_message_is_gone(spool: Spool) -> None:
    await spool.accept(message("a"))
    await spool.remove("a")
    assert await spool.load("a") is None
    assert await spool.due(NOW, 10, NONE) == []
    assert spool.counts() == Counts()


async def test_removing_what_is_gone_is_harmless(spool: Spool) -> None:
    await spool.remove("never")
    assert await spool.load("never") is None


async def test_operations_on_one_message_keep_their_order(spool: Spool) -> None:
    given = message("a")
    last = given.with_progress({0: at(State.HELD, NOW + 2)})
    await asyncio.gather(
        spool.accept(given), spool.update(given.with_progress({0: at(State.DEFERRED, NOW + 1)})), spool.update(last)
    )
    assert await spool.load("a") == last
    await asyncio.gather(spool.update(given), spool.remove("a"))
    assert await spool.load("a") is None
    assert spool.counts() == Counts()


async def test_due_gives_the_longest_due_first(spool: Spool) -> None:
    for name, due in (("a", NOW - 1), ("b", NOW - 3), ("c", NOW), ("d", NOW + 1)):
        await spool.accept(message(name, at(State.DEFERRED, due)))
    assert [one.id for one in await spool.due(NOW, 10, NONE)] == ["b", "a", "c"]


async def test_due_keeps_to_its_limit_and_leaves_out_what_is_excluded(spool: Spool) -> None:
    for number in range(6):
        await spool.accept(message(f"m{number}", at(State.DEFERRED, NOW - 10 + number)))
    found = await spool.due(NOW, 2, frozenset({"m0", "m2"}))
    assert [one.id for one in found] == ["m1", "m3"]
    assert await spool.due(NOW, 0, NONE) == []


async def test_a_message_is_due_when_its_earliest_open_recipient_is(spool: Spool) -> None:
    await spool.accept(message("a", at(State.DEFERRED, NOW + 9), at(State.HELD, NOW - 1), at(State.DELIVERED)))
    await spool.accept(message("b", at(State.DEFERRED, NOW + 9), at(State.DEAD, NOW - 5), at(State.DELIVERED)))
    assert [one.id for one in await spool.due(NOW, 10, NONE)] == ["a"]


async def test_dead_letters_are_never_due(spool: Spool) -> None:
    await spool.accept(message("a", at(State.DEAD, NOW - 1)))
    assert await spool.due(NOW, 10, NONE) == []
    assert await spool.next_due(NONE) is None


async def test_next_due_is_of_the_first_that_is_not_excluded(spool: Spool) -> None:
    assert await spool.next_due(NONE) is None
    await spool.accept(message("a", at(State.DEFERRED, NOW + 5)))
    await spool.accept(message("b", at(State.HELD, NOW + 7)))
    assert await spool.next_due(NONE) == NOW + 5
    assert await spool.next_due(frozenset({"a"})) == NOW + 7
    assert await spool.next_due(frozenset({"a", "b"})) is None


async def test_list_goes_on_after_an_id_in_order_of_ids(spool: Spool) -> None:
    for name in ("c", "a", "d", "b"):
        await spool.accept(message(name))
    first = await spool.list([State.QUEUED], "", 2)
    assert [one.envelope.id for one in first] == ["a", "b"]
    rest = await spool.list([State.QUEUED], "b", 10)
    assert [one.envelope.id for one in rest] == ["c", "d"]


async def test_list_gives_messages_with_any_recipient_in_a_state(spool: Spool) -> None:
    both = message("both", at(State.QUEUED), at(State.DEAD))
    await spool.accept(both)
    await spool.accept(message("held", at(State.HELD)))
    dead = await spool.list([State.DEAD], "", 10)
    assert [(one.envelope, one.progress) for one in dead] == [(both.envelope, both.progress)]
    assert {one.envelope.id for one in await spool.list([State.HELD, State.QUEUED], "", 10)} == {"both", "held"}
    assert await spool.list([], "", 10) == []


async def test_wake_makes_open_recipients_in_these_states_due(spool: Spool) -> None:
    await spool.accept(message("a", at(State.HELD, NOW + 100), at(State.DEFERRED, NOW + 200)))
    await spool.accept(message("b", at(State.DEFERRED, NOW + 100)))
    await spool.accept(message("c", at(State.DEAD, NOW + 100)))
    assert await spool.wake(NOW, [State.HELD]) == 1
    (woken,) = await spool.due(NOW, 10, NONE)
    assert [(one.state, one.due) for one in woken.progress] == [(State.HELD, NOW), (State.DEFERRED, NOW + 200)]


async def test_wake_leaves_those_alone_that_are_not_meant(spool: Spool) -> None:
    await spool.accept(message("a", at(State.DEFERRED, NOW + 100), at(State.DEFERRED, NOW + 200)))
    await spool.accept(message("b", at(State.DEFERRED, NOW + 100), at(State.DEFERRED, NOW + 100)))
    assert await spool.wake(NOW, [State.DEFERRED], lambda one: one.due > NOW + 100) == 1
    (woken,) = await spool.due(NOW, 10, NONE)
    assert (woken.id, [one.due for one in woken.progress]) == ("a", [NOW + 100, NOW])


async def test_wake_reaches_every_message_of_a_long_queue(spool: Spool) -> None:
    await asyncio.gather(*(spool.accept(message(f"m{i:03}", at(State.HELD, NOW + 100))) for i in range(450)))
    assert await spool.wake(NOW, [State.HELD, State.DEAD]) == 450
    assert len(await spool.due(NOW, 1000, NONE)) == 450


async def test_counts_tell_each_message_by_its_most_hopeful_recipient(spool: Spool) -> None:
    await spool.accept(message("a", at(State.DEAD), at(State.HELD), accepted=NOW - 30))
    await spool.accept(message("b", at(State.DEFERRED), at(State.HELD), accepted=NOW - 40))
    await spool.accept(message("c", accepted=NOW))
    await spool.accept(message("d", at(State.DEAD), accepted=NOW - 90))
    assert spool.counts() == Counts(queued=1, deferred=1, held=1, dead=1, oldest=NOW - 40)


async def test_counts_follow_updates_and_removals(spool: Spool) -> None:
    first, second = message("a", accepted=NOW - 40), message("b", accepted=NOW - 30)
    await spool.accept(first)
    await spool.accept(second)
    await spool.update(first.with_progress({0: at(State.DEAD)}))
    assert spool.counts() == Counts(queued=1, dead=1, oldest=NOW - 30)
    await spool.remove("b")
    assert spool.counts() == Counts(dead=1)


async def test_what_is_remembered_is_the_last_word(spool: Spool) -> None:
    await spool.remember("breaker/ses", {"open": True})
    await spool.remember("breaker/ses", {"open": False, "until": 1.5})
    await spool.remember("breaker/gmail", {})
    assert await spool.remembered() == {"breaker/ses": {"open": False, "until": 1.5}, "breaker/gmail": {}}


async def test_a_healthy_spool_passes_its_check(spool: Spool) -> None:
    await spool.check()


async def test_mail_on_hold_is_held_but_neither_woken_nor_old(spool: Spool) -> None:
    on_hold = Progress(State.HELD, NOW + 900, fault="operator")
    await spool.accept(message("a", on_hold, accepted=NOW - 500))
    await spool.accept(message("b", on_hold, Progress(State.DEAD), accepted=NOW - 400))
    await spool.accept(message("c", on_hold, at(State.HELD, NOW + 900), accepted=NOW - 300))
    counts = spool.counts()
    assert (counts.held, counts.on_hold, counts.dead, counts.oldest) == (3, 2, 0, NOW - 300)
    assert [one.envelope.id for one in await spool.list([State.HELD], "", 9)] == ["a", "b", "c"]
    assert await spool.wake(NOW, [State.HELD]) == 1
    stored = await spool.load("c")
    assert stored is not None
    assert [one.due for one in stored.progress] == [NOW + 900, NOW]


async def test_pages_are_found_by_the_ids_that_they_were_kept_with(spool: Spool) -> None:
    assert await spool.last_page("one") == 0
    await spool.keep_page("one", 1, ["a", "b"], b"first", 1000)
    await spool.keep_page("two", 1, ["b"], b"other", 1000)
    await spool.keep_page("one", 2, ["c"], b"second", 1000)
    await spool.keep_page("one", 2, ["c", "b"], b"second anew", 1000)
    assert sorted(await spool.pages_about("b")) == [b"first", b"other", b"second anew"]
    assert await spool.pages_about("ab") == []
    assert await spool.last_page("one") == 2


async def test_a_narrowed_list_leaves_out_what_came_at_another_time(spool: Spool) -> None:
    for number in range(4):
        await spool.accept(message(f"m{number}", accepted=NOW + number))
    found = await spool.list([State.QUEUED], "", 9, Narrowed(("to0@example",), NOW + 1, NOW + 2))
    assert [one.envelope.id for one in found] == ["m1", "m2"]
