"""Asks a relay for its report over HTTP, bounded in time and size.

Used by `up` for its table and by `mailhaul status`; the token comes from the assembled Secret. Failures are values: a
relay that cannot be asked, refuses the token or answers nonsense is `Unreachable`, with cause and remedy in words.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import h11
from pydantic import ValidationError

from mailhaul_contract.report import RelayReport
from mailhaul_operator.wire.http import Request, ask

MAX_REPORT: Final = 8 * 1024 * 1024
"""Bytes of an answer; 50 000 aliases are about 5 MB."""
TIMEOUT: Final = 3.0
"""Seconds for the whole exchange."""
PATH: Final = "/v1/report"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a relay's report is: `http://host:port`, and the token that opens it ("" when there is none)."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    tls: bool = False

    @property
    def url(self) -> str:
        """The base address for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """There is no report. `cause` and `remedy` are for people."""

    cause: str
    remedy: str


def endpoint_of(url: str, token: str) -> Endpoint:
    """Parse `http://host:port`, with or without a path. Raises ValueError with a reason."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("the address must look like http://127.0.0.1:9090")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address must hold no credential; give the token with --token-file")
    tls = parts.scheme == "https"
    return Endpoint(parts.hostname, parts.port or (443 if tls else 80), token, tls)


async def fetch(endpoint: Endpoint, timeout: float = TIMEOUT) -> RelayReport | Unreachable:  # noqa: ASYNC109
    """Get one relay's report; `timeout` in seconds bounds the whole exchange."""
    request = Request(endpoint.host, PATH, endpoint.token, port=endpoint.port, tls=endpoint.tls)
    try:
        status, body = await ask(request, timeout, MAX_REPORT)
    except TimeoutError:
        return Unreachable(
            f"{endpoint.url} gave no report within {timeout:g} s",
            "see the relay's log; it may be overloaded or stopped",
        )
    except (OSError, h11.ProtocolError, ValueError) as error:
        return Unreachable(
            f"{endpoint.url} cannot be asked ({_words(error)})", "start the relay, or correct the address"
        )
    return _report(endpoint, status, body)


def _report(endpoint: Endpoint, status: int, body: bytes) -> RelayReport | Unreachable:
    if status in {401, 403}:
        return Unreachable(
            f"{endpoint.url} refuses the token" if endpoint.token else f"{endpoint.url} asks for a token",
            "give --token-file with the token of this relay: key api.token of its assembled Secret",
        )
    if status != 200:
        return Unreachable(f"{endpoint.url}{PATH} answers {status}", "check that the address is a relay's report port")
    try:
        return RelayReport.model_validate_json(body, by_alias=True, by_name=False)
    except ValidationError:
        return Unreachable(f"{endpoint.url}{PATH} is no relay's report", "check the address and both versions")


def _words(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
