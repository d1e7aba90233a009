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
PATHS = [
    "/inbox", "/inbox/messages.json", "/inbox/state.json", "/inbox/page.js", "/inbox/page.css", "/inbox/1",
    "/inbox/1/raw", "/inbox/1/html", "/inbox/1/part?number=0", "/inbox/1/message.json",
]  # fmt: skip
ORDERS = [("POST", "/inbox/delete"), ("POST", "/inbox/1/delete"), ("DELETE", "/inbox"), ("DELETE", "/inbox/1")]
EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}'
HTML_MAIL = (
    b'Subject: hi\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n'
    b'<p>Hello</p><a href="https://shop.example/reset">reset</a><img src="https://spy.example/x.png">\r\n'
    b"--b\r\nContent-Type: text/html; name=evil.html\r\nContent-Disposition: attachment\r\n\r\n<script>1</script>\r\n"
    b"--b--\r\n"
)


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.given: dict[str, dict[str, str | None]] = {}
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.given[tag] = dict(attrs)
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


@pytest.mark.parametrize(("method", "path"), ORDERS)
async def test_nothing_is_deleted_without_the_token(inbox: Inbox, server: HttpServer, method: str, path: str) -> None:
    await _store(inbox)
    assert (await ask(server.port, method, path)).status == 401
    assert len(await inbox.list()) == 1


@pytest.mark.parametrize("path", PATHS)
async def test_a_browser_gets_in_with_the_token_as_password(inbox: Inbox, server: HttpServer, path: str) -> None:
    await _store(inbox)
    credentials = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    answer = await ask(server.port, "GET", path, headers={"Authorization": f"Basic {credentials}"})
    assert answer.status == 200


@pytest.mark.parametrize(("method", "path"), [("GET", path) for path in PATHS] + ORDERS[2:])
async def test_an_inbox_on_loopback_may_be_open_but_not_to_other_sites(inbox: Inbox, method: str, path: str) -> None:
    await _store(inbox)
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: TOKEN, Tally()), is_open=True)) as server:
        assert (await ask(server.port, method, path, headers={"Host": "evil.example"})).status == 403
        assert (await ask(server.port, method, path)).status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_without_a_capture_upstream_there_is_no_inbox(path: str) -> None:
    async with serving(inbox_routes(lambda: None, Guard(lambda: TOKEN, Tally()))) as server:
        assert (await _get(server, path)).status == 404


@pytest.mark.parametrize("path", ["/inbox", "/inbox/1", "/inbox/1?view=headers", "/inbox/1?view=source"])
async def test_a_page_shows_hostile_mail_as_the_text_that_it_is(inbox: Inbox, server: HttpServer, path: str) -> None:
    await _store(inbox, f"Subject: {EVIL}\r\nX-{EVIL}: {EVIL}\r\n\r\n{EVIL}".encode(), EVIL)
    page = Tags((await _get(server, path)).body)
    assert not page.tags & {"img", "object", "base", "embed"}
    assert page.given["script"] == {"src": "/inbox/page.js", "defer": None}
    assert all(link.startswith(("/inbox", "data:,")) for link in page.links)
    assert EVIL.replace("&amp;", "") in page.text.replace("&amp;", "").replace("&", "")


@pytest.mark.parametrize("path", ["/inbox", "/inbox/1"])
async def test_a_page_may_load_from_its_own_relay_only(inbox: Inbox, server: HttpServer, path: str) -> None:
    await _store(inbox)
    policy = (await _get(server, path)).headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'"
    assert set(rules.values()) == {"'none'", "'self'", "data:"}


async def test_html_mail_is_shown_in_a_frame_that_may_do_nothing(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, HTML_MAIL)
    page = Tags((await _get(server, "/inbox/1")).body)
    assert page.given["iframe"]["sandbox"] == ""
    assert page.given["iframe"]["src"] == "/inbox/1/html"
    assert "1 image from elsewhere is not loaded" in page.text


