"""One question to a token server (RFC 6749 section 3.2): an HTTPS POST of a form, and its answer, read with h11.

`tokens` asks. Everything is bounded: the time, the head and the body; nothing is redirected, no proxy is used, and the
server's certificate is always verified. Failure: `UnansweredError`, whose words name the server and hold nothing of
the form.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import h11

from mailhaul_contract.oauth import OAuth
from mailhaul_relay.smtpout.security import authority_context

LIMIT = 10.0
"""Seconds for the whole exchange, the connection included."""
MAX_HEAD = 16_384
MAX_BODY = 65_536
_CHUNK = 16_384


class UnansweredError(Exception):
    """The token server gave no answer that could be read; `remedy` says what to do."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """Status and body of an answer."""

    status: int
    body: bytes


async def ask_token_server(oauth: OAuth, form: Mapping[str, str]) -> TokenAnswer:
    """Post a form to the token server. Raises UnansweredError."""
    try:
        context = authority_context(oauth.ca)
    except (ssl.SSLError, ValueError):
        raise UnansweredError("auth.oauth.ca holds no usable PEM certificate", _AUTHORITY) from None
    try:
        async with asyncio.timeout(LIMIT):
            return await _exchange(oauth.token_url, context, urlencode(form).encode("ascii"))
    except ssl.SSLCertVerificationError as error:
        raise UnansweredError(f"its certificate is refused: {error.verify_message}", _CERTIFICATE) from None
    except TimeoutError:
        raise UnansweredError(f"no answer within {LIMIT:g} s", _REACH) from None
    except socket.gaierror as error:
        raise UnansweredError(f"the name could not be resolved: {error.strerror}", _REACH) from None
    except OSError as error:
        raise UnansweredError(f"connection failed: {error.strerror or type(error).__name__}", _REACH) from None
    except h11.RemoteProtocolError:
        raise UnansweredError("it does not speak HTTP/1.1", _ADDRESS) from None


async def _exchange(url: str, context: ssl.SSLContext, body: bytes) -> TokenAnswer:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 443, ssl=context, ssl_handshake_timeout=LIMIT
    )
    try:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = h11.Request(method="POST", target=target, headers=_headers(parts.netloc, len(body)))
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(http.send(event) or b"")
        return await _answer(http, reader)
    finally:
        writer.transport.abort()


def _headers(host: str, length: int) -> list[tuple[str, str]]:
    return [
        ("Host", host),
        ("User-Agent", "mailhaul"),
        ("Accept", "application/json"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", str(length)),
        ("Connection", "close"),
    ]


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> TokenAnswer:
    status, body = 0, bytearray()
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise UnansweredError(f"its answer is larger than {MAX_BODY} bytes", _ADDRESS)
        elif isinstance(event, h11.EndOfMessage):
            return TokenAnswer(status, bytes(body))
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the connection ended before the answer")


_REACH = (
    "Check spec.auth.oauth.tokenUrl of the UpstreamProvider, and that the network lets the relay reach it over HTTPS;"
    " the relay tries again by itself."
)
_ADDRESS = "Check spec.auth.oauth.tokenUrl of the UpstreamProvider: it must be the token endpoint (RFC 6749)."
_CERTIFICATE = "Set spec.auth.oauth.caRef to the authority that signed it, or correct spec.auth.oauth.tokenUrl."
_AUTHORITY = "Put certificates in PEM form into what spec.auth.oauth.caRef names."
