"""The two pages: what is shown, to whom, and that no client can hold the loop."""

import asyncio

import pytest

from mailhaul_operator.serve.pages import Answer, PageServer
from mailhaul_operator.serve.running import STUCK, health

REQUEST = b"%s %s HTTP/1.1\r\nHost: x\r\n\r\n"


async def exchange(sent: bytes) -> bytes:
    server = await PageServer.open({"/healthz": lambda: Answer(200, b"leading\n")}, 0, "127.0.0.1")
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(sent)
        if not sent:
            writer.write_eof()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        (b"GET", b"/healthz", b"200", b"leading\n"),
        (b"GET", b"/healthz?verbose", b"200", b"leading\n"),
        (b"HEAD", b"/healthz", b"200", b""),
        (b"GET", b"/secrets", b"404", b"there is only /healthz\n"),
        (b"POST", b"/healthz", b"405", b"only GET is served here\n"),
    ],
)
async def test_what_is_shown(method: bytes, path: bytes, status: bytes, body: bytes) -> None:
    answer = await exchange(REQUEST % (method, path))
    head, _, shown = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert shown == body


@pytest.mark.parametrize(
    ("longest", "leads", "status", "body"),
    [
        (0.0, True, 200, b"leading\n"),
        (STUCK, False, 200, b"waiting for the lease\n"),
        (STUCK + 1, True, 503, b"a pass has been running for 181 s\n"),
    ],
)
def test_a_pass_that_never_ends_is_told_to_the_kubelet(longest: float, leads: bool, status: int, body: bytes) -> None:
    assert health(longest, leads=leads) == Answer(status, body)


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"a" * 20000])
async def test_what_is_no_request_is_cut_off(sent: bytes) -> None:
    assert await exchange(sent) == b""