async def test_the_frame_has_no_source_and_no_script_even_in_a_window_of_its_own(
    inbox: Inbox, server: HttpServer
) -> None:
    await _store(inbox, HTML_MAIL)
    answer = await _get(server, "/inbox/1/html")
    rules = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", "sandbox"} <= set(rules)
    assert "frame-ancestors 'self'" in rules
    assert answer.headers["x-dns-prefetch-control"] == "off"
    mail = Tags(answer.body)
    assert mail.links == {"#"}
    assert not mail.tags & {"script", "link", "iframe", "base"}
    assert "Hello" in mail.text


async def test_links_of_a_mail_are_listed_and_not_linked(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, HTML_MAIL)
    page = Tags((await _get(server, "/inbox/1?view=links")).body)
    assert "https://shop.example/reset" in page.text
    assert not [link for link in page.links if "shop" in link]


@pytest.mark.parametrize(
    ("view", "shown"), [("headers", "multipart/mixed"), ("source", "--b--"), ("nonsense", "Hello"), ("html", "Hello")]
)
async def test_each_view_shows_its_part(inbox: Inbox, server: HttpServer, view: str, shown: str) -> None:
    await _store(inbox, HTML_MAIL)
    page = await _get(server, f"/inbox/1?view={view}")
    frame = await _get(server, "/inbox/1/html") if b"<iframe" in page.body else page
    assert shown in Tags(page.body).text + Tags(frame.body).text


async def test_an_attachment_is_a_download_and_never_a_page(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, HTML_MAIL)
    assert "/inbox/1/part?number=1" in Tags((await _get(server, "/inbox/1")).body).links
    answer = await _get(server, "/inbox/1/part?number=1")
    assert answer.body == b"<script>1</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith('attachment; filename="evil.html"')
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Windows\\\\evil.exe", "evil.exe"),
        ('a\\"b\\";x=y.txt', "abx=y.txt"),
        ("..", "part"),
        ("=?utf-8?q?a=0D=0AX:_y?=", "a x: y"),
        ("=?utf-8?b?4oCuZ3BqLmV4ZQ==?=", "gpj.exe"),
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe.txt?=", "gr__e.txt"),
    ],
)
async def test_the_name_of_a_download_is_only_a_name(inbox: Inbox, server: HttpServer, name: str, saved: str) -> None:
    await _store(inbox, f'Content-Type: application/x; name="{name}"\r\n\r\nx'.encode())
    answer = await _get(server, "/inbox/1/part?number=0")
    assert answer.status == 200
    # The test's client gives headers in lower case.
    assert answer.headers["content-disposition"].split('"')[1] == saved


@pytest.mark.parametrize("number", ["1", "99999", "x", "-1"])
async def test_a_part_that_is_not_there_is_refused(inbox: Inbox, server: HttpServer, number: str) -> None:
    await _store(inbox)
    assert (await _get(server, f"/inbox/1/part?number={number}")).status in {400, 404}


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
    wanted = {"key": 1, "id": "01habc", "sender": "hi", "recipients": ["hi"], "subject": "hi"}
    assert {name: row[name] for name in wanted} == wanted


async def test_a_message_for_programs_has_text_links_and_attachments(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox, HTML_MAIL)
    message = (await _get(server, "/inbox/1/message.json")).json()
    assert message["links"] == ["https://shop.example/reset"]
    file = {"number": 1, "name": "evil.html", "type": "text/html", "size": 18, "shown": False}
    assert message["attachments"] == [file]
    assert ["Subject", "hi"] in message["headers"]
    assert message["html"].startswith("<p>Hello</p>")


async def test_a_long_inbox_goes_page_by_page(inbox: Inbox, server: HttpServer) -> None:
    for _ in range(PAGE + 1):
        await _store(inbox)
    first = (await _get(server, "/inbox/messages.json")).json()
    second = (await _get(server, f"/inbox/messages.json?before={first['next']}")).json()
    assert (len(first["messages"]), len(second["messages"]), second["next"]) == (PAGE, 1, 0)
    assert f"/inbox?before={first['next']}" in Tags((await _get(server, "/inbox")).body).links


