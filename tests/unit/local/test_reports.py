"""Asking a relay is bounded in time and size, and every failure is a value with a remedy."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mailhaul_contract.report import RelayReport
from mailhaul_operator.local import reports
from mailhaul_operator.local.reports import Endpoint, Unreachable, endpoint_of, fetch

REPORT = RelayReport(
    namespace="smtp", name="relay", pid=1, started=1, time=2, digest="sha256:1", accepting=True
).model_dump_json(by_alias=True)

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(talk: Talk) -> AsyncIterator[Endpoint]:
    """A server of one conversation at a time; its tasks end with it."""
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield Endpoint("127.0.0.1", listening.sockets[0].getsockname()[1], "the-token")
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def answers(status: str, body: str, seen: list[bytes] | None = None) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(request)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()

    return talk


async def test_a_report_is_fetched_with_the_token() -> None:
    seen: list[bytes] = []
    async with server(answers("200 OK", REPORT, seen)) as endpoint:
        report = await fetch(endpoint)
    assert isinstance(report, RelayReport)
    assert b"GET /v1/report HTTP/1.1" in seen[0]
    assert b"authorization: bearer the-token" in seen[0].lower()


async def test_a_refused_token_is_told_without_the_token() -> None:
    async with server(answers("401 Unauthorized", "")) as endpoint:
        answer = await fetch(endpoint)
    assert isinstance(answer, Unreachable)
    assert "refuses the token" in answer.cause
    assert "the-token" not in repr(answer) + repr(endpoint)


async def test_a_token_that_was_not_given_is_asked_for() -> None:
    async with server(answers("401 Unauthorized", "")) as endpoint:
        answer = await fetch(replace(endpoint, token=""))
    assert isinstance(answer, Unreachable)
    assert "asks for a token" in answer.cause
    assert "--token-file" in answer.remedy


@pytest.mark.parametrize(("status", "body"), [("404 Not Found", ""), ("200 OK", "{}"), ("200 OK", "hello")])
async def test_what_is_no_report_is_told(status: str, body: str) -> None:
    async with server(answers(status, body)) as endpoint:
        answer = await fetch(endpoint)
    assert isinstance(answer, Unreachable)
    assert answer.remedy


async def test_nothing_listening_is_told() -> None:
    async with server(answers("200 OK", REPORT)) as endpoint:
        pass
    answer = await fetch(endpoint)
    assert isinstance(answer, Unreachable)
    assert "nothing listens there" in answer.cause


async def test_a_server_that_says_nothing_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server(silent) as endpoint:
        answer = await fetch(endpoint, timeout=0.05)
    assert isinstance(answer, Unreachable)
    assert "within 0.05 s" in answer.cause


async def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_REPORT", 100_000)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with server(endless) as endpoint:
        answer = await fetch(endpoint)
    assert isinstance(answer, Unreachable)
    assert "the answer is larger than" in answer.cause


async def test_garbage_is_no_exception() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()

    async with server(garbage) as endpoint:
        assert isinstance(await fetch(endpoint), Unreachable)


def test_addresses_are_parsed_strictly() -> None:
    assert endpoint_of("http://127.0.0.1:9090/", "").url == "http://127.0.0.1:9090"
    assert endpoint_of("http://[::1]:9090", "").url == "http://[::1]:9090"
    assert endpoint_of("https://relay.example", "").port == 443
    for wrong in ("127.0.0.1:9090", "ftp://x", "http://", "http://u:p@x", "http://x:99999"):
        with pytest.raises(ValueError):  # noqa: PT011 - the reasons differ
            endpoint_of(wrong, "")
