"""Postfix as a client that logs in at the relay: over STARTTLS and implicit TLS, with PLAIN and LOGIN."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.postfix import postfix
from tests.support.relay_process import relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = [pytest.mark.integration, pytest.mark.slow]

MAIL = b"From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
MODULES = "libplain.so*"


def document(port: int, upstream: int, tls: str) -> dict[str, Any]:
    """A relay that nobody may use without a login."""
    out = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": upstream, "tls": {"mode": "None"}}
    listeners = [{"name": "smtp", "port": port, "tls": tls, "auth": "Required"}]
    return relay_document([out], port, listeners=listeners, clients={})


def secrets(pair: Pair) -> dict[str, str]:
    accounts = "shop@example.com:{PLAIN}a password\n"
    return {"tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": pair.key.read_text(), "smtp.accounts": accounts}


def settings(authority: Authority, password: str, mechanism: str, tls: str) -> list[str]:
    if not any(Path("/usr/lib").glob(f"*/sasl2/{MODULES}")):
        pytest.skip("Postfix logs in with modules of Cyrus; install Debian's libsasl2-modules")
    return [
        "smtp_tls_security_level = secure",
        f"smtp_tls_CAfile = {authority.folder / 'ca.pem'}",
        "smtp_tls_secure_cert_match = localhost",
        f"smtp_tls_wrappermode = {'yes' if tls == 'Implicit' else 'no'}",
        "smtp_sasl_auth_enable = yes",
        "smtp_sasl_security_options = noanonymous",
        f"smtp_sasl_mechanism_filter = {mechanism}",
        f"smtp_sasl_password_maps = static:{{shop@example.com:{password}}}",
    ]


@pytest.mark.parametrize("tls", ["StartTLS", "Implicit"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_postfix_logs_in_and_its_mail_leaves(tls: str, mechanism: str, tmp_path: Path, free_port: int) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("relay", subject_alt_name="DNS:localhost")
    lines = settings(authority, "a password", mechanism, tls)
    async with (
        ScriptedServer() as final,
        running_relay(tmp_path, document(free_port, final.port, tls), secrets(pair)) as relay,
    ):
        with postfix(f"[localhost]:{relay.smtp}", *lines) as client:
            await client.sendmail(MAIL, "app@example.com", ["b@example.net"])
            await relay.until("/v1/report", lambda one: one.get("delivered") == 1, 40)
        assert [one["account"] for one in relay.events("accepted")] == ["shop@example.com"]


async def test_postfix_keeps_its_mail_while_its_password_is_wrong(tmp_path: Path, free_port: int) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("relay", subject_alt_name="DNS:localhost")
    lines = settings(authority, "wrong", "plain", "StartTLS")
    async with (
        ScriptedServer() as final,
        running_relay(tmp_path, document(free_port, final.port, "StartTLS"), secrets(pair)) as relay,
    ):
        with postfix(f"[localhost]:{relay.smtp}", *lines) as client:
            await client.sendmail(MAIL, "app@example.com", ["b@example.net"])
            async with asyncio.timeout(30):
                while not re.search(r"status=deferred \(SASL authentication failed", client.log):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        assert relay.events("accepted") == []
        assert relay.events("login-refused")
