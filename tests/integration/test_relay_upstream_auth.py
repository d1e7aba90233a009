"""A real relay that shows a certificate, and one that logs in with access tokens: rotated live, told, kept secret."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.mounts import Mounts
from tests.support.relay_process import RelayProcess, relay_document, running_relay
from tests.support.scripted_server import ScriptedServer
from tests.support.token_server import CLIENT, SECRET, TokenServer

pytestmark = pytest.mark.integration
USER = "noreply@example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("server", subject_alt_name="IP:127.0.0.1")


def mail(domain: str) -> str:
    return f"From: app@{domain}\nTo: b@example.net\nSubject: one\n\ntext\n"


async def upstream(relay: RelayProcess, name: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait until an upstream's report is as wanted; gives it."""

    def found(report: dict[str, Any]) -> dict[str, Any]:
        return next(one for one in report["upstreams"] if one["name"] == name)

    return found(await relay.until("/v1/report", lambda report: condition(found(report))))


async def applied(relay: RelayProcess, revision: str) -> None:
    await relay.until("/v1/report", lambda report: report["secretRevision"] == revision)


def shown(pair: Pair) -> dict[str, str]:
    return {"provider.strict.tls.crt": pair.chain.read_text(), "provider.strict.tls.key": pair.key.read_text()}


@dataclass
class Two:
    """A provider that wants a certificate, for a.example, and one that wants none, for b.example."""

    strict: ScriptedServer
    other: ScriptedServer
    authority: Authority
    port: int

    def document(self, revision: str) -> dict[str, Any]:
        ups = [self._upstream("strict", self.strict, "a.example"), self._upstream("other", self.other, "b.example")]
        ups[0]["tls"]["clientCertificate"] = True
        return relay_document(ups, self.port, secretRevision=revision)

    def _upstream(self, name: str, server: ScriptedServer, domain: str) -> dict[str, Any]:
        rest = {"connections": {"idleTimeout": 60}, "senders": {"domains": [domain]}, "tls": {"ca": self.authority.pem}}
        return {"name": name, "provider": name, "host": "127.0.0.1", "port": server.port, **rest}


@asynccontextmanager
async def two(authority: Authority, pair: Pair, port: int) -> AsyncIterator[Two]:
    context = pair.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    script = {"tls": "starttls"}
    async with ScriptedServer(script, context) as strict, ScriptedServer(script, pair.context()) as other:
        yield Two(strict, other, authority, port)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that servers of this loop see."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_renewed_client_certificate_is_used_at_once_and_drops_no_other_connection(
    tmp_path: Path, free_port: int, authority: Authority, pair: Pair
) -> None:
    first = authority.issue("relay-first", subject_alt_name="DNS:relay.example.com")
    second = authority.issue("relay-second", subject_alt_name="DNS:relay.example.com")
    async with two(authority, pair, free_port) as providers:
        strict, other = providers.strict, providers.other
        mounts = Mounts(tmp_path, shown(first), "r1")
        async with running_relay(tmp_path, providers.document("r1")) as relay:
            for domain in ("a.example", "b.example"):
                await relay.submit(mail(domain), f"app@{domain}")
            await until(lambda: len(strict.accepted) == len(other.accepted) == 1)
            # One mail is under way with the old certificate while the new one comes.
            strict.play({"tls": "starttls", "steps": {"dot": {"delay": 1.5, "times": 1}}})
            await relay.submit(mail("a.example"), "app@a.example")
            await until(lambda: strict.commands.count("1 DATA") == 2)
            mounts.secrets(shown(second), "r2")
            mounts.config(providers.document("r2"))
            await applied(relay, "r2")
            for domain in ("a.example", "b.example"):
                await relay.submit(mail(domain), f"app@{domain}")
            await until(lambda: (len(strict.accepted), len(other.accepted)) == (3, 2))
    assert strict.peers == ["relay-first", "relay-second"]
    assert sorted(one.connection for one in strict.accepted) == [1, 1, 2]
    assert [one.connection for one in other.accepted] == [1, 1]


