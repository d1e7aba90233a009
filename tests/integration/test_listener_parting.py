"""A listener that takes no session, or no more of one, says so at once: it drains, or there are too many."""

import asyncio

import pytest
from tests.support.listening import Bench, running_of

pytestmark = pytest.mark.integration

SOON = 3.0


async def _line(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readline(), SOON)


async def test_idle_and_new_sessions_hear_of_the_drain_at_once_and_are_served_after_it() -> None:
    bench = Bench()
    listener = await bench.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        assert (await _line(reader)).startswith(b"220 ")
        listener.drain(draining=True)
        assert (await _line(reader)).startswith(b"421 4.3.2 ")
        writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await _line(reader)).startswith(b"421 4.3.2 ")
        writer.close()
        listener.drain(draining=False)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await _line(reader)).startswith(b"220 ")
    finally:
        writer.close()
        await asyncio.wait_for(listener.stop(0), SOON)


async def test_a_mail_behind_the_one_under_way_is_not_begun() -> None:
    bench = Bench()
    listener = await bench.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        writer.write(b"HELO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n")
        while not (await _line(reader)).startswith(b"354"):
            pass
        listener.drain(draining=True)
        writer.write(b"From: app@example.com\r\n\r\ntext\r\n.\r\nMAIL FROM:<app@example.com>\r\n")
        assert (await _line(reader)).startswith(b"250 2.0.0 Ok: queued")
        assert (await _line(reader)).startswith(b"421 4.3.2 ")
    finally:
        writer.close()
        await asyncio.wait_for(listener.stop(0), SOON)


async def test_a_connection_too_many_is_told_why_at_once() -> None:
    bench = Bench(running_of({"limits": {"connections": 1}}))
    listener = await bench.listen()
    first, held = await asyncio.open_connection("127.0.0.1", listener.port)
    assert (await _line(first)).startswith(b"220 ")
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    try:
        assert (await _line(reader)).startswith(b"421 4.7.0 Too many connections")
    finally:
        writer.close()
        held.close()
        await asyncio.wait_for(listener.stop(0), SOON)
