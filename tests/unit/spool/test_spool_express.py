"""A busy relay's batches are one SQL statement; what they leave behind is the same as that of single statements."""

from pathlib import Path

import pytest
from tests.support.queued_mail import dead, held, queued

from mailhaul_relay.model.message import Body, Message
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.spool.interface import NO_TURNS, Place, SpoolError
from mailhaul_relay.spool.sqlite import SqliteSpool
from mailhaul_relay.telemetry.log import Log

SIZES = (0, 1, 4096, 100_000)


def _mail(number: int, size: int) -> Message:
    message = queued(number, head=f"Subject: {number}\r\n\r\n".encode())
    return Message(message.envelope, message.head, Body(size, bytes([number % 256]) * size))


async def _open(directory: Path) -> SqliteSpool:
    return await SqliteSpool.open(directory, Log(lambda _: None), VirtualClock())


@pytest.mark.parametrize("count", [1, 2, 7, 40])
async def test_messages_of_one_batch_keep_their_own_bytes(tmp_path: Path, count: int) -> None:
    spool = await _open(tmp_path)
    mails = [_mail(number, SIZES[number % len(SIZES)]) for number in range(count)]
    for future in [spool.accept(one) for one in mails]:
        await future
    for one in mails:
        loaded = await spool.load(one.id)
        assert loaded is not None
        assert (loaded.head, loaded.body.data, loaded.envelope) == (one.head, one.body.data, one.envelope)
    await spool.close()


async def test_what_comes_and_goes_in_one_batch_leaves_nothing(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    for future in [*(spool.accept(_mail(number, 10)) for number in range(5)), spool.remove(_mail(3, 10).id)]:
        await future
    assert spool.counts().queued == 4
    assert await spool.load(_mail(3, 10).id) is None
    await spool.close()


async def test_counts_hold_when_a_message_changed_between_its_coming_and_going(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    await spool.accept(queued(1))
    await spool.update(queued(1, held()))
    assert (spool.counts().queued, spool.counts().held) == (0, 1)
    await spool.update(queued(1, dead()))
    await spool.remove(queued(1).id)
    assert spool.counts() == type(spool.counts())()
    await spool.close()


async def test_counts_are_those_of_the_database_after_a_restart(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    for future in [spool.accept(_mail(number, 10)) for number in range(30)]:
        await future
    for future in [spool.remove(_mail(number, 10).id) for number in range(0, 30, 3)]:
        await future
    before = spool.counts()
    await spool.close()
    spool = await _open(tmp_path)
    assert spool.counts() == before
    assert before.queued == 20
    await spool.close()


async def test_what_comes_changes_and_goes_in_one_batch_is_as_by_single_statements(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    for number in (1, 2, 3):
        await spool.accept(_mail(number, 10))
    place = Place("epoch up", 1e10)
    changes = [
        spool.update(queued(1, held()), place),
        spool.accept(_mail(4, 20)),
        spool.remove(_mail(2, 10).id),
        spool.update(queued(3, dead())),
        spool.update(queued(9, held())),
    ]
    for one in changes:
        await one
    counts = spool.counts()
    assert (counts.queued, counts.held, counts.dead) == (1, 1, 1)
    assert [one.id for one in await spool.waiting(place.awaits, NO_TURNS, 10, frozenset())] == [queued(1).id]
    kept = await spool.load(queued(1).id)
    assert kept is not None
    assert kept.progress == (held(),)
    assert await spool.load(queued(2).id) is None
    assert await spool.load(queued(9).id) is None
    await spool.close()
    spool = await _open(tmp_path)
    assert spool.counts() == counts
    await spool.close()


async def test_two_changes_of_a_message_in_one_batch_take_place_in_turn(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    await spool.accept(_mail(1, 10))
    changes = [spool.update(queued(1, held())), spool.update(queued(1, dead())), spool.accept(_mail(2, 10))]
    for one in [*changes, spool.update(queued(2, held())), spool.remove(queued(2).id)]:
        await one
    assert (spool.counts().dead, spool.counts().held, spool.counts().queued) == (1, 0, 0)
    await spool.close()


async def test_a_change_that_is_no_unicode_fails_alone(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    for number in (1, 2):
        await spool.accept(_mail(number, 10))
    futures = [spool.update(queued(1, held()), Place("epoch \udcff", 1e10)), spool.update(queued(2, held()))]
    with pytest.raises(SpoolError, match="store this update"):
        await futures[0]
    await futures[1]
    assert (spool.counts().queued, spool.counts().held) == (1, 1)
    await spool.close()


async def test_an_id_that_is_there_already_fails_alone(tmp_path: Path) -> None:
    spool = await _open(tmp_path)
    await spool.accept(_mail(1, 10))
    futures = [spool.accept(_mail(number, 20)) for number in (1, 2, 3)]
    with pytest.raises(Exception, match="store this accept"):
        await futures[0]
    await futures[1]
    await futures[2]
    kept = await spool.load(_mail(1, 10).id)
    assert kept is not None
    assert kept.body.size == 10
    assert spool.counts().queued == 3
    await spool.close()
