"""The inbox over HTTP: what the capture upstreams took, for people and for tests of applications.

It shows mail, so it asks for the token (a browser asks its user for it as a password), or, where `app` says that the
server listens on loopback only, lets everybody in who comes by a loopback name. Without a capture upstream it is 404.
The page asks for `state.json` every two seconds: an event stream would hold one of the server's few places for each
open window. docs/inbox.md describes it.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.inbox_search import asked, key_of, number
from mailhaul_relay.http.inbox_views import content_view, message_view
from mailhaul_relay.http.messages import Request, Response, problem, to_json
from mailhaul_relay.http.routes import Handler, Route
from mailhaul_relay.http.same_origin import own_pages_only
from mailhaul_relay.smtpout.inbox import Captured, Inbox

PAGE = 100
_READERS = 2
_NO_INBOX = "this relay captures no mail; the inbox needs an upstream of type capture"
_NO_MESSAGE = "there is no such message in the inbox; only the newest 1000 are kept"
_NO_PART = "the message has no such part"
_LAST_KEY = 2**62

_Page = Callable[[Inbox, Request], Awaitable[Response]]
_Show = Callable[[Captured, bytes], Response]


def inbox_routes(inbox: Callable[[], Inbox | None], guard: Guard, *, is_open: bool = False) -> tuple[Route, ...]:
    """Give the routes. `inbox` gives None while no capture upstream is configured."""
    pages = _Pages()
    protect = guard.on_loopback if is_open else guard.in_browser
    shown: tuple[tuple[str, _Page], ...] = (
        ("/inbox", pages.list),
        ("/inbox/page.js", partial(pages.asset, "page.js")),
        ("/inbox/page.css", partial(pages.asset, "page.css")),
        ("/inbox/state.json", pages.state),
        ("/inbox/messages.json", pages.listing),
        ("/inbox/{id}", pages.message),
        ("/inbox/{id}/message.json", pages.content),
        ("/inbox/{id}/html", pages.html),
        ("/inbox/{id}/part", pages.part),
        ("/inbox/{id}/raw", pages.raw),
    )
    changed: tuple[tuple[str, str, _Page], ...] = (
        ("POST", "/inbox/delete", pages.clear),
        ("POST", "/inbox/{id}/delete", pages.delete),
        ("DELETE", "/inbox", pages.clear),
        ("DELETE", "/inbox/{id}", pages.delete),
    )
    return (
        *(Route("GET", pattern, protect(_stored(inbox, page))) for pattern, page in shown),
        *(Route(verb, pattern, protect(own_pages_only(_stored(inbox, page)))) for verb, pattern, page in changed),
    )


class _Pages:
    """The handlers. What parses and shows mail is imported at the first use, in a thread: few relays capture."""

    def __init__(self) -> None:
        self._readers = asyncio.Semaphore(_READERS)

    async def list(self, inbox: Inbox, request: Request) -> Response:
        wanted, version = asked(request), inbox.version
        found = await inbox.find(wanted.fits, PAGE, wanted.before)

        def show() -> Response:
            from mailhaul_relay.http.inbox_pages import page  # noqa: PLC0415

            return page(found, wanted, version)

        return await asyncio.to_thread(show)

    async def asset(self, name: str, inbox: Inbox, request: Request) -> Response:  # noqa: ARG002 - as all are called
        def show() -> Response:
            from mailhaul_relay.http.inbox_pages import asset  # noqa: PLC0415

            return asset(name)

        return await asyncio.to_thread(show)

    async def state(self, inbox: Inbox, request: Request) -> Response:  # noqa: ARG002 - as all are called
        return to_json({"version": inbox.version})

    async def listing(self, inbox: Inbox, request: Request) -> Response:
        wanted = asked(request)
        found = await inbox.find(wanted.fits, PAGE, wanted.before)
        following = found.messages[-1].key if found.has_more else 0
        return to_json({"messages": [message_view(one) for one in found.messages], "next": following})

    async def message(self, inbox: Inbox, request: Request) -> Response:
        wanted, version, view = asked(request), inbox.version, request.query.get("view", "")
        found = await inbox.find(wanted.fits, PAGE, wanted.before)

        def show(captured: Captured, content: bytes) -> Response:
            from mailhaul_relay.http.inbox_pages import Opened, page  # noqa: PLC0415

            return page(found, wanted, version, Opened.of(captured, content, view))

        shown = await self._read(inbox, request, show)
        if shown is None:
            from mailhaul_relay.http.inbox_pages import page  # noqa: PLC0415

            return await asyncio.to_thread(page, found, wanted, version, is_gone=True)
        return shown

    async def content(self, inbox: Inbox, request: Request) -> Response:
        def show(captured: Captured, content: bytes) -> Response:
            from mailhaul_relay.http.mail_text import readable  # noqa: PLC0415

            return to_json(content_view(captured, readable(content)))

        return await self._shown(inbox, request, show)

    async def html(self, inbox: Inbox, request: Request) -> Response:
        def show(_: Captured, content: bytes) -> Response:
            from mailhaul_relay.http.inbox_pages import mail_page  # noqa: PLC0415
            from mailhaul_relay.http.mail_text import readable  # noqa: PLC0415

            return mail_page(readable(content))

        return await self._shown(inbox, request, show)

    async def part(self, inbox: Inbox, request: Request) -> Response:
        wanted = number(request, "number")

        def show(_: Captured, content: bytes) -> Response:
            from mailhaul_relay.http.inbox_pages import download  # noqa: PLC0415
            from mailhaul_relay.http.mail_text import attachment_of  # noqa: PLC0415

            found = attachment_of(content, wanted)
            return download(found[1], found[0].name) if found else problem(404, _NO_PART)

        return await self._shown(inbox, request, show)

    async def raw(self, inbox: Inbox, request: Request) -> Response:
        def show(captured: Captured, content: bytes) -> Response:
            from mailhaul_relay.http.inbox_pages import download  # noqa: PLC0415

            return download(content, f"{captured.key}.eml", "message/rfc822")

        return await self._shown(inbox, request, show)

    async def delete(self, inbox: Inbox, request: Request) -> Response:
        key = key_of(request.parameter)
        count = int(key is not None and await inbox.delete(key))
        if request.method == "DELETE" and not count:
            return problem(404, _NO_MESSAGE)
        return _changed(request, count)

    async def clear(self, inbox: Inbox, request: Request) -> Response:
        """Delete what the list showed: mail that came since is not deleted unseen."""
        return _changed(request, await inbox.clear(asked(request).fits, number(request, "upto", _LAST_KEY)))

    async def _shown(self, inbox: Inbox, request: Request, show: _Show) -> Response:
        return await self._read(inbox, request, show) or problem(404, _NO_MESSAGE)

    async def _read(self, inbox: Inbox, request: Request, show: _Show) -> Response | None:
        """Show one message, None when it is not there; only so many at once, for each is in memory as a whole."""
        key = key_of(request.parameter)
        async with self._readers:
            found = None if key is None else await inbox.load(key)
            return await asyncio.to_thread(show, *found) if found else None


def _changed(request: Request, count: int) -> Response:
    """A program gets the number; a browser goes back to the list (RFC 9110 section 15.4.4)."""
    if request.method == "DELETE":
        return to_json({"deleted": count})
    return Response(303, headers=(("Location", asked(request).address("/inbox")),))


def _stored(inbox: Callable[[], Inbox | None], page: _Page) -> Handler:
    async def guarded(request: Request) -> Response:
        there = inbox()
        if there is None:
            return problem(404, _NO_INBOX)
        try:
            return await page(there, request)
        except (OSError, sqlite3.Error):
            return problem(503, "the inbox's file cannot be read or written; look at the queue's volume")

    return guarded
