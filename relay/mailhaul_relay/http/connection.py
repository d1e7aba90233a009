"""One client's connection: reads requests with h11, asks a handler, writes responses. Everything is bounded.

`server` makes one for each client that connects and may end it at any moment. A client that is slow, too large, or
speaks no HTTP gets 408, 413, 431 or 400 and the connection closes; a handler's exception is 500, and the log alone
knows more. Bodies are small JSON documents, so they are read whole before the handler is asked.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from http import HTTPStatus

import h11

from mailhaul_relay.http.messages import BadRequestError, Request, Response, problem, split_target
from mailhaul_relay.http.routes import Routes
from mailhaul_relay.telemetry.log import Log

_CHUNK = 65_536
_LINGER_TIME = 1.0
_LINGER_READS = 16
_ALWAYS = (("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one client may ask of a server. Sizes in bytes, times in seconds.

    `request_time` is from a request's first byte to its last, `handler_time` is for the answer, `response_time` for
    writing it, `idle_time` for waiting on the first byte.
    """

    head: int = 16_384
    body: int = 65_536
    request_time: float = 10.0
    handler_time: float = 30.0
    response_time: float = 60.0
    idle_time: float = 30.0
    requests: int = 1000
    connections: int = 64


class _RefusedError(Exception):
    """The request was refused before a handler saw it; the connection ends after this response."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class Connection:
    """One client. `on_wait` is told (True or False) whether it waits for a request or one is being answered."""

    def __init__(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], routes: Routes, bounds: Bounds, log: Log
    ) -> None:
        self._reader, self._writer = streams
        self._routes = routes
        self._bounds = bounds
        self._log = log
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=bounds.head)
        self.waiting = True
        self.on_wait: Callable[[bool], None] = lambda _: None

    async def run(self) -> None:
        """Answer requests until the client leaves or must leave. Only cancellation escapes."""
        try:
            for _ in range(self._bounds.requests):
                if not await self._one_exchange():
                    break
        except (OSError, TimeoutError, h11.ProtocolError):
            pass
        finally:
            self._end()

    def _end(self) -> None:
        """Close; a client that does not read what was written to it is not waited for."""
        if self._writer.transport.get_write_buffer_size():
            self._writer.transport.abort()
        else:
            self._writer.close()

    async def _linger(self) -> None:
        """Read on for a moment after a refusal, or the client's unread bytes would reset the connection and with
        it our answer (RFC 9112 section 9.6).
        """
        self._writer.write_eof()
        async with asyncio.timeout(_LINGER_TIME):
            for _ in range(_LINGER_READS):
                if not await self._reader.read(_CHUNK):
                    break

    async def _one_exchange(self) -> bool:
        """Read one request and answer it; whether another may follow."""
        try:
            request = await self._read_request()
        except _RefusedError as refused:
            await self._write(refused.response, head=False, last=True)
            await self._linger()
            return False
        if request is None:
            return False
        self._set_waiting(waiting=False)
        response = await self._answer(request)
        await self._write(response, head=request.method == "HEAD", last=False)
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        self._set_waiting(waiting=True)
        return True

    def _set_waiting(self, *, waiting: bool) -> None:
        self.waiting = waiting
        self.on_wait(waiting)

    async def _read_request(self) -> Request | None:
        """Give the next request, None when the client left instead. Raises _RefusedError, OSError, TimeoutError."""
        if not self._http.trailing_data[0]:
            async with asyncio.timeout(self._bounds.idle_time):
                if not await self._receive():
                    return None
        try:
            async with asyncio.timeout(self._bounds.request_time):
                event = await self._next_event()
                if not isinstance(event, h11.Request):
                    return None
                self._refuse_announced(event)
                return self._request(event, await self._read_body())
        except TimeoutError:
            raise _RefusedError(problem(408, "the request did not arrive in time")) from None
        except h11.RemoteProtocolError as error:
            status = error.error_status_hint
            reason = "the head of the request is too large" if status == 431 else "the request is not valid HTTP/1.1"
            raise _RefusedError(problem(status, reason)) from None
        except BadRequestError as error:
            raise _RefusedError(problem(400, str(error))) from None

    async def _receive(self) -> bool:
        data = await self._reader.read(_CHUNK)
        self._http.receive_data(data)
        return bool(data)

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                interim = h11.InformationalResponse(status_code=100, headers=[])
                self._writer.write(self._http.send(interim) or b"")
            await self._receive()
        return event

    def _refuse_announced(self, event: h11.Request) -> None:
        """Refuse a body that announces more than the bound before it is sent."""
        announced = next((value for name, value in event.headers if name == b"content-length"), b"0")
        if int(announced) > self._bounds.body:
            raise self._too_large()

    def _too_large(self) -> _RefusedError:
        return _RefusedError(problem(413, f"the body is larger than {self._bounds.body} bytes"))

    async def _read_body(self) -> bytes:
        body = bytearray()
        while isinstance(event := await self._next_event(), h11.Data):
            body += event.data
            if len(body) > self._bounds.body:
                raise self._too_large()
        if not isinstance(event, h11.EndOfMessage):
            raise BadRequestError("the body is not complete")
        return bytes(body)

    @staticmethod
    def _request(event: h11.Request, body: bytes) -> Request:
        path, query = split_target(event.target.decode("ascii"))
        headers = {name.decode("ascii"): value.decode("latin-1") for name, value in event.headers}
        return Request(event.method.decode("ascii"), path, query, headers, body)

    async def _answer(self, request: Request) -> Response:
        handler, parameter = self._routes.find(request.method, request.path)
        peer = str((self._writer.get_extra_info("peername") or ("",))[0])
        asked = replace(request, parameter=parameter, peer=peer)
        try:
            async with asyncio.timeout(self._bounds.handler_time):
                return await handler(asked)
        except BadRequestError as error:
            return problem(400, str(error))
        except TimeoutError:
            self._log.event("http-timeout", level="error", method=request.method, path=request.path)
            return problem(504, "the relay did not find an answer in time; try again")
        except Exception as error:  # noqa: BLE001 - whatever a handler does, the client sees nothing of the inside
            kind = type(error).__name__
            self._log.event("http-failed", level="error", method=request.method, path=request.path, error=kind)
            return problem(500, "the relay could not answer; its log says why")

    async def _write(self, response: Response, *, head: bool, last: bool) -> None:
        headers = [
            ("Content-Type", response.content_type),
            *((("Content-Length", str(len(response.body))),) if response.pieces is None else ()),
            *_ALWAYS,
            *response.headers,
            *((("Connection", "close"),) if last else ()),
        ]
        start = h11.Response(status_code=response.status, headers=headers, reason=HTTPStatus(response.status).phrase)
        self._writer.write(self._http.send(start) or b"")
        if response.pieces is not None:
            await self._stream(response.pieces, head=head)
            return
        async with asyncio.timeout(self._bounds.response_time):
            for offset in range(0, 0 if head else len(response.body), _CHUNK):
                await self._send(h11.Data(data=response.body[offset : offset + _CHUNK]))
            await self._send(h11.EndOfMessage())

    async def _stream(self, pieces: AsyncGenerator[bytes, None], *, head: bool) -> None:
        """Write piece by piece, however long it takes altogether. What fails on the way ends the connection before the
        last chunk, so that nobody takes a part for the whole.
        """
        async with aclosing(pieces) as open_pieces:
            if not head:
                async for piece in open_pieces:
                    async with asyncio.timeout(self._bounds.response_time):
                        await self._send(h11.Data(data=piece))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()
