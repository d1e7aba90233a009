"""A probe goes through the stages of a real conversation and tells, in a mail's words, the first that fails."""

import asyncio
import time
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.outgoing import CREDENTIAL, upstream
from tests.support.scripted_server import ScriptedServer

from mailhaul_contract.report import ProbeStage
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import Credential
from mailhaul_relay.smtpout.probe import LIMIT, Findings, Login, probe

pytestmark = pytest.mark.integration
CONNECT, TLS, EHLO, AUTH, SENDER = ProbeStage
ACCOUNTS = {CREDENTIAL.username: CREDENTIAL.password}
LOGIN = Login(CREDENTIAL)
PROBER = "probe@example.com"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("mx", subject_alt_name="DNS:mx.example.net,IP:127.0.0.1")


async def _probe(server: ScriptedServer, login: Login = LOGIN, **fields: Any) -> Findings:  # noqa: ANN401 - Upstream
    limit = fields.pop("limit", LIMIT)
    return await probe(upstream(server.port, **fields), "relay.example.com", login, limit=limit)


def _words(server: ScriptedServer) -> list[str]:
    """The commands, without what follows their first word."""
    return [command.split()[1] for command in server.commands]


@pytest.mark.parametrize(("mode", "served"), [("StartTLS", "starttls"), ("Implicit", "implicit")])
async def test_every_stage_passes_and_no_mail_is_sent(mode: str, served: str, authority: Authority, pair: Pair) -> None:
    async with ScriptedServer({"tls": served, "accounts": ACCOUNTS}, pair.context()) as server:
        tls = {"mode": mode, "ca": authority.pem}
        assert await _probe(server, tls=tls, auth="Auto", probe_sender=PROBER) == Findings(tuple(ProbeStage))
        assert server.messages == []
        assert _words(server)[-3:] == ["MAIL", "RSET", "QUIT"]
        assert f"1 MAIL FROM:<{PROBER}>" in server.commands


async def test_a_refused_sender_is_told_without_the_password_that_the_server_repeats() -> None:
    script = {"accounts": ACCOUNTS, "steps": {"mail": f"550 5.7.1 not you, {CREDENTIAL.password}"}}
    async with ScriptedServer(script) as server:
        found = await _probe(server, auth="Auto", probe_sender=PROBER)
    assert found.outcome is not None
    assert found.outcome.text == "550 5.7.1 not you, ***"


async def test_stages_that_are_not_asked_for_are_left_out() -> None:
    async with ScriptedServer() as server:
        assert await _probe(server) == Findings((CONNECT, EHLO))
        assert _words(server) == ["EHLO", "QUIT"]


async def test_a_refused_connection_fails_at_connect() -> None:
    async with ScriptedServer({"connect": "refuse"}) as server:
        found = await _probe(server, auth="Plain")
    assert (found.passed, found.failed) == ((), CONNECT)
    assert found.outcome is not None
    assert (found.outcome.fault, found.outcome.text) == (Fault.CONNECTION, "connection refused")
    assert "host and port" in found.outcome.remedy


async def test_a_certificate_that_is_not_trusted_fails_at_tls(pair: Pair) -> None:
    async with ScriptedServer({"tls": "starttls", "accounts": ACCOUNTS}, pair.context()) as server:
        found = await _probe(server, tls={"mode": "StartTLS"}, auth="Plain")
        assert not any("AUTH" in one for one in server.commands)
    assert (found.passed, found.failed) == ((CONNECT,), TLS)
    assert found.outcome is not None
    assert "certificate refused" in found.outcome.text
    assert "caRef" in found.outcome.remedy


