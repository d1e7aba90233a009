"""What the relay sends on can be misread by nobody: no bare CR or LF leaves, whoever brought it, in mail or bounce."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.torture.__main__ import told
from tests.torture.cases import read_cases
from tests.torture.judge import FAIL
from tests.torture.play import Target
from tests.torture.run import run
from tests.torture.sink import Sink

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
