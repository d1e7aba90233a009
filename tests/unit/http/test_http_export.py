"""An exported message is what a recipient would get, to the byte, however large and however cut."""

import asyncio
from pathlib import Path

import pytest
from tests.support.http_exchange import ask, raw, serving

from mailhaul_relay.http.export import Unstuffing, pieces
from mailhaul_relay.http.messages import Request, Response
from mailhaul_relay.http.routes import Route
from mailhaul_relay.model.message import Body, Envelope, Message, Origin, Recipient

WIRE = b"..head: x\r\n\r\n.\r\n..\r\n...a\r\nb.\r\n\r\n..c\r\n.d\rx\r\r\n..\r\n"
PLAIN = b".head: x\r\n\r\n\r\n.\r\n..a\r\nb.\r\n\r\n.c\r\nd\rx\r\r\n.\r\n"


def _message(head: bytes, body: Body) -> Message:
    envelope = Envelope("m1", "a@b.example", (Recipient("c@d.example", "c@d.example"),), "", Origin.SUBMISSION, 0, 1)
    return Message(envelope, head, body)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 1000])
def test_no_cut_changes_a_byte(size: int) -> None:
    plain = Unstuffing()
    out = b"".join(plain.feed(WIRE[at : at + size]) for at in range(0, len(WIRE), size)) + plain.end()
    assert out == PLAIN


@pytest.mark.parametrize("data", [b"", b".", b"..", b"\r", b"\r\n", b"\n", b"a"])
def test_short_streams_are_whole(data: bytes) -> None:
    plain = Unstuffing()
    assert plain.feed(data) + plain.end() == data.removeprefix(b".")


async def test_a_body_in_a_file_is_read_piece_by_piece(tmp_path: Path) -> None:
    file = tmp_path / "body"
    body = b"..x" * 100_000 + b"\r\n..y\r\n"
    file.write_bytes(body)
    given = [one async for one in pieces(_message(b"A: b\r\n\r\n", Body(len(body), path=file)))]
    assert b"".join(given) == b"A: b\r\n\r\n" + body[1:].replace(b"\r\n.", b"\r\n")
    assert max(map(len, given)) < 70_000


async def _served(made: Response) -> tuple[bytes, bytes]:
    async def handler(_: Request) -> Response:
        return made

    async with serving([Route("GET", "/x", handler)]) as server:
        answer = await ask(server.port, "GET", "/x")
        return answer.headers.get("transfer-encoding", "").encode(), answer.body


async def test_pieces_go_out_in_chunks_without_a_length() -> None:
    message = _message(b"A: b\r\n\r\n", Body(5, b"..x\r\n"))
    encoding, body = await _served(Response(200, content_type="message/rfc822", pieces=pieces(message)))
    assert encoding == b"chunked"
    assert body.endswith(b"0\r\n\r\n")


async def test_a_file_that_is_gone_never_looks_like_a_whole_message(tmp_path: Path) -> None:
    message = _message(b"A: b\r\n\r\n", Body(5, path=tmp_path / "gone"))

    async def handler(_: Request) -> Response:
        return Response(200, pieces=pieces(message))

    async with serving([Route("GET", "/x", handler)]) as server:
        answer = await asyncio.wait_for(raw(server.port, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 5)
        assert not answer.endswith(b"0\r\n\r\n")
