"""A listener on real sockets: both address families, certificates replaced live, descriptors run out, the end."""

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.certificates import Authority
from tests.support.listening import Bench, running_of

from mailhaul_contract.accounts import parse_accounts
from mailhaul_relay.model.secrets import Certificate, Secrets
from mailhaul_relay.smtpin.listener import Listener
from mailhaul_relay.smtpin.tls import CertificateError

pytestmark = pytest.mark.integration

GREETED = b"EHLO x\r\nMAIL FROM:<app@example.com>\r\nRCPT TO:<joe@example.net>\r\nDATA\r\n"
MESSAGE = b"From: app@example.com\r\n\r\nhi\r\n.\r\n"


class Client:
    """A client on a real socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, code: bytes) -> bytes:
        """Read lines up to the one that begins with the code and a blank."""
        while True:
            line = await asyncio.wait_for(self.reader.readline(), 10)
            if not line or line.startswith(code + b" "):
                return line

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)


@asynccontextmanager
async def client_of(port: int, host: str = "127.0.0.1") -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(host, port)
    client = Client(reader, writer)
    try:
        assert await client.until(b"220")
        yield client
    finally:
        writer.close()


async def mail(port: int, host: str = "127.0.0.1") -> None:
    async with client_of(port, host) as client:
        client.send(GREETED + MESSAGE + b"QUIT\r\n")
        assert await client.until(b"221")


def certificate(folder: Path, name: str) -> tuple[Certificate, ssl.SSLContext]:
    folder.mkdir()
    authority = Authority(folder)
    pair = authority.issue(name, subject_alt_name="IP:127.0.0.1")
    return (
        Certificate(pair.chain.read_bytes(), pair.key.read_bytes()),
        ssl.create_default_context(cadata=authority.pem),
    )


@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="needs IPv6 on this machine")
async def test_all_addresses_are_served_over_both_families_and_a_client_has_one_name() -> None:
    bench = Bench()
    listener = await Listener.open(bench.spec, "", bench.services, port=0)
    await mail(listener.port, "127.0.0.1")
    await mail(listener.port, "::1")
    await listener.stop(1)
    assert [one.envelope.client for one in bench.accepted[:1]] == ["127.0.0.1"]
    assert bench.tally.sessions_opened == 2


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    bench = Bench()
    listener = await bench.listen()
    with pytest.raises(OSError, match="in use"):
        await Listener.open(bench.spec, "127.0.0.1", bench.services, port=listener.port)
    await listener.stop(0)


async def test_certificates_are_replaced_while_sessions_go_on(tmp_path: Path) -> None:
    bench = Bench(running_of({"listeners": [{"name": "smtp", "port": 2525, "tls": "StartTLS"}]}, _secrets(tmp_path)))
    listener = await bench.listen()
    second, trust = certificate(tmp_path / "second", "second")
    async with client_of(listener.port) as client:
        listener.replace_certificate(second)
        client.send(b"EHLO x\r\n")
        assert await client.until(b"250")
        client.send(b"STARTTLS\r\n")
        assert await client.until(b"220")
        await client.writer.start_tls(trust)
        client.send(GREETED + MESSAGE)
        assert b"queued as" in await _queued(client)
    assert len(bench.accepted) == 1
    await listener.stop(1)


async def test_certificates_of_implicit_tls_are_replaced_while_sessions_go_on(tmp_path: Path) -> None:
    first, trust_first = certificate(tmp_path / "first", "first")
    listeners = [{"name": "smtp", "port": 2525, "tls": "Implicit"}]
    bench = Bench(running_of({"listeners": listeners}, Secrets(certificates={"smtp": first})))
    listener = await bench.listen()
    second, trust_second = certificate(tmp_path / "second", "second")
    old = Client(*await asyncio.open_connection("127.0.0.1", listener.port, ssl=trust_first))
    listener.replace_certificate(second)
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", listener.port, ssl=trust_first)
    new = Client(*await asyncio.open_connection("127.0.0.1", listener.port, ssl=trust_second))
    for client in (old, new):
        client.send(GREETED + MESSAGE)
        assert b"queued as" in await _queued(client)
        client.writer.close()
    assert len(bench.accepted) == 2
    await listener.stop(1)


async def test_who_is_turned_away_from_a_port_for_tls_hears_no_clear_text(tmp_path: Path) -> None:
    listeners = [{"name": "smtp", "port": 2525, "tls": "Implicit"}]
    bench = Bench(running_of({"listeners": listeners, "limits": {"connections": 1}}, _secrets(tmp_path)))
    listener = await bench.listen()
    first, second = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(2)]
    assert await asyncio.wait_for(second[0].read(), 10) == b""
    assert bench.tally.sessions_refused["connections"] == 1
    for _, writer in (first, second):
        writer.close()
    await listener.stop(1)


async def test_a_client_that_goes_while_its_password_is_checked_leaves_nothing_behind(tmp_path: Path) -> None:
    pair, trust = certificate(tmp_path / "first", "first")
    accounts = parse_accounts(b"shop:{PLAIN}right").passwords
    listeners = [{"name": "smtp", "port": 2525, "tls": "Implicit", "auth": "Optional"}]
    bench = Bench(running_of({"listeners": listeners}, Secrets(certificates={"smtp": pair}, accounts=accounts)))
    listener = await bench.listen()
    client = Client(*await asyncio.open_connection("127.0.0.1", listener.port, ssl=trust))
    client.send(b"EHLO x\r\nAUTH PLAIN AHNob3AAd3Jvbmc=\r\n")
    assert await client.until(b"250")
    client.writer.transport.abort()
    await asyncio.sleep(0.05)
    assert not listener._reception.sessions
    assert bench.tally.logins["refused"] == 1
    await listener.stop(1)


async def test_a_certificate_that_cannot_be_used_leaves_the_one_before(tmp_path: Path) -> None:
    bench = Bench(running_of({"listeners": [{"name": "smtp", "port": 2525, "tls": "StartTLS"}]}, _secrets(tmp_path)))
    listener = await bench.listen()
    with pytest.raises(CertificateError, match="PEM chain"):
        listener.replace_certificate(Certificate(b"nonsense", b"secret"))
    async with client_of(listener.port) as client:
        client.send(b"EHLO x\r\n")
        assert b"250-STARTTLS\r\n" in [await client.reader.readline() for _ in range(7)]
    listener.replace_certificate(None)
    async with client_of(listener.port) as client:
        client.send(b"EHLO x\r\nSTARTTLS\r\n")
        assert await client.until(b"502")
    await listener.stop(1)


async def test_old_protocol_versions_are_not_spoken(tmp_path: Path) -> None:
    bench = Bench(running_of({"listeners": [{"name": "smtp", "port": 2525, "tls": "StartTLS"}]}, _secrets(tmp_path)))
    listener = await bench.listen()
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with client_of(listener.port) as client:
        client.send(b"EHLO x\r\nSTARTTLS\r\n")
        await client.until(b"220")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await client.writer.start_tls(old)
    await listener.stop(1)
    assert bench.tally.sessions_open == 0


async def test_stopping_ends_idle_sessions_and_lets_a_message_finish() -> None:
    bench = Bench()
    listener = await bench.listen()
    async with client_of(listener.port) as idle, client_of(listener.port) as busy:
        busy.send(GREETED)
        assert await busy.until(b"354")
        stopping = asyncio.ensure_future(listener.stop(10))
        assert (await idle.until(b"421")).startswith(b"421 4.3.2 ")
        idle.writer.close()
        busy.send(MESSAGE)
        assert await busy.until(b"250")
        assert (await busy.until(b"421")).startswith(b"421 4.3.2 ")
        busy.writer.close()
        await asyncio.wait_for(stopping, 5)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncio.open_connection("127.0.0.1", listener.port)
    assert len(bench.accepted) == 1


async def test_a_session_that_does_not_finish_is_cut_when_the_grace_is_over() -> None:
    bench = Bench()
    listener = await bench.listen()
    async with client_of(listener.port) as busy:
        busy.send(GREETED)
        assert await busy.until(b"354")
        await asyncio.wait_for(listener.stop(0.1), 5)
        assert await busy.until(b"421")
    assert bench.accepted == []
    assert bench.tally.sessions_open == 0


async def test_a_listener_without_descriptors_pauses_and_recovers() -> None:
    bench = Bench()
    listener = await bench.listen()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    one = socket.create_connection(("127.0.0.1", listener.port))
    free = one.fileno() + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        await asyncio.sleep(0.1)
        assert any("accept-paused" in line for line in bench.lines)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    one.setblocking(False)
    greeting = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one, 100), 5)
    assert greeting.startswith(b"220 ")
    one.close()
    await listener.stop(1)


async def test_connections_over_the_limits_are_told_why_before_any_work() -> None:
    bench = Bench(running_of({"limits": {"connections": 3, "connectionsPerClient": 2}}))
    listener = await bench.listen()
    async with client_of(listener.port), client_of(listener.port):
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await reader.read()).startswith(b"421 4.7.0 Too many connections from your address")
        writer.close()
    assert bench.tally.sessions_refused["client-connections"] == 1
    assert bench.tally.sessions_opened == 2
    await listener.stop(1)


def _secrets(folder: Path) -> Secrets:
    return Secrets(certificates={"smtp": certificate(folder / "first", "first")[0]})


async def _queued(client: Client) -> bytes:
    for _ in range(20):
        line = await asyncio.wait_for(client.reader.readline(), 10)
        if b"queued as" in line:
            return line
    return b""
