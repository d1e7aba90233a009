"""What the relay sends on can be misread by nobody: no bare CR or LF leaves, whoever brought it, in mail or bounce."""

import asyncio
import email
import email.policy
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.torture.__main__ import told
from tests.torture.cases import read_cases
from tests.torture.client import Client
from tests.torture.judge import FAIL
from tests.torture.play import Target
from tests.torture.run import run
from tests.torture.sink import Sink
from tests.torture.steps import unstuffed

pytestmark = pytest.mark.integration

HOSTILE_REPLIES = {
    "bare CR": "550 5.1.1 no\rsuch\r.\ruser\r\n",
    "NUL": "550 5.1.1 no \x00 such\x00\n user\x00\r\n",
    "dots": "550-5.1.1 .\r\n550-..\r\n550 .\r\n",
    "control characters": "550 5.1.1 \x01\x08\x0b\x0c\x1b[31m\x7f\x85\r\n",
    "latin-1": "550 5.1.1 kein gültiger Empfänger\r\n",
    "a header": "550-5.1.1 no\r\n550-Subject: smuggled\r\n550 \r\n",
    "long": f"550 5.1.1 {'x' * 3000}\r\n",
    "many lines": "550-5.1.1 no\r\n" * 90 + "550 5.1.1 no\r\n",
}


def upstream(port: int) -> dict[str, Any]:
    return {"name": "up", "provider": "up", "host": "127.0.0.1", "port": port, "tls": {"mode": "None"}}


async def test_a_relay_that_mends_line_ends_fails_none(tmp_path: Path, free_port: int) -> None:
    listener = {"name": "smtp", "port": free_port, "lineEndings": "Normalise"}
    changes = {"listeners": [listener], "postmaster": "ops@example.net", "limits": {"messageSize": 1_048_576}}
    async with Sink() as sink:
        document = relay_document([upstream(sink.port)], free_port, **changes)
        async with running_relay(tmp_path, document) as relay:
            verdicts = await run(read_cases(), Target("127.0.0.1", relay.smtp), sink)
    failed = [one for one in verdicts if one.result == FAIL]
    assert not failed, told(failed)
    assert sink.strays == []


@pytest.mark.parametrize("reply", HOSTILE_REPLIES.values(), ids=HOSTILE_REPLIES)
async def test_a_bounce_quotes_a_hostile_reply_without_its_line_ends(
    reply: str, tmp_path: Path, free_port: int
) -> None:
    script = {"steps": {"rcpt": {"raw": reply, "times": 1}}}
    changes = {"bounces": {"mode": "Send"}, "queue": {"retry": {"initial": 1, "max": 2}}}
    async with ScriptedServer(script) as server:
        document = relay_document([upstream(server.port)], free_port, **changes)
        async with running_relay(tmp_path, document) as relay:
            data = await _bounce(relay, server)
    rest = data.replace(b"\r\n", b"")
    assert b"\r" not in rest
    assert b"\n" not in rest
    assert b"\x00" not in rest
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert not any(line.startswith(b".") and not line.startswith(b"..") for line in data.split(b"\r\n"))
    assert not any(line.startswith(b"Subject: smuggled") for line in data.split(b"\r\n"))


async def _bounce(relay: RelayProcess, server: ScriptedServer) -> bytes:
    """Send a mail that the upstream refuses; give the bounce, or the mail itself where the reply was no refusal."""
    await relay.submit("From: app@example.com\nTo: b@example.net\nSubject: .\n\n.\n..\n")
    async with asyncio.timeout(20):
        while not server.accepted:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    return server.accepted[-1].data


EIGHT_BIT = {
    "dots": "..é\r\n..\r\n...\r\n..=2E\r\né.\r\n",
    "every octet": bytes(one for one in range(1, 256) if one not in b"\r\n").decode("latin-1") + "\r\n",
    "long lines": "é" * 5000 + "\r\n" + "x" * 3000 + "\r\n" + "." + "." * 2000 + "\r\n",
    "blanks": "é \r\n\t\r\n   \r\né\t\r\n",
    "equals": "é=\r\n=0D=0A.\r\n=\r\n",
    "one dot of a soft line break": "é" * 25 + ".\r\n" + ("x" * 75 + ".") * 4 + "é\r\n",
}


@pytest.mark.parametrize("encoding", ["8bit", ""])
@pytest.mark.parametrize("body", EIGHT_BIT.values(), ids=EIGHT_BIT)
async def test_eight_bit_content_for_a_seven_bit_upstream_arrives_whole(
    body: str, encoding: str, tmp_path: Path, free_port: int
) -> None:
    field = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    head = f"From: app@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=latin-1\r\n{field}\r\n"
    async with ScriptedServer({"extensions": ["PIPELINING"]}) as server:
        async with running_relay(tmp_path, relay_document([upstream(server.port)], free_port)) as relay:
            await _submit(relay, (head + body).encode("latin-1"))
            async with asyncio.timeout(20):
                while not server.accepted:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
        data = server.accepted[0].data
    assert data.isascii()
    assert all(not line.startswith(b".") or line.startswith(b"..") for line in data.split(b"\r\n"))
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert b"\n" not in data.replace(b"\r\n", b"")
    got = email.message_from_bytes(unstuffed(data), policy=email.policy.compat32).get_payload(decode=True)
    assert isinstance(got, bytes)
    assert got.replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n") == unstuffed(body.encode("latin-1"))


async def _submit(relay: RelayProcess, wire: bytes) -> None:
    """Send a message that is stuffed already, declared as 8BITMIME."""
    client = await Client.connect("127.0.0.1", relay.smtp)
    commands = b"EHLO x\r\nMAIL FROM:<app@example.com> BODY=8BITMIME\r\nRCPT TO:<b@example.net>\r\nDATA\r\n"
    await client.send(commands)
    replies = [await client.reply() for _ in range(5)]
    assert replies[-1].startswith("354")
    await client.send(wire + b".\r\n")
    assert (await client.reply()).startswith("250")
    await client.close()