async def test_a_certificate_with_the_key_of_another_holds_the_mail_and_is_told(
    tmp_path: Path, free_port: int, authority: Authority, pair: Pair
) -> None:
    first = authority.issue("relay-one", subject_alt_name="DNS:relay.example.com")
    other = authority.issue("relay-two", subject_alt_name="DNS:relay.example.com")
    Mounts(tmp_path, shown(Pair(first.chain, other.key)), "r1")
    async with two(authority, pair, free_port) as providers:
        async with running_relay(tmp_path, providers.document("r1")) as relay:
            await relay.submit(mail("a.example"), "app@a.example")
            known = await upstream(relay, "strict", lambda one: one["breaker"] == "Open" and one["held"] == 1)
            assert known["breakerFault"] == "tls"
            assert "clientCertificateRef" in known["lastReply"]["remedy"]
            assert b"PRIVATE KEY" not in (await relay.get("/v1/report")).body
        assert "PRIVATE KEY" not in relay.log()
        assert providers.strict.accepted == []


def client(secret: str, kind: str = "") -> dict[str, str]:
    return {
        f"provider.up.{kind}username": USER,
        f"provider.up.{kind}clientId": CLIENT,
        f"provider.up.{kind}clientSecret": secret,
    }


async def test_tokens_are_fetched_a_wrong_new_client_secret_stops_no_mail_and_nothing_secret_is_stored(
    tmp_path: Path, free_port: int, authority: Authority, pair: Pair
) -> None:
    accounts = {"tls": "starttls", "accounts": {USER: "token-canary-1"}, "mechanisms": ["XOAUTH2"]}
    async with ScriptedServer(accounts, pair.context()) as server, TokenServer(pair.context()) as issuer:

        def document(revision: str) -> dict[str, Any]:
            oauth = {"grant": "ClientCredentials", "tokenUrl": issuer.url, "scope": "mail", "ca": authority.pem}
            up: dict[str, Any] = {
                "name": "up",
                "provider": "up",
                "host": "127.0.0.1",
                "port": server.port,
                "auth": "XOAuth2",
            }
            return relay_document(
                [{**up, "tls": {"ca": authority.pem}, "oauth": oauth}], free_port, secretRevision=revision
            )

        mounts = Mounts(tmp_path, client(SECRET), "r1")
        async with running_relay(tmp_path, document("r1")) as relay:
            assert (await relay.post("/v1/upstreams/up/probe")).status == 202
            known = await upstream(relay, "up", lambda one: one["credential"] == "Proved")
            await relay.submit(mail("example.com"))
            await upstream(relay, "up", lambda one: one["delivered"] == 1)
            assert len(issuer.asked) == 1  # probe and mail share the token
            mounts.secrets(
                {**client("wrong-canary"), **client(SECRET, "previous."), "provider.up.previous.since": "1"}, "r2"
            )
            mounts.config(document("r2"))
            await applied(relay, "r2")
            await relay.submit(mail("example.com"))
            known = await upstream(relay, "up", lambda one: one["delivered"] == 2)
            assert (known["credential"], known["breaker"]) == ("Previous", "Closed")
            assert known["credentialReply"]["text"].startswith("token server 127.0.0.1: invalid_client: AADSTS7000215")
            assert "clientSecret" in known["credentialReply"]["remedy"]
            # The mended credential starts afresh; while its token server is away mail waits, and then leaves.
            mounts.secrets(client(SECRET), "r3")
            mounts.config(document("r3"))
            await applied(relay, "r3")
            issuer.answer = (503, b"")
            await relay.submit(mail("example.com"))
            known = await upstream(relay, "up", lambda one: one["breaker"] == "Open")
            assert (known["breakerFault"], known["credential"]) == ("token", "Unproved")
            assert known["nextAttempt"] - known["breakerSince"] < 15
            issuer.answer = None
            await relay.until("/v1/report", lambda report: report["upstreams"][0]["delivered"] == 3, timeout=25)
            report = (await relay.get("/v1/report")).body
        stored = b"".join(one.read_bytes() for one in (tmp_path / "spool").rglob("*") if one.is_file())
        assert b"canary" not in report + stored + relay.log().encode()
