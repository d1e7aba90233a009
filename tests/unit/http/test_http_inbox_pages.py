"""The inbox's pages: closed without the token, safe to look at whatever the mail, and true to its bytes."""

import base64
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.support.http_exchange import Answer, ask, bearer, serving

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.inbox_routes import PAGE, inbox_routes
from mailhaul_relay.http.server import HttpServer
from mailhaul_relay.smtpout.inbox import Captured, Inbox
from mailhaul_relay.telemetry.tally import Tally

TOKEN = "canary-token"
PATHS = ["/inbox", "/inbox/messages.json", "/inbox/1", "/inbox/1/raw"]
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;'


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value or "" for name, value in attrs if name in {"href", "src", "action"}}
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    inbox = Inbox(tmp_path)
    yield inbox
    await inbox.close()


@pytest.fixture
async def server(inbox: Inbox) -> AsyncIterator[HttpServer]:
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: TOKEN, Tally()))) as server:
        yield server


async def _store(inbox: Inbox, content: bytes = b"Subject: hi\r\n\r\nhello\r\n", word: str = "hi") -> None:
    await inbox.store(Captured(0, "01habc", 1e9, word, word, (word,), word, 0), lambda: content)


async def _get(server: HttpServer, path: str) -> Answer:
    return await ask(server.port, "GET", path, headers=bearer(TOKEN))


@pytest.mark.parametrize("path", PATHS)
async def test_the_inbox_shows_nothing_without_the_token(inbox: Inbox, server: HttpServer, path: str) -> None:
    await _store(inbox)
    answer = await ask(server.port, "GET", path)
    assert (answer.status, answer.headers["www-authenticate"][:5]) == (401, "basic")
    assert b"hello" not in answer.body


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_gets_in_with_the_token_as_password(inbox: Inbox, server: HttpServer, path: str) -> None:
    await _store(inbox)
    credentials = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    answer = await ask(server.port, "GET", path, headers={"Authorization": f"Basic {credentials}"})
    assert answer.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_an_inbox_on_loopback_may_be_open_but_not_to_other_sites(inbox: Inbox, path: str) -> None:
    await _store(inbox)
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: TOKEN, Tally()), is_open=True)) as server:
        assert (await ask(server.port, "GET", path)).status == 200
        assert (await ask(server.port, "GET", path, headers={"Host": "evil.example"})).status == 403


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_capture_upstream_there_is_no_inbox(path: str) -> None:
    async with serving(inbox_routes(lambda: None, Guard(lambda: TOKEN, Tally()))) as server:
        assert (await _get(server, path)).status == 404


async def test_pages_run_no_script_and_load_nothing(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, f"Subject: {EVIL}\r\nX-{EVIL}: {EVIL}\r\n\r\n{EVIL}".encode(), EVIL)
    for path in ("/inbox", "/inbox/1"):
        answer = await _get(server, path)
        page = Tags(answer.body)
        assert not page.tags & {"script", "img", "iframe", "link", "form", "object", "base"}
        assert all(link.startswith("/inbox") for link in page.links)
        assert "<script>alert(1)</script>" in page.text, "it is shown as the text that it is"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


async def test_html_mail_is_shown_as_source(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, b"Content-Type: text/html\r\n\r\n<script>alert(1)</script>")
    page = Tags((await _get(server, "/inbox/1")).body)
    assert "script" not in page.tags


async def test_the_raw_form_is_the_bytes_as_a_download(inbox: Inbox, server: HttpServer) -> None:
    content = bytes(range(256)) * 1000
    await _store(inbox, content)
    answer = await _get(server, "/inbox/1/raw")
    assert answer.body == content
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_the_listing_for_programs_has_envelope_and_key(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox)
    listing = (await _get(server, "/inbox/messages.json")).json()
    assert listing["next"] == 0
    (row,) = listing["messages"]
    assert (row["key"], row["id"], row["sender"], row["recipients"], row["subject"]) == (
        1,
        "01habc",
        "hi",
        ["hi"],
        "hi",
    )


async def test_a_long_inbox_goes_page_by_page(inbox: Inbox, server: HttpServer) -> None:
    for _ in range(PAGE + 1):
        await _store(inbox)
    first = (await _get(server, "/inbox/messages.json")).json()
    second = (await _get(server, f"/inbox/messages.json?before={first['next']}")).json()
    assert (len(first["messages"]), len(second["messages"]), second["next"]) == (PAGE, 1, 0)
    assert f"/inbox?before={first['next']}" in Tags((await _get(server, "/inbox")).body).links


async def test_an_empty_inbox_says_what_it_is_for(server: HttpServer) -> None:
    assert b"No mail yet" in (await _get(server, "/inbox")).body


@pytest.mark.parametrize("key", ["2", "0", "abc", "9" * 30])
async def test_a_message_that_is_not_there_is_404(inbox: Inbox, server: HttpServer, key: str) -> None:
    await _store(inbox)
    for path in (f"/inbox/{key}", f"/inbox/{key}/raw"):
        assert (await _get(server, path)).status == 404


@pytest.mark.parametrize("before", ["x", "-1", "1" * 40, "%D9%A1"])
async def test_a_wrong_page_is_400(server: HttpServer, before: str) -> None:
    assert (await _get(server, f"/inbox?before={before}")).status == 400


async def test_a_file_that_cannot_be_read_is_503_without_its_name(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "canary")
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: TOKEN, Tally()))) as server:
        answer = await _get(server, "/inbox")
    assert answer.status == 503
    assert b"canary" not in answer.body
    await inbox.close()
