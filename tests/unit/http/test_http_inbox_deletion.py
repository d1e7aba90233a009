"""Mail is deleted by the inbox's own page and by programs, one by one or what was seen; never by another's page."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.http_exchange import Answer, ask, serving

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.inbox_routes import inbox_routes
from mailhaul_relay.http.server import HttpServer
from mailhaul_relay.smtpout.inbox import Captured, Inbox
from mailhaul_relay.telemetry.tally import Tally

FORGED: list[dict[str, str]] = [
    {},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1:1.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox(tmp_path)
    for name in ("alice", "bob", "carol"):
        captured = Captured(0, "01habc", 1e9, "catch", "a@example.org", (f"{name}@example.com",), "hi", 0)
        await inbox.store(captured, lambda: b"Subject: hi\r\n\r\n")
    yield inbox
    await inbox.close()


@pytest.fixture
async def server(inbox: Inbox) -> AsyncIterator[HttpServer]:
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: "", Tally()), is_open=True)) as server:
        yield server


async def _keys(inbox: Inbox) -> list[int]:
    return [one.key for one in await inbox.list()]


async def _from_page(server: HttpServer, path: str) -> Answer:
    return await ask(server.port, "POST", path, headers={"Origin": f"http://127.0.0.1:{server.port}"})


@pytest.mark.parametrize("forged", FORGED, ids=str)
@pytest.mark.parametrize("path", ["/inbox/1/delete", "/inbox/delete"])
async def test_a_form_of_another_site_deletes_nothing(
    inbox: Inbox, server: HttpServer, path: str, forged: dict[str, str]
) -> None:
    assert (await ask(server.port, "POST", path, headers=forged)).status == 403
    assert await _keys(inbox) == [3, 2, 1]


@pytest.mark.parametrize("forged", FORGED[1:], ids=str)
@pytest.mark.parametrize("path", ["/inbox/1", "/inbox"])
async def test_a_script_of_another_site_deletes_nothing(
    inbox: Inbox, server: HttpServer, path: str, forged: dict[str, str]
) -> None:
    assert (await ask(server.port, "DELETE", path, headers=forged)).status == 403
    assert await _keys(inbox) == [3, 2, 1]


async def test_no_preflight_of_another_site_is_answered(server: HttpServer) -> None:
    answer = await ask(server.port, "OPTIONS", "/inbox/1", headers={"Origin": "http://evil.example"})
    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_looking_never_deletes(inbox: Inbox, server: HttpServer) -> None:
    for path in ("/inbox/1/delete", "/inbox/delete"):
        assert (await ask(server.port, "GET", path)).status in {404, 405}
    assert await _keys(inbox) == [3, 2, 1]


async def test_the_page_deletes_one_and_goes_back_to_its_list(inbox: Inbox, server: HttpServer) -> None:
    answer = await _from_page(server, "/inbox/2/delete?q=b+o&before=9")
    assert (answer.status, answer.headers["location"]) == (303, "/inbox?q=b+o&before=9")
    assert await _keys(inbox) == [3, 1]


async def test_a_second_click_on_delete_goes_back_as_well(inbox: Inbox, server: HttpServer) -> None:
    for _ in range(2):
        assert (await _from_page(server, "/inbox/2/delete")).status == 303
    assert await _keys(inbox) == [3, 1]


async def test_delete_all_leaves_what_came_after_the_page_was_shown(inbox: Inbox, server: HttpServer) -> None:
    assert (await _from_page(server, "/inbox/delete?upto=2")).status == 303
    assert await _keys(inbox) == [3]


async def test_delete_of_a_search_leaves_the_rest(inbox: Inbox, server: HttpServer) -> None:
    await _from_page(server, "/inbox/delete?q=bob&upto=3")
    assert await _keys(inbox) == [3, 1]


async def test_a_program_deletes_one_and_is_told_when_it_is_gone(inbox: Inbox, server: HttpServer) -> None:
    assert (await ask(server.port, "DELETE", "/inbox/1")).json() == {"deleted": 1}
    assert (await ask(server.port, "DELETE", "/inbox/1")).status == 404
    assert await _keys(inbox) == [3, 2]


async def test_a_program_deletes_all_and_is_told_how_many(inbox: Inbox, server: HttpServer) -> None:
    assert (await ask(server.port, "DELETE", "/inbox")).json() == {"deleted": 3}
    assert await _keys(inbox) == []


async def test_pages_learn_of_each_change_and_of_nothing_else(inbox: Inbox, server: HttpServer) -> None:
    seen = set()
    for method, path in [("GET", "/inbox"), ("DELETE", "/inbox/1"), ("DELETE", "/inbox"), ("DELETE", "/inbox")]:
        await ask(server.port, method, path)
        seen.add((await ask(server.port, "GET", "/inbox/state.json")).json()["version"])
    assert len(seen) == 3
