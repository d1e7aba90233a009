"""Who may use an endpoint: the bearer token of the relay's secrets, or nobody asked.

Health, readiness and metrics are open: they hold no mail and no address. Everything else goes through a guard made
here. The token comes in `Authorization`, or in `X-Mailhaul-Token` where a proxy keeps that. It is compared in constant
time and read anew at each request, for secrets change under the process.
"""

import base64
import binascii
import hmac
from collections.abc import Callable

from mailhaul_contract.names import TOKEN_HEADER
from mailhaul_relay.http.messages import Request, Response, problem
from mailhaul_relay.http.routes import Handler
from mailhaul_relay.telemetry.tally import Tally

_CLOSED = "this relay has no API token, so its queue and inbox are closed; add the key api.token to the relay's secrets"
_WRONG = (
    "the API token is missing or wrong; send `Authorization: Bearer TOKEN` (or `X-Mailhaul-Token: TOKEN`) with the"
    " api.token of the relay"
)
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Guard:
    """Wraps handlers so that only the holder of the token reaches them. `token` gives the one of this moment."""

    def __init__(self, token: Callable[[], str], tally: Tally) -> None:
        self._token = token
        self._tally = tally

    def always(self, handler: Handler) -> Handler:
        """Require the token; without one configured nobody gets in (403)."""
        return self._guarded(handler, open_without_token=False, challenge="Bearer")

    def when_configured(self, handler: Handler) -> Handler:
        """Require the token when there is one."""
        return self._guarded(handler, open_without_token=True, challenge="Bearer")

    def in_browser(self, handler: Handler) -> Handler:
        """As `always`, but let a browser ask for the token as the password of any user (HTTP Basic): no token in
        an address, none in a cookie.
        """
        return self._guarded(handler, open_without_token=False, challenge='Basic realm="mailhaul", charset="UTF-8"')

    def on_loopback(self, handler: Handler) -> Handler:
        """Let everybody of this machine in who asks for a loopback name. The Host is looked at since a web page
        elsewhere can point its own name at 127.0.0.1 (DNS rebinding), and the peer is exactly that of loopback since
        a mesh brings strangers from other addresses in 127.0.0.0/8.
        """

        async def guarded(request: Request) -> Response:
            if request.peer not in _LOOPBACK or _host_name(request) not in _LOOPBACK_HOSTS:
                self._tally.http_denied += 1
                return problem(403, "this page is only open on its own machine, under localhost, 127.0.0.1 or [::1]")
            return await handler(request)

        return guarded

    def _guarded(self, handler: Handler, *, open_without_token: bool, challenge: str) -> Handler:
        async def guarded(request: Request) -> Response:
            token = self._token()
            if not token and not open_without_token:
                return problem(403, _CLOSED)
            if token and not _is_presented(request, token):
                self._tally.http_denied += 1
                return problem(401, _WRONG, (("WWW-Authenticate", challenge),))
            return await handler(request)

        return guarded


def _is_presented(request: Request, token: str) -> bool:
    """Whether either header carries the token. A proxy on the way may keep `Authorization`, or put its own there."""
    presented = (_presented(request), request.headers.get(TOKEN_HEADER.lower(), "").strip())
    return any([hmac.compare_digest(one.encode(), token.encode()) for one in presented])  # noqa: C419 - constant time


def _presented(request: Request) -> str:
    """The token of an Authorization header: of Bearer, or the password of Basic. "" when there is none."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return credentials.strip()
        case "basic":
            return _basic_password(credentials.strip())
        case _:
            return ""


def _basic_password(credentials: str) -> str:
    try:
        _, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return password


def _host_name(request: Request) -> str:
    host = request.headers.get("host", "").lower()
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
