"""Clients of others log in at a relay process: swaks and smtplib, over STARTTLS and on the port for TLS."""

import asyncio
import base64
import hashlib
import itertools
import smtplib
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.certificates import Authority
from tests.support.free_ports import free_port
from tests.support.mounts import Mounts
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.support.swaks import swaks

pytestmark = pytest.mark.integration

USER, PASSWORD = "shop@example.com", "canary-password-9f1c"
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
ENVELOPE = ("--from", "app@example.com", "--to", "b@example.net")
ALLOWED_GROWTH = 64 * 1024
"""KiB."""


def scrypt(password: str) -> str:
    salt = b"sixteen octets.."
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, maxmem=2**26, dklen=32)
    told = [base64.b64encode(one).decode().rstrip("=") for one in (salt, digest)]
    return f"$scrypt$ln=14,r=8,p=1${told[0]}${told[1]}"


def accounts(password: str) -> str:
    return f"{USER}:{scrypt(password)}\nerp:{{PLAIN}}another\n"


class Stage:
    """A relay that nobody may use without a login, between clients and a server that remembers."""

    def __init__(
        self, relay: RelayProcess, server: ScriptedServer, ports: tuple[int, int], authority: Authority, mounts: Mounts
    ) -> None:
        self.relay, self.server, self.authority, self.mounts = relay, server, authority, mounts
        self.submission, self.submissions = ports
        self.context = ssl.create_default_context(cadata=authority.pem)

    async def connect(self, implicit: bool, source: str = "127.0.0.1") -> smtplib.SMTP:
        return await asyncio.to_thread(self._connect, implicit, source)

    def _connect(self, implicit: bool, source: str) -> smtplib.SMTP:
        at: dict[str, Any] = {"timeout": 30, "source_address": (source, 0)}
        if implicit:
            return smtplib.SMTP_SSL("localhost", self.submissions, context=self.context, **at)
        client = smtplib.SMTP("localhost", self.submission, **at)
        client.starttls(context=self.context)
        return client


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    authority = Authority(tmp_path)
    async with ScriptedServer() as server:
        ports = (free_port(), free_port())
        mounts = Mounts(tmp_path, secrets(authority, PASSWORD), "one")
        async with running_relay(tmp_path, document(server, ports, "one")) as relay:
            yield Stage(relay, server, ports, authority, mounts)


def secrets(authority: Authority, password: str) -> dict[str, str]:
    pair = authority.issue("relay", subject_alt_name="DNS:localhost,IP:127.0.0.1")
    names = ("submission", "submissions")
    files = {f"tls.{name}.crt": pair.chain.read_text() for name in names}
    files |= {f"tls.{name}.key": pair.key.read_text() for name in names}
    return files | {"smtp.accounts": accounts(password)}


def document(server: ScriptedServer, ports: tuple[int, int], revision: str) -> dict[str, Any]:
    up = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
    listeners = [
        {"name": "submission", "port": ports[0], "tls": "StartTLS", "tlsRequired": True, "auth": "Required"},
        {"name": "submissions", "port": ports[1], "tls": "Implicit", "auth": "Required"},
    ]
    return relay_document([up], 0, listeners=listeners, clients={}, secretRevision=revision)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
