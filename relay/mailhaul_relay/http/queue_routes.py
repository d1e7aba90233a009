"""The queue commands over HTTP, under `/v1/queue`: requests to orders, answers to responses. Token always required.

Commands on many messages work page by page: the response's `next` goes into the following request's `after`, so that
no request takes long however much is queued. docs/queue.md describes them.
"""

from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from mailhaul_contract.base import Frozen
from mailhaul_contract.refusals import refusals
from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import BadRequestError, Request, Response, json_object, problem, to_json
from mailhaul_relay.http.queue_views import message_view, page_view
from mailhaul_relay.http.routes import Handler, Route
from mailhaul_relay.model.message import State
from mailhaul_relay.queue.commands import MAX_PAGE, QueueCommands
from mailhaul_relay.queue.orders import STORED, Answer, Selection, Tallied
from mailhaul_relay.spool.interface import SpoolError

_T = TypeVar("_T", bound=Frozen)
_Text = Annotated[str, Field(max_length=320)]


class _Retry(Frozen):
    upstream: Annotated[str, Field(max_length=63)] = ""


class _Drop(Frozen):
    pass


class _Many(Frozen):
    """`states` must be named: nobody retries or drops everything by leaving something out."""

    states: Annotated[tuple[State, ...], Field(min_length=1, max_length=4)]
    sender: _Text = ""
    recipient: _Text = ""
    after: Annotated[str, Field(max_length=64)] = ""

    @property
    def selection(self) -> Selection:
        return Selection(frozenset(self.states) & STORED, self.sender, self.recipient)


class _RetryMany(_Many):
    upstream: Annotated[str, Field(max_length=63)] = ""


def queue_routes(commands: QueueCommands, guard: Guard) -> tuple[Route, ...]:
    """Give the routes."""
    handlers = _Handlers(commands)
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/v1/queue", handlers.list),
        ("GET", "/v1/queue/{id}", handlers.show),
        ("POST", "/v1/queue/{id}/retry", handlers.retry),
        ("POST", "/v1/queue/{id}/drop", handlers.drop),
        ("POST", "/v1/queue/retry", handlers.retry_many),
        ("POST", "/v1/queue/drop", handlers.drop_many),
    )
    return tuple(Route(method, pattern, guard.always(_stored(handler))) for method, pattern, handler in table)


class _Handlers:
    def __init__(self, commands: QueueCommands) -> None:
        self._commands = commands

    async def list(self, request: Request) -> Response:
        query = request.query
        unknown = set(query) - {"state", "sender", "recipient", "after", "limit"}
        if unknown:
            raise BadRequestError("the query takes state, sender, recipient, after and limit only")
        selection = Selection(_states(query.get("state", "")), query.get("sender", ""), query.get("recipient", ""))
        page = await self._commands.list(selection, query.get("after", ""), _limit(query.get("limit", "100")))
        return to_json(page_view(page))

    async def show(self, request: Request) -> Response:
        message = await self._commands.show(request.parameter)
        return to_json(message_view(message)) if message else _answer(Answer.GONE)

    async def retry(self, request: Request) -> Response:
        order = _order(request, _Retry)
        return _answer(await self._commands.retry(request.parameter, order.upstream))

    async def drop(self, request: Request) -> Response:
        _order(request, _Drop)
        return _answer(await self._commands.drop(request.parameter))

    async def retry_many(self, request: Request) -> Response:
        order = _order(request, _RetryMany)
        return _tallied(await self._commands.retry_all(order.selection, order.upstream, order.after))

    async def drop_many(self, request: Request) -> Response:
        order = _order(request, _Many)
        return _tallied(await self._commands.drop_all(order.selection, order.after))


def _stored(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except SpoolError:
            return problem(503, "the queue's storage failed, not everything was changed; /healthz says why")

    return guarded


def _answer(answer: Answer) -> Response:
    match answer:
        case Answer.DONE:
            return to_json({"result": answer.value})
        case Answer.GONE:
            return problem(404, "there is no such message in the queue: it was delivered or dropped")
        case Answer.ACTIVE:
            return problem(409, "the message is being delivered now, try again")
        case Answer.NO_SUCH_UPSTREAM:
            return problem(400, "this relay has no such upstream; `/v1/report` lists them")


def _tallied(result: Tallied | Answer) -> Response:
    if isinstance(result, Answer):
        return _answer(result)
    return to_json({"done": result.done, "skipped": result.skipped, "next": result.following})


def _order(request: Request, kind: type[_T]) -> _T:
    try:
        return kind.from_json(json_object(request))
    except ValidationError as error:
        raise BadRequestError("; ".join(map(str, refusals(error)[:5]))) from None


def _states(text: str) -> frozenset[State]:
    if not text:
        return STORED
    try:
        return frozenset(State(one) for one in text.split(",", 8)) & STORED
    except ValueError:
        raise BadRequestError("state takes queued, deferred, held and dead, separated by commas") from None


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_PAGE:
        return int(text)
    raise BadRequestError(f"limit takes a number from 1 to {MAX_PAGE}")
