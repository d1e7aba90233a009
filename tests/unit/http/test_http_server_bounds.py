"""The server is bounded in every direction: time, size, connections; and it leaves nothing behind."""

import asyncio
import json

import pytest
from tests.support.http_exchange import ask, parsed, raw, serving

from mailhaul_relay.http.connection import Bounds
from mailhaul_relay.http.messages import BadRequestError, Request, Response, text
from mailhaul_relay.http.routes import Route
from mailhaul_relay.http.server import HttpServer
from mailhaul_relay.telemetry.log import Log

GET = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"


async def _ok(_: Request) -> Response:
    return text("fine")


async def _large(_: Request) -> Response:
    return Response(200, b"x" * 1_000_000)


async def _broken(_: Request) -> Response:
    raise RuntimeError("canary of the inside")


async def _misunderstood(_: Request) -> Response:
    raise BadRequestError("say it otherwise")


class _Endless:
    """A handler that never answers; `entered` is set when it is asked."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()

    @property
    def routes(self) -> tuple[Route, ...]:
        return (*ROUTES, Route("GET", "/endless", self))

    async def __call__(self, _: Request) -> Response:
        self.entered.set()
        await asyncio.Event().wait()
        raise AssertionError


ROUTES = (
    Route("GET", "/ok", _ok),
    Route("POST", "/ok", _ok),
    Route("GET", "/large", _large),
    Route("GET", "/broken", _broken),
    Route("GET", "/misunderstood", _misunderstood),
)


async def test_a_slow_loris_gets_408_after_the_time_for_a_request() -> None:
    async with serving(ROUTES, Bounds(request_time=0.1)) as server:
        assert parsed(await raw(server.port, b"GET /ok HTTP/1.1\r\n")).status == 408


async def test_drops_of_a_head_do_not_extend_its_time() -> None:
    async with serving(ROUTES, Bounds(request_time=0.3)) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(5):
            reply = asyncio.ensure_future(reader.read())
            while not reply.done():
                writer.write(b"X")
                await asyncio.wait([reply], timeout=0.02)
        writer.close()
        assert parsed(reply.result()).status == 408


async def test_a_silent_client_is_let_go_without_an_answer() -> None:
    async with serving(ROUTES, Bounds(idle_time=0.05)) as server:
        assert await raw(server.port) == b""


async def test_an_endless_head_gets_431() -> None:
    async with serving(ROUTES, Bounds(head=4096)) as server:
        answer = parsed(await raw(server.port, b"GET /ok HTTP/1.1\r\nX: " + b"a" * 100_000))
        assert answer.status == 431


async def test_an_endless_body_gets_413_and_is_not_kept() -> None:
    async with serving(ROUTES, Bounds(body=1000)) as server:
        head = b"POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = parsed(await raw(server.port, head, *[b"400\r\n" + b"a" * 1024 + b"\r\n"] * 100))
        assert answer.status == 413


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with serving(ROUTES) as server:
        content = await raw(server.port, GET * 5 + b"GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert content.count(b"HTTP/1.1 200 OK") == 5
        assert content.rindex(b"HTTP/1.1 404") > content.rindex(b"HTTP/1.1 200")


async def test_a_connection_serves_a_bounded_number_of_requests() -> None:
    async with serving(ROUTES, Bounds(requests=3)) as server:
        assert (await raw(server.port, GET * 10)).count(b"HTTP/1.1 200") == 3


async def test_a_request_hidden_behind_a_refused_one_is_not_answered() -> None:
    async with serving(ROUTES) as server:
        content = await raw(server.port, b"POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n" + GET)
        assert content.count(b"Content-Length") == 1


async def test_head_has_the_length_and_no_body() -> None:
    async with serving(ROUTES) as server:
        answer = await ask(server.port, "HEAD", "/large")
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, "1000000", b"")


async def test_every_response_forbids_storing_and_sniffing() -> None:
    async with serving(ROUTES) as server:
        for target in ("/ok", "/none", "/broken"):
            headers = (await ask(server.port, "GET", target)).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"


async def test_a_wrong_method_is_told_which_ones_are_right() -> None:
    async with serving(ROUTES) as server:
        answer = await ask(server.port, "PUT", "/ok")
        assert (answer.status, answer.headers["allow"]) == (405, "get, post")


async def test_a_handlers_exception_shows_nothing_of_the_inside_and_is_logged() -> None:
    lines: list[str] = []
    async with serving(ROUTES, log=Log(lines.append)) as server:
        answer = await ask(server.port, "GET", "/broken")
    assert answer.status == 500
    assert b"canary" not in answer.body
    assert [json.loads(line)["event"] for line in lines] == ["http-failed"]
    assert "canary" not in lines[0]


async def test_a_handlers_own_refusal_is_400_with_its_words() -> None:
    async with serving(ROUTES) as server:
        answer = await ask(server.port, "GET", "/misunderstood")
        assert (answer.status, answer.json()) == (400, {"error": "say it otherwise"})


async def test_a_handler_that_never_answers_is_given_up() -> None:
    async with serving(_Endless().routes, Bounds(handler_time=0.05)) as server:
        assert (await ask(server.port, "GET", "/endless")).status == 504


async def test_a_client_that_does_not_read_is_given_up() -> None:
    async with serving(ROUTES, Bounds(response_time=0.1)) as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        assert (await ask(server.port, "GET", "/ok")).status == 200
        async with asyncio.timeout(5):
            await asyncio.wait(list(server._tasks))
        assert server.connections == 0
        writer.close()


async def test_silent_clients_in_all_places_keep_no_probe_out() -> None:
    async with serving(ROUTES, Bounds(connections=8)) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        assert (await ask(server.port, "GET", "/ok")).status == 200
        assert server.connections <= 8
        for _, writer in silent:
            writer.close()


async def test_the_longest_waiting_client_gives_way_and_the_newest_stays() -> None:
    async with serving(ROUTES, Bounds(connections=2)) as server:
        oldest = await asyncio.open_connection("127.0.0.1", server.port)
        newer = await asyncio.open_connection("127.0.0.1", server.port)
        assert (await ask(server.port, "GET", "/ok")).status == 200
        assert await oldest[0].read() == b""
        newer[1].write(GET)
        assert (await newer[0].readline()).startswith(b"HTTP/1.1 200")
        oldest[1].close()
        newer[1].close()


async def test_clients_that_are_being_answered_do_not_give_way() -> None:
    endless = _Endless()
    async with serving(endless.routes, Bounds(connections=1, handler_time=0.3)) as server:
        answered = asyncio.ensure_future(ask(server.port, "GET", "/endless"))
        await endless.entered.wait()
        assert (await ask(server.port, "GET", "/ok")).status == 0
        assert (await answered).status == 504


async def test_closing_ends_waiting_clients_and_requests_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailhaul_relay.http.server.CLOSE_GRACE", 0.05)
    endless = _Endless()
    server = await HttpServer.open("127.0.0.1", 0, endless.routes, Log(lambda _: None))
    waiting = await asyncio.open_connection("127.0.0.1", server.port)
    busy = asyncio.ensure_future(ask(server.port, "GET", "/endless"))
    await endless.entered.wait()
    async with asyncio.timeout(2):
        await server.close()
    assert server.connections == 0
    assert await waiting[0].read() == b""
    assert (await busy).status == 0
    waiting[1].close()


async def test_a_port_in_use_is_an_oserror() -> None:
    async with serving(ROUTES) as server:
        with pytest.raises(OSError, match="in use"):
            await HttpServer.open("127.0.0.1", server.port, ROUTES, Log(lambda _: None))
