"""The inbox over HTTP: what the capture upstreams took, for people and for tests of applications.

It shows mail, so it asks for the token (a browser asks its user for it as a password), or, where `app` says that the
server listens on loopback only, lets everybody in who comes by a loopback name. Without a capture upstream it is 404.
"""

import asyncio
import sqlite3
from collections.abc import Callable

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import BadRequestError, Request, Response, problem, to_json
from mailhaul_relay.http.routes import Handler, Route
from mailhaul_relay.smtpout.inbox import Captured, Inbox

PAGE = 100
_NO_INBOX = "this relay captures no mail; the inbox needs an upstream of type capture"
_NO_MESSAGE = "there is no such message in the inbox; only the newest 1000 are kept"


def inbox_routes(inbox: Callable[[], Inbox | None], guard: Guard, *, is_open: bool = False) -> tuple[Route, ...]:
    """Give the routes. `inbox` gives None while no capture upstream is configured."""
    pages = _Pages(inbox)
    protect = guard.on_loopback if is_open else guard.in_browser
    table: tuple[tuple[str, Handler], ...] = (
        ("/inbox", pages.list),
        ("/inbox/messages.json", pages.listing),
        ("/inbox/{id}", pages.message),
        ("/inbox/{id}/raw", pages.raw),
    )
    return tuple(Route("GET", pattern, protect(_stored(handler))) for pattern, handler in table)


class _Pages:
    """The handlers. What parses mail is imported at the first use: few relays capture."""

    def __init__(self, inbox: Callable[[], Inbox | None]) -> None:
        self._inbox = inbox

    async def list(self, request: Request) -> Response:
        from mailhaul_relay.http.inbox_pages import list_page  # noqa: PLC0415

        inbox = self._inbox()
        return list_page(*await _page(inbox, request)) if inbox else problem(404, _NO_INBOX)

    async def listing(self, request: Request) -> Response:
        from mailhaul_relay.http.inbox_pages import message_json  # noqa: PLC0415

        inbox = self._inbox()
        if inbox is None:
            return problem(404, _NO_INBOX)
        messages, following = await _page(inbox, request)
        return to_json({"messages": [message_json(one) for one in messages], "next": following})

    async def message(self, request: Request) -> Response:
        from mailhaul_relay.http.inbox_pages import message_page  # noqa: PLC0415
        from mailhaul_relay.http.mail_text import readable  # noqa: PLC0415

        found = await self._load(request)
        if isinstance(found, Response):
            return found
        captured, content = found
        return message_page(captured, await asyncio.to_thread(readable, content))

    async def raw(self, request: Request) -> Response:
        from mailhaul_relay.http.inbox_pages import raw_response  # noqa: PLC0415

        found = await self._load(request)
        return found if isinstance(found, Response) else raw_response(*found)

    async def _load(self, request: Request) -> tuple[Captured, bytes] | Response:
        inbox = self._inbox()
        if inbox is None:
            return problem(404, _NO_INBOX)
        key = request.parameter
        found = await inbox.load(int(key)) if key.isdigit() and len(key) <= 18 else None
        return found or problem(404, _NO_MESSAGE)


async def _page(inbox: Inbox, request: Request) -> tuple[tuple[Captured, ...], int]:
    before = request.query.get("before", "0")
    if not (before.isascii() and before.isdigit() and len(before) <= 18):
        raise BadRequestError("before takes the key of a message")
    messages = await inbox.list(PAGE, int(before))
    return messages, messages[-1].key if len(messages) == PAGE else 0


def _stored(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except (OSError, sqlite3.Error):
            return problem(503, "the inbox's file cannot be read; look at the queue's volume")

    return guarded
