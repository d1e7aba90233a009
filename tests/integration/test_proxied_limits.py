"""Connections of a proxy that have not told whose they are count, too: a flood is refused, others are served."""

import asyncio

import pytest
from tests.support.listening import Bench, running_of

pytestmark = pytest.mark.integration

LISTENER = {"name": "smtp", "port": 2525, "proxies": ["127.0.0.0/8"]}


async def test_connections_without_a_header_yet_are_limited_and_give_their_places_back() -> None:
    bench = Bench(running_of({"listeners": [LISTENER], "limits": {"connections": 2}}))
    listener = await bench.listen()
    held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"421 4.7.0 Too many connections")
    writer.close()
    for _, one in held:
        one.close()
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    writer.write(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 25\r\n")
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"220 ")
    writer.close()
    await listener.stop(0)
