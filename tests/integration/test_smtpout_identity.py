"""Client certificates: shown where they are configured, refused ones told, and nothing of a key in any text."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.outgoing import USUAL, Outgoing, upstream
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.secrets import Certificate
from mailhaul_relay.smtpout.access import Access
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.probe import Login, probe

pytestmark = pytest.mark.integration
MODES = pytest.mark.parametrize(("mode", "served"), [("StartTLS", "starttls"), ("Implicit", "implicit")])
VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other-ca"))


@pytest.fixture(scope="module")
def server_pair(authority: Authority) -> Pair:
    return authority.issue("server", subject_alt_name="IP:127.0.0.1")


def strict(pair: Pair, authority: Authority, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """A server that wants a certificate of this authority."""
    context = pair.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    context.maximum_version = version
    return context


def identity(authority: Authority, name: str = "relay") -> Certificate:
    pair = authority.issue(name, subject_alt_name=f"DNS:{name}.example.com")
    return Certificate(pair.chain.read_bytes(), pair.key.read_bytes())


async def sent(
    port: int, authority: Authority, mode: str, shown: Certificate | None, *, configured: bool = True
) -> Outcome:
    """Send one mail with a certificate configured; nothing of its key is to be read anywhere afterwards."""
    up = upstream(port, tls={"mode": mode, "ca": authority.pem, "clientCertificate": configured})
    out = Outgoing(up, Logins(None, access=Access(shown)), USUAL)
    try:
        (outcome,) = await out.send()
    finally:
        await out.transport.close()
    seen = f"{outcome!r} {out.lines!r} {vars(out.logins)!r} {vars(out.transport)!r}"
    assert "PRIVATE KEY" not in seen
    return outcome


@MODES
@VERSIONS
async def test_the_certificate_is_shown_to_an_upstream_that_wants_one(
    mode: str, served: str, version: ssl.TLSVersion, authority: Authority, server_pair: Pair
) -> None:
    async with ScriptedServer({"tls": served}, strict(server_pair, authority, version)) as server:
        outcome = await sent(server.port, authority, mode, identity(authority))
        assert outcome.verdict is Verdict.DELIVERED


@contextmanager
def alerting(context: ssl.SSLContext) -> Iterator[int]:
    """A server for one handshake on a socket of the ssl module, which sends its alert where asyncio's drops it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)

        def serve() -> None:
            connection, _ = listening.accept()
            connection.settimeout(10)
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            thread.join(20)


@VERSIONS
@pytest.mark.parametrize("shows", [True, False], ids=["of-a-stranger", "none"])
async def test_a_certificate_that_the_upstream_refuses_is_told(
    shows: bool, version: ssl.TLSVersion, authority: Authority, other: Authority, server_pair: Pair
) -> None:
    with alerting(strict(server_pair, authority, version)) as port:
        outcome = await sent(port, authority, "Implicit", identity(other) if shows else None, configured=shows)
    assert (outcome.verdict, outcome.fault) == (Verdict.RETRY, Fault.TLS), outcome
    # TLS 1.2 has no alert of its own for a certificate that is wanted and not shown.
    known = "HANDSHAKE_FAILURE" if version is ssl.TLSVersion.TLSv1_2 and not shows else "refused our certificate"
    assert known in outcome.detail
    assert "clientCertificateRef" in outcome.remedy


async def test_a_certificate_that_is_missing_or_fits_no_key_is_held(
    authority: Authority, other: Authority, server_pair: Pair
) -> None:
    mine, theirs = identity(authority), identity(other)
    async with ScriptedServer({"tls": "starttls"}, server_pair.context()) as server:
        unusable = (
            None,
            Certificate(mine.chain, b""),
            Certificate(mine.chain, theirs.key),
            Certificate(b"x", mine.key),
        )
        for shown in unusable:
            outcome = await sent(server.port, authority, "StartTLS", shown)
            assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
            assert "clientCertificateRef" in outcome.remedy
        assert not server.messages


async def test_a_probe_shows_the_certificate_too(authority: Authority, server_pair: Pair) -> None:
    async with ScriptedServer({"tls": "starttls"}, strict(server_pair, authority)) as server:
        up = upstream(server.port, tls={"mode": "StartTLS", "ca": authority.pem, "clientCertificate": True})
        shown = Access(identity(authority))
        found = await probe(up, "relay.example.com", Login(None, access=shown))
        assert ([one.value for one in found.passed], found.outcome) == (["Connect", "TLS", "EHLO"], None)
