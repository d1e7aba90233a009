"""Orders that a browser gives must come from a page of ours: another site may send a form to this port, too.

`access` says who may ask at all; on loopback that is everybody on this machine, and a browser adds a password by
itself, so neither keeps another site's page from deleting mail. Wraps handlers that change something; never fails.
"""

from mailhaul_relay.http.messages import Request, Response, problem
from mailhaul_relay.http.routes import Handler

_REFUSED = "this order did not come from the inbox's own page; give it there, or with DELETE from a program"


def own_pages_only(handler: Handler) -> Handler:
    """Refuse (403) what a browser sends for another site's page."""

    async def guarded(request: Request) -> Response:
        return await handler(request) if _is_own(request) else problem(403, _REFUSED)

    return guarded


def _is_own(request: Request) -> bool:
    """By `Origin` (RFC 6454), which every browser sends with POST, and `Sec-Fetch-Site` where it is there.

    A program sends neither, and uses DELETE, which a browser sends to another site only after asking that (RFC 9110
    and the CORS preflight), and here nothing answers such a question.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return request.method == "DELETE"
    host = request.headers.get("host", "").lower()
    return bool(host) and origin.lower() in {f"http://{host}", f"https://{host}"}
