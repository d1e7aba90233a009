"""TLS is verified, never dropped for plain text; passwords go only where they should and are seen nowhere."""

from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.outgoing import CREDENTIAL, QUICK, outgoing
from tests.support.scripted_server import ScriptedServer

from mailhaul_relay.model.outcome import Fault, Stage, Verdict
from mailhaul_relay.model.secrets import Credential

pytestmark = pytest.mark.integration
MODES = pytest.mark.parametrize(("mode", "served"), [("StartTLS", "starttls"), ("Implicit", "implicit")])
ACCOUNTS = {CREDENTIAL.username: CREDENTIAL.password}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def good(authority: Authority) -> Pair:
    return authority.issue("good", subject_alt_name="DNS:mx.example.net,IP:127.0.0.1")


@pytest.fixture
def pem(authority: Authority) -> str:
    return authority.pem


def tls(mode: str, **fields: str) -> dict[str, str]:
    return {"mode": mode, **fields}


@MODES
async def test_an_own_authority_is_trusted_when_it_is_configured(mode: str, served: str, good: Pair, pem: str) -> None:
    async with (
        ScriptedServer({"tls": served}, good.context()) as server,
        outgoing(server.port, tls=tls(mode, ca=pem)) as out,
    ):
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED
        assert server.messages[0].tls


@MODES
async def test_an_unknown_authority_is_refused_and_held(mode: str, served: str, good: Pair) -> None:
    async with (
        ScriptedServer({"tls": served}, good.context()) as server,
        outgoing(server.port, tls=tls(mode)) as out,
    ):
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.HOLD, Fault.TLS, Stage.TLS)
        assert "certificate refused" in outcome.detail
        assert "caRef" in outcome.remedy
        assert server.messages == []


async def test_an_expired_certificate_is_refused(authority: Authority, pem: str) -> None:
    expired = authority.issue("expired", subject_alt_name="IP:127.0.0.1", expired=True)
    async with (
        ScriptedServer({"tls": "starttls"}, expired.context()) as server,
        outgoing(server.port, tls=tls("StartTLS", ca=pem)) as out,
    ):
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
        assert "expired" in outcome.detail


async def test_a_certificate_for_another_name_is_refused(authority: Authority, pem: str) -> None:
    other = authority.issue("other", subject_alt_name="DNS:other.example.net")
    async with ScriptedServer({"tls": "starttls"}, other.context()) as server:
        async with outgoing(server.port, tls=tls("StartTLS", ca=pem)) as out:
            (outcome,) = await out.send()
            assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
            assert "127.0.0.1" in outcome.detail
        async with outgoing(server.port, tls=tls("StartTLS", ca=pem, serverName="other.example.net")) as out:
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED


async def test_verification_can_be_switched_off_explicitly(good: Pair) -> None:
    async with (
        ScriptedServer({"tls": "starttls"}, good.context()) as server,
        outgoing(server.port, tls=tls("StartTLS", verify="None")) as out,
    ):
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED


async def test_starttls_that_is_not_offered_never_falls_back_to_plain_text() -> None:
    async with ScriptedServer() as server, outgoing(server.port, tls=tls("StartTLS"), auth="Plain") as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.HOLD, Fault.TLS, Stage.TLS)
        assert "Implicit" in outcome.remedy
        assert [command[:6] for command in server.commands] == ["1 EHLO"]


async def test_starttls_that_is_refused_never_falls_back_to_plain_text(good: Pair) -> None:
    script = {"tls": "starttls", "steps": {"starttls": "454 4.7.0 TLS not available"}}
    async with ScriptedServer(script, good.context()) as server, outgoing(server.port, tls=tls("StartTLS")) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.RETRY, Fault.TLS)
        assert not any("MAIL" in command for command in server.commands)


async def test_plain_text_injected_after_starttls_is_refused(good: Pair, pem: str) -> None:
    step = {"reply": "220 go", "extra": "250-mx.example.net\r\n250 AUTH PLAIN\r\n"}
    async with (
        ScriptedServer({"tls": "starttls", "steps": {"starttls": step}}, good.context()) as server,
        outgoing(server.port, tls=tls("StartTLS", ca=pem)) as out,
    ):
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
        assert "plain text" in outcome.detail


