"""The suppression list over HTTP, under `/v1/suppression`: who is refused and why, add, release. Token always required.

`mailhaul suppression` uses it. Changes count at once; they are stored a moment later. docs/queue.md describes it.
"""

from typing import Annotated, Any

from pydantic import Field

from mailhaul_contract.base import Frozen, Mailbox
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import BadRequestError, Request, Response, problem, to_json
from mailhaul_relay.http.queue_requests import order
from mailhaul_relay.http.routes import Route
from mailhaul_relay.policy.suppression import MAX_WORDS, Record
from mailhaul_relay.queue.suppressor import MOST, Suppressor

MAX_PAGE = 500
MONTH = 2_592_000
_FULL = f"the list is full: {MOST} addresses were added to it by hand; release some, and this one was not added"


class _Add(Frozen):
    """`lasts` is in seconds."""

    address: Mailbox
    lasts: Annotated[int, Field(ge=60, le=31_536_000)] = MONTH
    reason: Annotated[str, Field(max_length=MAX_WORDS)] = ""


class _Release(Frozen):
    addresses: Annotated[tuple[Annotated[str, Field(max_length=320)], ...], Field(min_length=1, max_length=MAX_PAGE)]


def suppression_routes(suppressor: Suppressor, guard: Guard) -> tuple[Route, ...]:
    """Give the routes."""
    handlers = _Handlers(suppressor)
    table = (
        ("GET", "/v1/suppression", handlers.list),
        ("POST", "/v1/suppression", handlers.add),
        ("POST", "/v1/suppression/release", handlers.release),
    )
    return tuple(Route(method, pattern, guard.always(handler)) for method, pattern, handler in table)


class _Handlers:
    def __init__(self, suppressor: Suppressor) -> None:
        self._suppressor = suppressor

    async def list(self, request: Request) -> Response:
        query = request.query
        if set(query) - {"address", "after", "limit"}:
            raise BadRequestError("the query takes address, after and limit only")
        limit = query.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= MAX_PAGE):
            raise BadRequestError(f"limit takes a number from 1 to {MAX_PAGE}")
        found = self._suppressor.listed(query.get("address", ""), query.get("after", ""), int(limit))
        following = found[-1][0] if len(found) == int(limit) else ""
        return to_json({"recipients": [_view(*one) for one in found], "next": following})

    async def add(self, request: Request) -> Response:
        wanted = order(request, _Add)
        if not self._suppressor.add(wanted.address, wanted.reason, wanted.lasts):
            return problem(409, _FULL)
        return to_json({"result": "done"})

    async def release(self, request: Request) -> Response:
        return to_json({"released": self._suppressor.release(order(request, _Release).addresses)})


def _view(address: str, record: Record) -> dict[str, Any]:
    return {
        "address": address,
        "since": record.since,
        "until": record.until,
        "byHand": record.by_hand,
        "failures": len(record.failures),
        "upstream": record.upstream,
        "words": record.words,
    }
