"""`POST /v1/drain`: the relay takes no new mail, or takes it again. Token always required.

The operator asks before it takes a replica away, and asks again after a restart, which forgets it.
"""

from collections.abc import Callable

from mailhaul_relay.http.access import Guard
from mailhaul_relay.http.messages import BadRequestError, Request, Response, json_object, to_json
from mailhaul_relay.http.routes import Route


def drain_route(drain: Callable[[bool], None], guard: Guard) -> Route:
    """Give the route; `drain` is told what was asked for."""

    async def handler(request: Request) -> Response:
        asked = json_object(request)
        draining = asked.get("draining")
        if not isinstance(draining, bool) or len(asked) > 1:
            raise BadRequestError('the body must be {"draining": true} or {"draining": false}')
        drain(draining)
        return to_json({"draining": draining})

    return Route("POST", "/v1/drain", guard.always(handler))
