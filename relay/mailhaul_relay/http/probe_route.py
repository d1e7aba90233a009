"""The request for a probe: `POST /v1/upstreams/NAME/probe`. It answers at once; the report has the result later.

The token is always required, for a probe logs in at somebody's account. docs/queue.md describes it.
"""

from collections.abc import Callable

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import Request, Response, problem, to_json
from mailhaul_relay.http.routes import Route
from mailhaul_relay.queue.prober import Answer, Asked


def probe_route(ask: Callable[[str], Asked], guard: Guard) -> Route:
    """Give the route over `Prober.ask`."""

    async def handler(request: Request) -> Response:
        return _response(ask(request.parameter))

    return Route("POST", "/v1/upstreams/{name}/probe", guard.always(handler))


def _response(asked: Asked) -> Response:
    match asked.answer:
        case Answer.STARTED:
            return to_json({"result": asked.answer.value}, 202)
        case Answer.UNKNOWN:
            return problem(404, "this relay has no such upstream; `/v1/report` lists them")
        case Answer.CAPTURE:
            return problem(409, "this upstream is the relay's own inbox (Capture): there is nothing to connect to")
        case Answer.TOO_SOON:
            wait = (("Retry-After", str(asked.wait)),)
            return problem(429, f"this upstream was probed a moment ago; ask again in {asked.wait} s", wait)
        case Answer.STOPPING:
            return problem(503, "the relay is stopping; ask another replica")