async def test_swaks_logs_in(stage: Stage, mechanism: str, implicit: bool) -> None:
    port, tls = (stage.submissions, "--tls-on-connect") if implicit else (stage.submission, "--tls")
    trust = ("--tls-verify", "--tls-ca-path", str(stage.authority.folder / "ca.pem"))
    login = ("--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD)
    told = await swaks(port, *ENVELOPE, tls, *trust, *login, content=MAIL)
    if "Net::SSLeay" in told.transcript:
        pytest.skip("swaks has no TLS here: `make setup` as root, or install the package libnet-ssleay-perl")
    assert told.code == 0, told.transcript
    await stage.relay.until("/v1/report", lambda one: one.get("delivered") == 1)
    assert b"with ESMTPSA" in stage.server.accepted[0].data
    assert stage.relay.events("accepted")[0]["account"] == USER
    assert PASSWORD not in stage.relay.log()


@pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])
async def test_smtplib_logs_in_and_is_refused_without(stage: Stage, implicit: bool) -> None:
    client = await stage.connect(implicit)
    with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
        await asyncio.to_thread(client.sendmail, "app@example.com", ["b@example.net"], MAIL)
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        await asyncio.to_thread(client.login, USER, "wrong")
    assert refused.value.smtp_code == 535
    await asyncio.to_thread(client.login, USER, PASSWORD)
    await asyncio.to_thread(client.sendmail, "app@example.com", ["b@example.net"], MAIL)
    await asyncio.to_thread(client.quit)
    metrics = (await stage.relay.get("/metrics")).body.decode()
    assert 'mailhaul_logins_total{result="accepted"} 1.0' in metrics


async def test_a_password_in_clear_text_is_not_even_looked_at(stage: Stage) -> None:
    client = smtplib.SMTP("localhost", stage.submission, timeout=10)
    assert client.ehlo()[0] == 250
    assert not client.has_extn("auth")
    response = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
    assert client.docmd("AUTH", f"PLAIN {response}")[0] == 538
    client.quit()
    assert response not in stage.relay.log()


async def test_changed_accounts_count_at_once_and_end_the_sessions_of_those_that_are_gone(stage: Stage) -> None:
    client = await stage.connect(implicit=True)
    await asyncio.to_thread(client.login, USER, PASSWORD)
    stage.mounts.secrets(secrets(stage.authority, "a new password"), "two")
    stage.mounts.config(document(stage.server, (stage.submission, stage.submissions), "two"))
    await stage.relay.until("/v1/report", lambda one: one.get("secretRevision") == "two")
    with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
        await asyncio.to_thread(client.sendmail, "app@example.com", ["b@example.net"], MAIL)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(client.login, USER, PASSWORD)
    await asyncio.to_thread(client.login, USER, "a new password")
    await asyncio.to_thread(client.sendmail, "app@example.com", ["b@example.net"], MAIL)
    client.close()


async def test_the_memory_of_a_check_is_given_back(stage: Stage) -> None:
    (await _logged_in(stage, "127.0.0.1")).close()
    before = stage.relay.pss()
    client = await stage.connect(implicit=True)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(client.login, USER, "wrong")
    client.close()
    assert stage.relay.pss() - before < 4096


@pytest.mark.slow
async def test_a_flood_of_logins_costs_bounded_memory_and_keeps_no_honest_client_waiting(stage: Stage) -> None:
    (await _logged_in(stage, "127.0.2.7")).close()
    before = stage.relay.pss()
    flood = [asyncio.create_task(_guess(stage, f"127.0.1.{1 + number}")) for number in range(40)]
    async with asyncio.timeout(30):
        while not stage.relay.events("login-ban"):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    began = asyncio.get_running_loop().time()
    client = await _logged_in(stage, "127.0.2.1")
    await asyncio.to_thread(client.sendmail, "app@example.com", ["b@example.net"], MAIL)
    took = asyncio.get_running_loop().time() - began
    grown = stage.relay.pss() - before
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    client.close()
    assert took < 15, took
    assert grown < ALLOWED_GROWTH, grown


async def _logged_in(stage: Stage, source: str) -> smtplib.SMTP:
    client = await stage.connect(implicit=True, source=source)
    await asyncio.to_thread(client.login, USER, PASSWORD)
    return client


async def _guess(stage: Stage, source: str) -> None:
    """Try passwords again and again, over as many connections as it takes."""
    for number in itertools.count():
        response = base64.b64encode(f"\0{USER}\0wrong {source} {number}".encode())
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", stage.submissions, ssl=stage.context, server_hostname="localhost", local_addr=(source, 0)
            )
            try:
                writer.write(b"EHLO x\r\nAUTH PLAIN " + response + b"\r\nQUIT\r\n")
                while await reader.readline():
                    pass
            finally:
                writer.transport.abort()
