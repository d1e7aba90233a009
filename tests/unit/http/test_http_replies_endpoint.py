"""Replies that no rule knows over HTTP: the token first, then each kind with its counts."""

from collections.abc import AsyncIterator

import pytest
from tests.support.http_exchange import Answer, ask, bearer, serving
from tests.support.memory_spool import MemorySpool

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.reply_routes import reply_routes
from mailhaul_relay.policy.unmatched import Kind
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.queue.reply_book import ReplyBook
from mailhaul_relay.telemetry.log import Log
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    clock = VirtualClock()
    book = ReplyBook(MemorySpool(), Log(lambda _: None), clock)
    book.saw("main", Kind("ses", "end-of-data", 554, "5.9.9", "quirk of <address>"))
    clock.advance(60)
    book.saw("main", Kind("ses", "end-of-data", 554, "5.9.9", "quirk of <address>"))
    book.saw("backup", Kind("smtp", "rcpt", 550, "", "odd"))
    async with serving(reply_routes(book, Guard(lambda: TOKEN, Tally()))) as server:
        yield server.port
    await book.flush()


async def _ask(port: int, path: str) -> Answer:
    return await ask(port, "GET", path, b"", bearer(TOKEN))


async def test_the_list_needs_the_token(port: int) -> None:
    assert (await ask(port, "GET", "/v1/replies")).status == 401


async def test_each_kind_is_told_with_its_counts(port: int) -> None:
    first, second = (await _ask(port, "/v1/replies")).json()["replies"]
    seen = first.pop("firstSeen"), first.pop("lastSeen")
    assert seen[1] - seen[0] == 60
    assert first == {
        "provider": "main", "profile": "ses", "stage": "end-of-data", "code": 554, "enhanced": "5.9.9",
        "text": "quirk of <address>", "count": 2,
    }  # fmt: skip
    assert (second["provider"], second["count"]) == ("backup", 1)


async def test_one_provider_can_be_asked_for(port: int) -> None:
    (one,) = (await _ask(port, "/v1/replies?provider=backup")).json()["replies"]
    assert one["provider"] == "backup"


async def test_a_wrong_query_is_told(port: int) -> None:
    assert (await _ask(port, "/v1/replies?upstream=main")).status == 400
