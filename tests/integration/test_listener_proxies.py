"""A listener behind proxies on real sockets: slow headers, headers in pieces, limits, and the end."""

import asyncio
import socket
from typing import Any

import pytest
from tests.support.listening import Bench, running_of
from tests.support.swaks import swaks

from mailhaul_relay.smtpin import arrival
from mailhaul_relay.smtpin.listener import Listener

pytestmark = pytest.mark.integration

MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
HEADER = b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 25\r\n"
PROXIED: dict[str, Any] = {"listeners": [{"name": "smtp", "port": 2525, "proxies": ["127.0.0.0/8", "::1/128"]}]}


def bench(**changes: Any) -> Bench:  # noqa: ANN401 - JSON
    return Bench(running_of({**PROXIED, **changes}))


async def connected(listener: Listener) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", listener.port)


async def said(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readline(), 10)


async def test_a_header_that_comes_octet_by_octet_is_one() -> None:
    one = bench()
    listener = await one.listen()
    reader, writer = await connected(listener)
    for octet in HEADER:
        writer.write(bytes([octet]))
        await asyncio.sleep(0.002)
    assert (await said(reader)).startswith(b"220 ")
    assert [session.client for session in listener._reception.sessions] == ["192.0.2.7"]
    writer.close()
    await listener.stop(1)


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "PATIENCE", 0.1)
    one = bench()
    listener = await one.listen()
    for octets in (b"", HEADER[:20], b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01"):
        reader, writer = await connected(listener)
        writer.write(octets)
        assert (await said(reader)).startswith(b"421 4.7.0 A PROXY")
        assert await reader.read() == b""
        writer.close()
    assert one.tally.sessions_refused["proxy-header"] == 3
    assert sum("no PROXY header in time" in line and '"proxy":"127.0.0.1"' in line for line in one.lines) == 3
    assert one.gate._total == 0
    await listener.stop(1)


async def test_waiting_for_a_slow_header_takes_no_turns_of_the_loop() -> None:
    one = bench()
    listener = await one.listen()
    _, writer = await connected(listener)
    writer.write(HEADER[:20])
    await asyncio.sleep(0.05)
    (waiting,) = listener._arrivals
    reads = 0
    read = waiting._read

    def counted() -> None:
        nonlocal reads
        reads += 1
        read()

    asyncio.get_running_loop().add_reader(waiting.connection, counted)
    await asyncio.sleep(0.2)
    assert reads == 0
    writer.close()
    await listener.stop(1)


async def test_connections_without_a_header_count_against_the_limit_of_all() -> None:
    one = bench(limits={"connections": 2})
    listener = await one.listen()
    held = [await connected(listener) for _ in range(2)]
    await asyncio.sleep(0.05)
    reader, writer = await connected(listener)
    assert (await said(reader)).startswith(b"421 4.7.0 Too many connections")
    for _, each in [*held, (reader, writer)]:
        each.close()
    await listener.stop(1)


async def test_the_limit_of_a_client_is_that_of_who_is_behind_the_proxy() -> None:
    one = bench(limits={"connectionsPerClient": 1})
    listener = await one.listen()
    lines, writers = [], []
    for header in (HEADER, HEADER.replace(b"192.0.2.7", b"192.0.2.8"), HEADER):
        reader, writer = await connected(listener)
        writer.write(header)
        lines.append(await said(reader))
        writers.append(writer)
    assert [line[:3] for line in lines] == [b"220", b"220", b"421"]
    for writer in writers:
        writer.close()
    await listener.stop(1)
    assert one.gate._total == 0


async def test_the_end_closes_what_waits_for_a_header() -> None:
    one = bench()
    listener = await one.listen()
    reader, writer = await connected(listener)
    await asyncio.sleep(0.05)
    await listener.stop(1)
    assert (await reader.read()).startswith(b"421 4.3.2 ")
    writer.close()
    assert one.gate._total == 0


async def test_a_look_whether_the_port_is_open_is_nobodys_mistake() -> None:
    one = bench()
    listener = await one.listen()
    reader, writer = await connected(listener)
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert not one.tally.sessions_refused
    assert not one.lines
    assert one.gate._total == 0
    await listener.stop(1)


async def test_a_proxy_that_resets_the_connection_leaves_nothing_behind() -> None:
    one = bench()
    listener = await one.listen()
    with socket.create_connection(("127.0.0.1", listener.port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)
    assert not listener._arrivals
    assert one.gate._total == 0
    await listener.stop(1)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(("family", "client"), [("4", "192.0.2.7"), ("6", "2001:db8::7")])
async def test_what_swaks_says_as_a_proxy_is_understood(version: str, family: str, client: str) -> None:
    one = bench(clients={"allowedNetworks": [f"{client}/128" if family == "6" else f"{client}/32"]})
    listener = await one.listen()
    names = {"1": f"TCP{family}", "2": f"AF_INET{'6' if family == '6' else ''}"}
    to = "2001:db8::1" if family == "6" else "10.0.0.1"
    proxy = ["--proxy-version", version, "--proxy-family", names[version], "--proxy-source", client]
    proxy += ["--proxy-source-port", "12345", "--proxy-dest", to, "--proxy-dest-port", "25"]
    proxy += ["--proxy-command", "PROXY", "--proxy-protocol", "STREAM"] if version == "2" else []
    told = await swaks(listener.port, "--from", "app@example.com", "--to", "b@example.net", *proxy, content=MAIL)
    assert told.code == 0, told.transcript
    assert [each.envelope.client for each in one.accepted] == [client]
    await listener.stop(1)
