"""The bytes that were accepted are the bytes that leave, and nothing is sent that was not offered."""

import json
from pathlib import Path

import pytest
from tests.support.outgoing import outgoing, transmission
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Stage, Verdict

pytestmark = pytest.mark.integration
HEAD = b"Subject: test\r\nX-Odd: \t kept \r\n\r\n"


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"..\r\n", b"Hello.\r\n..dot\r\n", b"no line end", b"x" * 998 + b"\r\n", b"a\r\n" * 200_000],
    ids=["empty", "blank", "dot", "dots", "open", "long", "large"],
)
@pytest.mark.parametrize("in_file", [False, True])
async def test_bytes_leave_as_they_are(body: bytes, in_file: bool, tmp_path: Path) -> None:
    stored = Body(len(body), body)
    if in_file:
        (tmp_path / "body").write_bytes(body)
        stored = Body(len(body), path=tmp_path / "body")
    async with ScriptedServer() as server, outgoing(server.port) as out:
        for _ in range(2):
            (outcome,) = (await out.deliver(transmission(body=stored, head=HEAD))).outcomes
            assert outcome.verdict is Verdict.DELIVERED
            end = b"" if not body or body.endswith(b"\r\n") else b"\r\n"
            assert server.messages[-1].data == HEAD + body + end


async def test_a_file_that_shrank_is_never_sent_as_a_whole_message(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"half\r\n")
    async with ScriptedServer() as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission(body=Body(9999, path=tmp_path / "body")))).outcomes
        assert (outcome.verdict, outcome.stage) == (Verdict.RETRY, Stage.RELAY)
        assert server.messages == []


async def test_size_is_told_only_where_it_is_offered() -> None:
    async with ScriptedServer({"extensions": ["SIZE"]}) as server, outgoing(server.port) as out:
        await out.send()
        assert server.messages[0].parameters == f"SIZE={len(b'Subject: test') + 4 + len(b'Hello.') + 2}"
    async with ScriptedServer({"extensions": []}) as server, outgoing(server.port) as out:
        await out.send()
        assert server.messages[0].parameters == ""


async def test_a_message_over_the_offered_size_is_not_sent_but_may_go_elsewhere() -> None:
    async with ScriptedServer({"extensions": ["SIZE 1000"]}) as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission(body=b"x" * 70 + b"\r\n" * 2000))).outcomes
        assert (outcome.verdict, outcome.fault, outcome.retry_elsewhere) == (Verdict.FAILED, Fault.SIZE, True)
        assert not any("MAIL" in command for command in server.commands)
        await out.send()
        assert server.connections == 1


async def test_8bit_content_is_declared_where_it_is_offered() -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        await out.deliver(transmission(body="schön\r\n".encode(), eight_bit=True))
        assert "BODY=8BITMIME" in server.messages[0].parameters
        assert server.messages[0].data.endswith("schön\r\n".encode())


async def test_8bit_content_is_converted_where_it_is_not_offered() -> None:
    head = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    async with ScriptedServer({"extensions": ["SIZE"]}) as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission(body="schön\r\n".encode(), head=head, eight_bit=True))).outcomes
        assert outcome.verdict is Verdict.DELIVERED
        data = server.messages[0].data
        assert data.isascii()
        assert b"quoted-printable" in data.lower()
        assert server.messages[0].parameters == f"SIZE={len(data)}"


async def test_8bit_content_that_cannot_be_converted_may_go_elsewhere() -> None:
    head = b"Content-Type: multipart/signed; boundary=x\r\n\r\n"
    async with ScriptedServer({"extensions": []}) as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission(body="schön\r\n".encode(), head=head, eight_bit=True))).outcomes
        assert (outcome.verdict, outcome.fault, outcome.retry_elsewhere) == (Verdict.FAILED, Fault.CAPABILITY, True)


async def test_smtputf8_is_dropped_when_all_is_ascii() -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        await out.deliver(transmission(utf8=True))
        assert "SMTPUTF8" not in server.messages[0].parameters


@pytest.mark.parametrize(
    ("recipient", "head"),
    [("jürgen@example.net", HEAD), ("bob@example.net", "Subject: schön\r\n\r\n".encode())],
    ids=["local-part", "header"],
)
async def test_smtputf8_is_used_where_it_is_needed(recipient: str, head: bytes) -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        await out.deliver(transmission(recipient, head=head, utf8=True))
        assert server.messages[0].parameters.endswith("BODY=8BITMIME SMTPUTF8")
        assert server.messages[0].recipients == (recipient,)


async def test_smtputf8_that_is_needed_and_not_offered_fails_with_5_6_7_but_may_go_elsewhere() -> None:
    async with ScriptedServer({"extensions": ["8BITMIME"]}) as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission("jürgen@example.net", utf8=True))).outcomes
        assert (outcome.verdict, outcome.fault, outcome.retry_elsewhere) == (Verdict.FAILED, Fault.CAPABILITY, True)
        assert outcome.detail.startswith("5.6.7")


async def test_the_null_sender_is_sent_as_such() -> None:
    async with ScriptedServer({"extensions": []}) as server, outgoing(server.port) as out:
        await out.deliver(transmission(sender=""))
        assert "1 MAIL FROM:<>" in server.commands


@pytest.mark.parametrize("address", ["a@b\r\nRSET", "a\n@b", "a\0@b"])
async def test_an_address_with_a_line_end_is_never_sent(address: str) -> None:
    async with ScriptedServer() as server, outgoing(server.port) as out:
        (outcome,) = (await out.deliver(transmission(address))).outcomes
        assert (outcome.verdict, outcome.stage) == (Verdict.FAILED, Stage.RELAY)
        assert not any("MAIL" in command for command in server.commands)


@pytest.mark.parametrize(("signature", "told"), [(b"DKIM-Signature: v=1; h=from\r\n", 1), (b"", 0)])
async def test_a_signature_that_a_conversion_breaks_is_told(signature: bytes, told: int) -> None:
    head = signature + b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    async with ScriptedServer({"extensions": ["SIZE"]}) as server, outgoing(server.port) as out:
        await out.deliver(transmission(head=head))
        assert not out.lines, "what is 7-bit leaves as it is"
        await out.deliver(transmission(body="schön\r\n".encode(), head=head, eight_bit=True))
        lines = [json.loads(line) for line in out.lines]
    broken = [(one["id"], one["upstream"]) for one in lines if one["event"] == "signature-broken"]
    assert broken == [("id000001", "primary")] * told