async def test_capabilities_of_the_plain_phase_are_forgotten(good: Pair, pem: str) -> None:
    first = "250-mx.example.net\n250-STARTTLS\n250-PIPELINING\n250 SIZE 1"
    script = {"tls": "starttls", "extensions": [], "steps": {"ehlo": {"reply": first, "times": 1}}}
    async with (
        ScriptedServer(script, good.context()) as server,
        outgoing(server.port, tls=tls("StartTLS", ca=pem)) as out,
    ):
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED
        assert server.messages[0].parameters == ""
        assert sum("EHLO" in command for command in server.commands) == 2


async def test_a_server_that_speaks_no_tls_on_an_implicit_port_is_a_tls_fault() -> None:
    async with ScriptedServer() as server, outgoing(server.port, tls=tls("Implicit"), timeouts=QUICK) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.TLS, Stage.TLS)


async def test_an_authority_that_is_no_pem_is_told(good: Pair) -> None:
    async with (
        ScriptedServer({"tls": "starttls"}, good.context()) as server,
        outgoing(server.port, tls=tls("StartTLS", ca="not a certificate")) as out,
    ):
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.TLS)
        assert "PEM" in outcome.remedy


@pytest.mark.parametrize(
    ("auth", "offered", "used"),
    [
        ("Auto", ["PLAIN", "LOGIN"], "PLAIN"),
        ("Auto", ["LOGIN", "CRAM-MD5"], "LOGIN"),
        ("Plain", ["LOGIN", "PLAIN"], "PLAIN"),
        ("Login", ["LOGIN", "PLAIN"], "LOGIN"),
    ],
)
async def test_the_mechanism_is_chosen_from_what_is_offered(auth: str, offered: list[str], used: str) -> None:
    script: dict[str, Any] = {"accounts": ACCOUNTS, "mechanisms": offered}
    async with ScriptedServer(script) as server, outgoing(server.port, auth=auth) as out:
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED
        assert server.messages[0].user == CREDENTIAL.username
        assert f"1 AUTH {used}" in server.commands


@pytest.mark.parametrize(("auth", "offered"), [("Auto", ["XOAUTH2"]), ("Plain", ["LOGIN"]), ("Login", ["PLAIN"])])
async def test_a_mechanism_that_is_not_offered_is_held(auth: str, offered: list[str]) -> None:
    script: dict[str, Any] = {"accounts": ACCOUNTS, "mechanisms": offered}
    async with ScriptedServer(script) as server, outgoing(server.port, auth=auth) as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.HOLD, Fault.AUTH, Stage.AUTH)
        assert offered[0] in outcome.detail


async def test_auth_that_is_not_offered_at_all_is_held() -> None:
    async with ScriptedServer() as server, outgoing(server.port, auth="Auto") as out:
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
        assert not any("MAIL" in command for command in server.commands)


async def test_a_missing_credential_is_held() -> None:
    async with (
        ScriptedServer({"accounts": ACCOUNTS}) as server,
        outgoing(server.port, auth="Auto", credential=None) as out,
    ):
        (outcome,) = await out.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
        assert "secretRef" in outcome.remedy


async def test_a_long_password_waits_for_the_challenge() -> None:
    credential = Credential("relay", "p" * 600)
    async with (
        ScriptedServer({"accounts": {"relay": "p" * 600}}) as server,
        outgoing(server.port, auth="Plain", credential=credential) as out,
    ):
        (outcome,) = await out.send()
        assert outcome.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("mechanism", ["Plain", "Login"])
async def test_a_password_is_seen_in_no_log_outcome_or_repr(mechanism: str) -> None:
    script = {"accounts": ACCOUNTS, "steps": {"auth": "599 5.7.999 words that no row of the table knows"}}
    async with ScriptedServer(script) as server, outgoing(server.port, auth=mechanism) as out:
        (outcome,) = await out.send()
        seen = f"{outcome!r} {out.lines!r} {out.transport!r} {vars(out.transport)!r} {CREDENTIAL!r}"
        assert out.lines
        assert CREDENTIAL.password not in seen


async def test_helo_is_tried_only_without_tls_and_auth() -> None:
    script = {"steps": {"ehlo": "502 5.5.1 what is EHLO"}}
    async with ScriptedServer(script) as server:
        async with outgoing(server.port) as out:
            (outcome,) = await out.send()
            assert outcome.verdict is Verdict.DELIVERED
            assert server.messages[0].helo == "relay.example.com"
        others: list[dict[str, Any]] = [{"auth": "Auto"}, {"tls": tls("StartTLS")}]
        for fields in others:
            async with outgoing(server.port, **fields) as out:
                (outcome,) = await out.send()
                assert (outcome.verdict, outcome.stage) == (Verdict.RETRY, Stage.EHLO)
