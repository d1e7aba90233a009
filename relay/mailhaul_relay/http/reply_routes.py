"""Replies of providers that no row of the table of replies knows, over HTTP: `/v1/replies`. Token always required.

`mailhaul replies` uses it. docs/replies.md describes it.
"""

from typing import Any

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import BadRequestError, Request, Response, to_json
from mailhaul_relay.http.routes import Route
from mailhaul_relay.policy.unmatched import Kind, Seen
from mailhaul_relay.queue.reply_book import ReplyBook


def reply_routes(book: ReplyBook, guard: Guard) -> tuple[Route, ...]:
    """Give the routes."""

    async def listed(request: Request) -> Response:
        if set(request.query) - {"provider"}:
            raise BadRequestError("the query takes provider only")
        wanted = request.query.get("provider", "")
        return to_json({"replies": [_view(*one) for one in book.listed() if not wanted or one[0] == wanted]})

    return (Route("GET", "/v1/replies", guard.always(listed)),)


def _view(provider: str, kind: Kind, seen: Seen) -> dict[str, Any]:
    return {
        "provider": provider,
        "profile": kind.profile,
        "stage": kind.stage,
        "code": kind.code,
        "enhanced": kind.enhanced,
        "text": kind.text,
        "count": seen.times,
        "firstSeen": seen.first,
        "lastSeen": seen.last,
    }
