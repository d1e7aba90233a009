"""Limits of time and count hold on the real relay: who only talks, errs, or sends octet by octet is ended with 421."""

import asyncio
import time
from pathlib import Path

import pytest
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.torture.client import Client
from tests.torture.sink import Sink

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SESSION_TIME = 10
"""The shortest that the configuration takes, in seconds."""
TO_DATA = b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
HEAD = b"From: app@example.com\r\nSubject: slow\r\n\r\n"


async def ended(relay: RelayProcess, opening: bytes, piece: bytes, pause: float) -> tuple[str, float]:
    """Go on sending until the server ends it; gives its last reply, and after how many seconds it came."""
    client = await Client.connect("127.0.0.1", relay.smtp)
    began = time.monotonic()
    await client.send(opening)
    reading = asyncio.create_task(client.rest())
    try:
        while not reading.done() and time.monotonic() - began < 3 * SESSION_TIME:
            await client.send(piece)
            await asyncio.sleep(pause)
        replies = await asyncio.wait_for(reading, 5)
    finally:
        reading.cancel()
        await client.close()
    return replies[-1], time.monotonic() - began


async def test_sessions_without_use_end_in_time(tmp_path: Path, free_port: int) -> None:
    async with Sink() as sink:
        upstream = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": sink.port, "tls": {"mode": "None"}}
        document = relay_document([upstream], free_port, limits={"sessionTime": SESSION_TIME})
        async with running_relay(tmp_path, document) as relay:
            talk, errors, talker, drip, refused = await asyncio.gather(
                ended(relay, b"EHLO x\r\n", b"NOOP\r\n" * 100, 0.01),
                ended(relay, b"", b"XYZZY\r\n", 0.01),
                ended(relay, b"EHLO x\r\n", b"RSET\r\n", 0.5),
                ended(relay, TO_DATA + HEAD, b"x", 0.1),
                ended(relay, TO_DATA + b"no header\n", b"x" * 200 + b"\r\n", 0.01),
            )
    assert talk[0].startswith("421 4.7.0")
    assert talk[1] < SESSION_TIME
    assert errors[0].startswith("421 4.7.0")
    assert errors[1] < SESSION_TIME
    for reply, seconds in (talker, drip, refused):
        assert reply.startswith("421 4.7.0"), reply
        assert SESSION_TIME - 1 < seconds < SESSION_TIME + 5


async def test_a_slow_honest_message_outlives_the_session_time(tmp_path: Path, free_port: int) -> None:
    async with Sink() as sink:
        upstream = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": sink.port, "tls": {"mode": "None"}}
        document = relay_document([upstream], free_port, limits={"sessionTime": SESSION_TIME})
        async with running_relay(tmp_path, document) as relay:
            client = await Client.connect("127.0.0.1", relay.smtp)
            await client.send(TO_DATA + HEAD)
            for _ in range(SESSION_TIME + 3):
                await client.send((b"x" * 98 + b"\r\n") * 20)
                await asyncio.sleep(1)
            await client.send(b".\r\n")
            replies = [await client.reply() for _ in range(6)]
            await client.close()
    assert replies[-1].startswith("250 2.0.0 Ok: queued")