@pytest.mark.parametrize(
    ("steps", "fault", "words"),
    [
        ({"ehlo": {"raw": "HTTP/1.1 400 Bad Request\r\n"}}, Fault.PROTOCOL, "does not speak SMTP"),
        ({"banner": {"raw": "SSH-2.0-OpenSSH_9.9\r\n"}}, Fault.PROTOCOL, "does not speak SMTP"),
        ({"banner": "554 5.7.1 go away"}, Fault.CONNECTION, "554 5.7.1 go away"),
        ({"ehlo": "drop"}, Fault.CONNECTION, "connection lost at ehlo"),
    ],
)
async def test_what_is_no_smtp_or_refuses_service_fails_at_ehlo(
    steps: dict[str, Any], fault: Fault, words: str
) -> None:
    async with ScriptedServer({"steps": steps}) as server:
        found = await _probe(server, auth="Plain")
    assert (found.passed, found.failed) == ((CONNECT,), EHLO)
    assert found.outcome is not None
    assert found.outcome.fault is fault
    assert words in found.outcome.text


async def test_a_refused_password_fails_at_auth_without_a_secret_in_the_words() -> None:
    wrong = Credential("relay", "wrong-canary")
    async with ScriptedServer({"accounts": ACCOUNTS}) as server:
        found = await _probe(server, Login(wrong), auth="Plain", probe_sender=PROBER)
        assert _words(server)[-2:] == ["AUTH", "QUIT"]
    assert (found.passed, found.failed) == ((CONNECT, EHLO), AUTH)
    assert found.outcome is not None
    assert (found.outcome.verdict, found.outcome.fault) == (Verdict.HOLD, Fault.AUTH)
    assert found.outcome.reply is not None
    assert found.outcome.reply.code == 535
    assert "canary" not in repr(found)


async def test_a_barred_login_is_not_tried_and_keeps_the_words_of_its_refusal() -> None:
    refusal = Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, Reply(535, "5.7.8", "bad password"))
    async with ScriptedServer({"accounts": ACCOUNTS}) as server:
        assert await _probe(server, Login(CREDENTIAL, refusal), auth="Plain") == Findings(
            (CONNECT, EHLO), AUTH, refusal
        )
        assert _words(server) == ["EHLO", "QUIT"]


async def test_a_refused_sender_fails_at_sender() -> None:
    async with ScriptedServer({"senders": {PROBER: "550 5.7.1 domain not verified"}}) as server:
        found = await _probe(server, probe_sender=PROBER)
        assert _words(server)[-1] == "QUIT"
    assert (found.passed, found.failed) == ((CONNECT, EHLO), SENDER)
    assert found.outcome is not None
    assert (found.outcome.fault, found.outcome.text) == (Fault.SENDER, "550 5.7.1 domain not verified")


async def test_a_sender_that_is_not_ascii_is_tried_only_where_it_can_be() -> None:
    sender = "grüße@example.com"
    async with ScriptedServer() as server:
        assert SENDER in (await _probe(server, probe_sender=sender)).passed
        assert any("SMTPUTF8" in one for one in server.commands)
    async with ScriptedServer({"extensions": []}) as server:
        found = await _probe(server, probe_sender=sender)
        assert found.outcome is not None
        assert (found.failed, found.outcome.fault) == (SENDER, Fault.CAPABILITY)
        assert "MAIL" not in _words(server)


async def test_a_server_that_hangs_fails_at_its_stage_within_the_limit() -> None:
    async with ScriptedServer({"steps": {"mail": "hang"}}) as server:
        began = time.monotonic()
        found = await _probe(server, probe_sender=PROBER, limit=0.3)
        assert time.monotonic() - began < 2
    assert (found.passed, found.failed) == ((CONNECT, EHLO), SENDER)
    assert found.outcome is not None
    assert "timed out at mail" in found.outcome.text


async def test_a_cancelled_probe_leaves_no_connection() -> None:
    async with ScriptedServer({"steps": {"ehlo": "hang"}}) as server:
        task = asyncio.ensure_future(_probe(server))
        async with asyncio.timeout(5):
            while not server.commands:  # noqa: ASYNC110 - a server of the same loop
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
