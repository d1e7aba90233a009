"""The queue commands over HTTP, under `/v1/queue`: requests to orders, answers to responses. Token always required.

Commands on many messages work page by page: the response's `next` goes into the following request's `after`, so that
no request takes long however much is queued. `queue_requests` reads what a request says. docs/queue.md describes them.
"""

from functools import partial

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.export import pieces
from mailhaul_relay.http.messages import Request, Response, problem, to_json
from mailhaul_relay.http.queue_requests import Many, MoveOne, One, RetryOne, many, order, page_asked
from mailhaul_relay.http.queue_views import message_view, page_view
from mailhaul_relay.http.routes import Handler, Route
from mailhaul_relay.ports.clock import Clock
from mailhaul_relay.queue.commands import QueueCommands
from mailhaul_relay.queue.orders import Answer, Order, Tallied, Verb
from mailhaul_relay.spool.interface import SpoolError


def queue_routes(commands: QueueCommands, clock: Clock, guard: Guard) -> tuple[Route, ...]:
    """Give the routes."""
    handlers = _Handlers(commands, clock)
    table: list[tuple[str, str, Handler]] = [
        ("GET", "/v1/queue", handlers.list),
        ("GET", "/v1/queue/{id}", handlers.show),
        ("GET", "/v1/queue/{id}/raw", handlers.raw),
    ]
    for verb in Verb:
        table.append(("POST", f"/v1/queue/{{id}}/{verb.value}", partial(handlers.one, verb)))
        table.append(("POST", f"/v1/queue/{verb.value}", partial(handlers.many, verb)))
    return tuple(Route(method, pattern, guard.always(stored(handler))) for method, pattern, handler in table)


class _Handlers:
    def __init__(self, commands: QueueCommands, clock: Clock) -> None:
        self._commands, self._clock = commands, clock

    async def list(self, request: Request) -> Response:
        asked = page_asked(request, self._clock())
        return to_json(page_view(await self._commands.list(asked.selection, asked.after, asked.limit)))

    async def show(self, request: Request) -> Response:
        message = await self._commands.show(request.parameter)
        return to_json(message_view(message)) if message else _answer(Verb.RETRY, Answer.GONE)

    async def raw(self, request: Request) -> Response:
        """The message as a file, piece by piece."""
        message = await self._commands.show(request.parameter)
        if message is None:
            return _answer(Verb.RETRY, Answer.GONE)
        headers = (("Content-Disposition", f'attachment; filename="{message.id}.eml"'),)
        return Response(200, content_type="message/rfc822", headers=headers, pieces=pieces(message))

    async def one(self, verb: Verb, request: Request) -> Response:
        wanted, given = _order_of_one(verb, request)
        return _answer(verb, await self._commands.one(request.parameter, given, dry=wanted.dry_run))

    async def many(self, verb: Verb, request: Request) -> Response:
        wanted: Many = many(verb, request)
        selection, given = wanted.selection(self._clock()), Order(verb, wanted.upstream)
        act = self._commands.count if wanted.dry_run else self._commands.many
        return _tallied(verb, await act(selection, given, wanted.after))


def _order_of_one(verb: Verb, request: Request) -> tuple[One, Order]:
    match verb:
        case Verb.RETRY:
            retry = order(request, RetryOne)
            return retry, Order(verb, retry.upstream)
        case Verb.MOVE:
            move = order(request, MoveOne)
            return move, Order(verb, move.upstream)
        case _:
            return order(request, One), Order(verb)


def stored(handler: Handler) -> Handler:
    """Answer 503 where the store fails."""

    async def guarded(request: Request) -> Response:
        try:
            return await handler(request)
        except SpoolError:
            return problem(503, "the queue's storage failed, not everything was changed; /healthz says why")

    return guarded


def _answer(verb: Verb, answer: Answer) -> Response:
    match answer:
        case Answer.DONE:
            return to_json({"result": answer.value})
        case Answer.GONE:
            return problem(404, "there is no such message in the queue: it was delivered or dropped")
        case Answer.ACTIVE:
            return problem(409, "the message is being delivered now, try again")
        case Answer.NOTHING:
            return problem(409, _NOTHING[verb])
        case Answer.NO_SUCH_UPSTREAM:
            return problem(400, "this relay has no such upstream; `/v1/report` lists them")


_NOTHING = {
    Verb.RETRY: "nobody in the message is left to be tried",
    Verb.HOLD: "nothing of the message waits, or all of it is on hold already",
    Verb.RELEASE: "nothing of the message is on hold; `retry` makes other mail due",
    Verb.MOVE: "nothing of the message waits; a dead letter gets a new life with `retry` and its `upstream`",
    Verb.BOUNCE: "nothing of the message waits; a dead letter is failed mail already",
    Verb.DROP: "nothing of the message can be dropped",
}


def _tallied(verb: Verb, result: Tallied | Answer) -> Response:
    if isinstance(result, Answer):
        return _answer(verb, result)
    return to_json({"done": result.done, "skipped": result.skipped, "next": result.following})
