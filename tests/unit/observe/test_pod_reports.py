"""What comes of asking pods: a report, or silence with its cause and since when. Real connections on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial

import pytest

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.view import PodView, Silence
from mailhaul_operator.effects import pods as actions
from mailhaul_operator.observe import reports
from mailhaul_operator.observe.reports import Reporters
from mailhaul_operator.wire import http
from mailhaul_operator.wire.http import Request
from mailhaul_operator.wire.key import Key

ONE = Key("SmtpRelay", "smtp", "one")
REPORT = RelayReport(
    namespace="smtp", name="one", pid=1, started=1, time=2, digest="sha256:a", accepting=True
).model_dump_json(by_alias=True)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]


def pod(name: str = "one-0", ip: str = "127.0.0.1", trouble: str = "", created: float = 1.0) -> PodView:
    return PodView(name, 0, ip, True, True, False, created, trouble)


def answering(status: str, body: bytes, asked: list[bytes] | None = None) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b"0")
        if asked is not None:
            asked.append(head + await reader.readexactly(int(length)))
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body))
        await writer.drain()
        writer.close()

    return serve


async def saying_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def talking_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    try:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except OSError:
        writer.close()


async def talking_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 relay ESMTP\r\n")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def served(serve: Serve, monkeypatch: pytest.MonkeyPatch, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A pod's HTTP on a free port, to which requests of reports and of actions go."""
    sessions: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sessions.add(asyncio.ensure_future(serve(reader, writer)))

    server = await asyncio.start_server(accept, host, 0)
    port: int = server.sockets[0].getsockname()[1]
    for module in (reports, actions):
        monkeypatch.setattr(module, "Request", partial(Request, port=port))
    try:
        yield port
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.gather(*sessions)


async def test_a_report_is_fetched_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    async with served(answering("200 OK", REPORT.encode(), asked), monkeypatch):
        told = await Reporters().fetch(ONE, [pod()], "token", 10.0)
    assert isinstance(told["one-0"], RelayReport)
    assert b"GET /v1/report HTTP/1.1" in asked[0]
    assert b"authorization: bearer token" in asked[0].lower()


async def test_an_address_of_ipv6_is_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    async with served(answering("200 OK", REPORT.encode(), asked), monkeypatch, "::1") as port:
        told = await Reporters().fetch(ONE, [pod(ip="::1")], "token", 10.0)
    assert isinstance(told["one-0"], RelayReport)
    assert f"host: [::1]:{port}".encode() in asked[0].lower()


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (answering("401 Unauthorized", b""), "the pod refuses the operator's token"),
        (answering("503 Service Unavailable", b""), "the pod answers 503"),
        (answering("200 OK", b"{}"), "the pod's answer is no report"),
        (answering("200 OK", REPORT.replace('"one"', '"two"').encode()), "the pod reports for another relay"),
        (talking_nonsense, "the answer is not HTTP"),
        (talking_without_end, "the answer is larger than 4194304 bytes"),
    ],
    ids=["token", "status", "empty", "other", "nonsense", "endless"],
)
async def test_what_is_no_report_is_silence_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, serve: Serve, why: str
) -> None:
    async with served(serve, monkeypatch):
        told = await Reporters().fetch(ONE, [pod()], "token", 10.0)
    assert told["one-0"] == Silence(why, 10.0)


async def test_a_pod_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "ask", partial(http.ask, deadline=0.1))
    async with served(saying_nothing, monkeypatch):
        told = await Reporters().fetch(ONE, [pod("one-0"), pod("one-1")], "token", 10.0)
    assert {one.why for one in told.values() if isinstance(one, Silence)} == {"no answer in 3 s"}


async def test_silence_is_remembered_until_the_pod_speaks_or_is_another(
    monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    reporters = Reporters()
    monkeypatch.setattr(reports, "Request", partial(Request, port=free_port))
    assert await reporters.fetch(ONE, [pod()], "", 10.0) == {"one-0": Silence("connection refused", 10.0)}
    assert await reporters.fetch(ONE, [pod()], "", 20.0) == {"one-0": Silence("connection refused", 10.0)}
    assert await reporters.fetch(ONE, [pod(created=15.0)], "", 30.0) == {"one-0": Silence("connection refused", 30.0)}
    async with served(answering("200 OK", REPORT.encode()), monkeypatch):
        await reporters.fetch(ONE, [pod(created=15.0)], "", 40.0)
    told = await reporters.fetch(ONE, [pod(created=15.0)], "", 50.0)
    assert told == {"one-0": Silence("connection refused", 50.0)}


async def test_a_pod_without_address_is_silent_for_the_reason_it_has() -> None:
    told = await Reporters().fetch(ONE, [pod(ip="", trouble="Unschedulable: no cpu")], "", 10.0)
    assert told == {"one-0": Silence("Unschedulable: no cpu", 10.0)}


async def test_probe_and_drain_are_posted_with_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    async with served(answering("202 Accepted", b"", asked), monkeypatch):
        assert await actions.post_probe(pod(), "a/b", "token") == ""
        assert await actions.post_drain(pod(), True, "token") == ""
    assert b"POST /v1/upstreams/a%2Fb/probe HTTP/1.1" in asked[0]
    assert b"POST /v1/drain HTTP/1.1" in asked[1]
    assert asked[1].endswith(b'{"draining": true}')
    assert all(b"Bearer token" in one for one in asked)


async def test_what_a_pod_would_not_do_is_a_value(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    async with served(answering("404 Not Found", b""), monkeypatch):
        assert await actions.post_probe(pod(), "main", "token") == "the pod answers 404"
    monkeypatch.setattr(actions, "Request", partial(Request, port=free_port))
    assert await actions.post_probe(pod(), "main", "token") == "connection refused"
    assert await actions.post_drain(pod(ip=""), False, "token") == "the pod has no address yet"


async def test_a_token_that_somebody_spoilt_is_silence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(saying_nothing, monkeypatch):
        told = await Reporters().fetch(ONE, [pod()], "a\r\nX-Other: b", 10.0)
    assert told["one-0"] == Silence("the token in the relay's Secret cannot be sent", 10.0)


def test_the_token_of_a_request_is_not_shown() -> None:
    assert "canary" not in repr(Request("127.0.0.1", "/", "canary"))
