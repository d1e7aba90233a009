"""Canaries: a credential, a token or a private key of the relay is seen by nobody but the upstream's AUTH.

Everything that the relay says is gathered (log at every event of this test, report, metrics, queue, errors, replies to
clients, the mail that leaves, its command line and environment) while logins succeed, fail and break.
"""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority
from tests.support.relay_process import TOKEN, RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration

USER, PASSWORD, SRS = "canary-user-31c7", "canary-password-e0b2", "canary-srs-77aa"
MAIL = "From: app@example.com\nTo: b@example.net\nSubject: one\n\ntext\n"
PATHS = ("/v1/report", "/metrics", "/healthz", "/readyz", "/v1/queue", "/v1/queue/nothing", "/nothing", "/inbox")


def forms(secret: str) -> set[str]:
    """A secret as it is and as AUTH encodes it."""
    plain = f"\0{USER}\0{secret}".encode()
    return {secret, base64.b64encode(secret.encode()).decode(), base64.b64encode(plain).decode()}


CANARIES = forms(PASSWORD) | forms(SRS) | {TOKEN, base64.b64encode(TOKEN.encode()).decode()}


async def everything(relay: RelayProcess) -> str:
    """All that the relay shows, with and without the right token."""
    shown = [await relay.get(path, token=token) for path in PATHS for token in (True, False)]
    rows = (await relay.get("/v1/queue")).json()["messages"]
    shown += [await relay.get(f"/v1/queue/{row['id']}") for row in rows]
    process = Path(f"/proc/{relay.process.pid}")
    outside = (process / "cmdline").read_text(encoding="utf-8") + (process / "environ").read_text(encoding="utf-8")
    answers = "".join(f"{one.headers}{one.body.decode('utf-8', 'replace')}" for one in shown)
    return answers + relay.log() + outside + await _replies(relay)


async def _replies(relay: RelayProcess) -> str:
    """What a client is told, right and wrong."""
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.smtp)
    commands = ("EHLO x", "AUTH PLAIN AAAA", "MAIL FROM:<app@example.com>", "RCPT TO:<@>", "HELP", "QUIT")
    writer.write("".join(f"{one}\r\n" for one in commands).encode())
    said = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    return said.decode()


async def test_no_canary_is_ever_shown_or_sent_but_to_auth(tmp_path: Path, free_port: int) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("relay", subject_alt_name="DNS:localhost,IP:127.0.0.1")
    key = pair.key.read_text()
    secrets = {
        "provider.up.username": USER, "provider.up.password": PASSWORD, "srs.secret": SRS,
        "tls.smtp.crt": pair.chain.read_text(), "tls.smtp.key": key,
    }  # fmt: skip
    echo = f"535 5.7.8 you said {PASSWORD}, {base64.b64encode(PASSWORD.encode()).decode()}"
    stations: tuple[dict[str, Any], ...] = (
        {"accounts": {USER: PASSWORD}},
        {"accounts": {USER: "other"}},
        {"accounts": {USER: "other"}, "steps": {"auth": echo}},
        {"accounts": {USER: PASSWORD}, "steps": {"auth": "drop"}},
        {"accounts": {USER: PASSWORD}, "steps": {"dot": "550 5.7.1 spam"}},
    )
    async with ScriptedServer() as server:
        up = {"name": "up", "provider": "up", "host": "127.0.0.1", "port": server.port, "tls": {"mode": "None"}}
        seen = ""
        for number, (script, mechanism) in enumerate((s, m) for s in stations for m in ("Plain", "Login")):
            server.play(script)
            folder = tmp_path / str(number)
            folder.mkdir()
            listeners = [{"name": "smtp", "port": free_port, "tls": "StartTLS"}]
            aliases = {"domains": ["own.example"], "srs": {"domain": "own.example"}}
            document = relay_document([up | {"auth": mechanism}], free_port, listeners=listeners, aliases=aliases)
            async with running_relay(folder, document, secrets) as relay:
                await relay.submit(MAIL)
                await relay.until("/v1/report", lambda one: one["upstreams"][0].get("lastReply"))
                seen += await everything(relay)
        logins = [one for one in server.commands if "AUTH" in one]
        wire = "".join(one.data.decode("latin-1") + one.helo for one in server.messages)
        wire += "".join(one for one in server.commands if "AUTH" not in one and not _is_response(one))
    assert len(logins) >= len(stations)
    assert USER not in wire
    assert key.splitlines()[1] not in seen + wire
    for canary in CANARIES:
        assert canary not in seen, canary
        assert canary not in wire, canary


def _is_response(command: str) -> bool:
    """The lines of AUTH LOGIN behind its command."""
    return command.partition(" ")[2] in {base64.b64encode(one.encode()).decode() for one in (USER, PASSWORD)}


async def test_a_password_is_never_sent_before_tls_is_up_and_proved(tmp_path: Path, free_port: int) -> None:
    """Three upstreams that want the password too early: no STARTTLS, a stranger's certificate, TLS that breaks."""
    authority = Authority(tmp_path)
    stranger = authority.issue("stranger", subject_alt_name="DNS:other.example")
    account = {"accounts": {USER: PASSWORD}}
    async with (
        ScriptedServer(account) as plain,
        ScriptedServer(account | {"tls": "starttls"}, stranger.context()) as wrong,
        ScriptedServer(account | {"tls": "starttls", "steps": {"starttls": "454 4.7.0 TLS not available"}}) as broken,
    ):
        servers = (plain, wrong, broken)
        tls = {"mode": "StartTLS", "ca": authority.pem}
        ups = [
            {"name": f"up{n}", "provider": f"up{n}", "host": "127.0.0.1", "port": one.port, "tls": tls, "auth": "Auto"}
            for n, one in enumerate(servers)
        ]
        secrets = {
            f"provider.up{n}.{what}": v for n in range(3) for what, v in (("username", USER), ("password", PASSWORD))
        }
        async with running_relay(tmp_path, relay_document(ups, free_port), secrets) as relay:
            await relay.submit(MAIL)
            report = await relay.until(
                "/v1/report",
                lambda one: not one["queue"]["queued"] and all(up.get("lastReply") for up in one["upstreams"]),
            )
            assert {up["breakerFault"] for up in report["upstreams"]} == {"tls"}
            assert report["queue"]["held"] + report["queue"].get("deferred", 0) == 1
        for server in servers:
            assert not [one for one in server.commands if "AUTH" in one or "MAIL" in one]