@pytest.mark.parametrize(
    ("query", "found"),
    [("alice", [1]), ("ALICE@example", [1]), ("order", [2]), ("gr%C3%BC%C3%9Fe", [3]), ("bob+order", [2]), ("eve", [])],
)
async def test_mail_is_found_by_recipient_sender_and_decoded_subject(
    inbox: Inbox, server: HttpServer, query: str, found: list[int]
) -> None:
    for sender, recipient, subject in [
        ("shop@example.org", "alice@example.com", "hello"),
        ("bob@example.org", "carol@example.com", "Your order"),
        ("", "dave@example.com", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
    ]:
        await inbox.store(Captured(0, "01habc", 1e9, "catch", sender, (recipient,), subject, 0), lambda: b"")
    listing = (await _get(server, f"/inbox/messages.json?q={query}")).json()
    assert [one["key"] for one in listing["messages"]] == found
    page = Tags((await _get(server, f"/inbox?q={query}")).body)
    assert (f"{len(found)} of 3" if found else "None of 3") in page.text


@pytest.mark.parametrize("query", ["ann%40m%C3%BCnchen", "M%C3%9CNCHEN.example", "ann%40xn--mnchen-3ya.example"])
async def test_a_recipient_is_found_by_the_domain_that_people_write(
    inbox: Inbox, server: HttpServer, query: str
) -> None:
    one = Captured(0, "01habc", 1e9, "catch", "", ("ann@xn--mnchen-3ya.example",), "", 0)
    await inbox.store(one, lambda: b"")
    assert [one["key"] for one in (await _get(server, f"/inbox/messages.json?q={query}")).json()["messages"]] == [1]


async def test_an_empty_inbox_says_what_it_is_for(server: HttpServer) -> None:
    assert b"No mail yet" in (await _get(server, "/inbox")).body


@pytest.mark.parametrize("key", ["2", "0", "abc", "9" * 30])
async def test_a_message_that_is_not_there_is_404(inbox: Inbox, server: HttpServer, key: str) -> None:
    await _store(inbox)
    for path in (f"/inbox/{key}", f"/inbox/{key}/raw", f"/inbox/{key}/html", f"/inbox/{key}/message.json"):
        assert (await _get(server, path)).status == 404


@pytest.mark.parametrize("query", ["before=x", "before=-1", f"before={'1' * 40}", "before=%D9%A1", f"q={'a' * 201}"])
async def test_a_wrong_page_is_400(server: HttpServer, query: str) -> None:
    assert (await _get(server, f"/inbox?{query}")).status == 400


async def test_a_file_that_cannot_be_read_is_503_without_its_name(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "canary")
    async with serving(inbox_routes(lambda: inbox, Guard(lambda: TOKEN, Tally()))) as server:
        answer = await _get(server, "/inbox")
    assert answer.status == 503
    assert b"canary" not in answer.body
    await inbox.close()


async def test_a_person_who_comes_too_late_still_gets_the_list(inbox: Inbox, server: HttpServer) -> None:
    await _store(inbox)
    answer = await _get(server, "/inbox/2")
    assert answer.status == 404
    page = Tags(answer.body)
    assert "not there any more" in page.text
    assert "/inbox/1" in page.links


@pytest.mark.parametrize("path", PATHS[:2] + PATHS[5:])
async def test_half_characters_of_a_stranger_close_neither_the_list_nor_the_mail(
    inbox: Inbox, server: HttpServer, path: str
) -> None:
    half = "=?utf-7?q?=2B2AA-?="
    content = (
        f"Subject: {half}\r\nX-Other: {half}\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-\r\n"
        "--b\r\nContent-Type: text/html; charset=utf-7\r\n\r\n<p>+2AA-</p>\r\n"
        "--b\r\nContent-Disposition: attachment; filename*=unicode-escape''%5Cud800\r\n\r\nx\r\n--b--\r\n"
    )
    await inbox.store(Captured(0, "01habc", 1e9, "up", "a@b", ("c@d",), half, 0), content.encode)
    assert (await _get(server, path.replace("number=0", "number=2"))).status == 200
