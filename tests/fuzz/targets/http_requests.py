"""HTTP of the report port: every request gets whole answers or a closed connection, and never one of the inside.

The octets are what a client sends; they reach the real connection, routes and readers of queries and bodies, over
streams without a socket. A second reading of what was answered is h11's client.
"""

import asyncio
from typing import Any, cast

import h11

from mailhaul_relay.http.connection import Bounds, Connection
from mailhaul_relay.http.messages import Request, Response, text, to_json
from mailhaul_relay.http.queue_requests import many, page_asked
from mailhaul_relay.http.routes import Route, Routes
from mailhaul_relay.queue.commands import MAX_PAGE
from mailhaul_relay.queue.orders import FAULTS, STORED, Verb
from mailhaul_relay.telemetry.log import Log

LONGEST = 1200
WORDS = (
    *(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /v1/queue/hold HTTP/1.1\r\nHost: a\r\n", b"HEAD ", b"\r\n\r\n"),
    *(
        b"Content-Length: 10\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"0\r\n\r\n",
        b"5\r\nhello\r\n",
        b"?state=held,dead",
    ),
    *(b"&limit=10", b"&older=60", b"&fault=quota", b"%2e%2e", b"http://a/", b"Expect: 100-continue\r\n", b"HTTP/1.0"),
    *(
        b'{"states":["held"],"dryRun":true}',
        b'{"states":["dead"],"upstream":"b"}',
        b"GET /v1/queue",
        b"/items/abc",
        b"\xff",
    ),
    *(b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"&sender=a%40b.example"),
)
_NOW = 1_700_000_000.0
_BOUNDS = Bounds(head=600, body=400, requests=6)
_STATUSES = frozenset({200, 400, 404, 405, 408, 413, 414, 431, 501, 505})


class _Writer:
    """What the connection writes to; it keeps the octets."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.transport = self

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    async def drain(self) -> None:
        return

    def write_eof(self) -> None:
        return

    def close(self) -> None:
        self.closed = True

    abort = close

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as asyncio's
        return ("127.0.0.1", 1) if name == "peername" else None


def check(data: bytes) -> None:
    """Send the octets and end."""
    asyncio.run(_checked(data))


async def _checked(data: bytes) -> None:
    reader, writer, lines = asyncio.StreamReader(), _Writer(), list[str]()
    reader.feed_data(data)
    reader.feed_eof()
    streams = (reader, cast("asyncio.StreamWriter", writer))
    await Connection(streams, Routes(_ROUTES), _BOUNDS, Log(lines.append)).run()
    assert writer.closed
    assert not lines, f"a handler failed: {lines}"
    assert len(writer.written) <= 1000 * _BOUNDS.requests
    assert not writer.written or writer.written.startswith(b"HTTP/1.1 ")
    _check_answers(writer.written)


def _check_answers(written: bytes) -> None:
    """Read the answers as a client would that asked with GET, one after the other; those to HEAD have no body."""
    for part in written.split(b"HTTP/1.1 ")[1:]:
        if part.startswith(b"100 "):
            continue
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
        client.send(h11.EndOfMessage())
        client.receive_data(b"HTTP/1.1 " + part)
        answer = client.next_event()
        assert isinstance(answer, h11.Response), part
        assert answer.status_code in _STATUSES, part
        assert b"canary" not in part


async def _hello(request: Request) -> Response:
    assert len(request.body) <= _BOUNDS.body
    return text("hello")


async def _item(request: Request) -> Response:
    assert request.parameter.isalnum()
    assert len(request.parameter) <= 64
    return text("item")


async def _page(request: Request) -> Response:
    asked = page_asked(request, _NOW)
    assert 1 <= asked.limit <= MAX_PAGE
    assert asked.selection.states <= STORED
    assert asked.selection.fault in FAULTS | {""}
    return to_json({})


async def _hold(request: Request) -> Response:
    wanted = many(Verb.HOLD, request)
    assert wanted.states, "an order on everything by leaving something out"
    assert not wanted.upstream
    assert wanted.selection(_NOW).states <= STORED
    return to_json({})


async def _move(request: Request) -> Response:
    assert many(Verb.MOVE, request).upstream, "mail is moved to nowhere"
    return to_json({})


_ROUTES = (
    Route("GET", "/hello", _hello),
    Route("POST", "/hello", _hello),
    Route("GET", "/items/{id}", _item),
    Route("GET", "/v1/queue", _page),
    Route("POST", "/v1/queue/hold", _hold),
    Route("POST", "/v1/queue/move", _move),
)
