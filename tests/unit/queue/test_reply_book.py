"""The list of replies that no rule knows survives a restart and is bounded in providers too."""

import pytest
from tests.support.memory_spool import MemorySpool

from mailhaul_relay.policy.unmatched import Kind
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.reply_book import MOST_PROVIDERS, ReplyBook
from mailhaul_relay.telemetry.log import Log

ODD = Kind("smtp", "rcpt", 550, "", "odd")
QUEER = Kind("smtp", "mail", 451, "", "queer")


def _book(spool: MemorySpool) -> ReplyBook:
    return ReplyBook(spool, Log(lambda _: None), VirtualClock())


@pytest.mark.looptime
async def test_it_survives_a_restart_and_goes_on_counting() -> None:
    spool = MemorySpool()
    one = _book(spool)
    one.saw("main", ODD)
    await one.flush()
    other = _book(spool)
    await other.restore()
    other.saw("main", ODD)
    assert [(provider, kind, seen.times) for provider, kind, seen in other.listed()] == [("main", ODD, 2)]
    await other.flush()


@pytest.mark.looptime
async def test_those_seen_most_often_come_first() -> None:
    book = _book(MemorySpool())
    for provider, kind in (("b", ODD), ("a", QUEER), ("b", ODD), ("a", ODD)):
        book.saw(provider, kind)
    listed = [(provider, kind, seen.times) for provider, kind, seen in book.listed()]
    assert listed == [("b", ODD, 2), ("a", QUEER, 1), ("a", ODD, 1)]
    await book.flush()


@pytest.mark.looptime
async def test_the_provider_heard_least_recently_makes_room_in_memory_and_store() -> None:
    spool = MemorySpool()
    book = _book(spool)
    for number in range(MOST_PROVIDERS):
        book.saw(f"p{number}", ODD)
    book.saw("p0", ODD)
    book.saw("new", ODD)
    await book.flush()
    again = _book(spool)
    await again.restore()
    names = {provider for provider, _, _ in again.listed()}
    assert names == {f"p{number}" for number in range(MOST_PROVIDERS) if number != 1} | {"new"}
