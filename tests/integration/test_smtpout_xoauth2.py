"""XOAUTH2 against a token server and an SMTP server over TLS: tokens are fetched, kept, replaced, and seen nowhere."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from tests.support.certificates import Authority, Pair
from tests.support.outgoing import USUAL, Outgoing, transmission, upstream
from tests.support.scripted_server import ScriptedServer
from tests.support.token_server import CLIENT, REFRESH, SECRET, TokenServer

from mailhaul_contract.report import CredentialState
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict
from mailhaul_relay.model.secrets import Credential, OAuthClient
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.smtpout import token_request
from mailhaul_relay.smtpout.access import Access
from mailhaul_relay.smtpout.logins import Logins
from mailhaul_relay.smtpout.probe import Login, probe
from mailhaul_relay.smtpout.recording import Recording
from mailhaul_relay.smtpout.tokens import Tokens

pytestmark = pytest.mark.integration
USER = "noreply@example.com"
CREDENTIAL = Credential(USER, client=OAuthClient(CLIENT, SECRET, REFRESH))
LONG = "long-token-canary-" + "x" * 1800


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("both", subject_alt_name="IP:127.0.0.1")


def script(token: str = "token-canary-1", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"tls": "starttls", "accounts": {USER: token}, "mechanisms": ["PLAIN", "XOAUTH2"], **fields}


@dataclass
class Trio:
    """Mail provider, token server, and a relay's transport to them."""

    server: ScriptedServer
    issuer: TokenServer
    out: Outgoing
    clock: VirtualClock

    async def send(self) -> Outcome:
        (outcome,) = await self.out.send()
        return outcome

    async def afresh(self) -> Outcome:
        """Send over a new connection."""
        await self.out.transport.close()
        return await self.send()

    @property
    def seen(self) -> str:
        """Everything that a person could read."""
        transport, logins = vars(self.out.transport), vars(self.out.logins)
        return f"{self.out.lines!r} {transport!r} {logins!r} {vars(self.out.logins.access.tokens)!r} {CREDENTIAL!r}"


@asynccontextmanager
async def stage(
    authority: Authority,
    pair: Pair,
    grant: str = "RefreshToken",
    credential: Credential = CREDENTIAL,
    **fields: Any,  # noqa: ANN401
) -> AsyncIterator[Trio]:
    clock = VirtualClock()
    async with ScriptedServer(script(), pair.context()) as server, TokenServer(pair.context()) as issuer:
        given = {"grant": grant, "tokenUrl": issuer.url, "ca": authority.pem, **fields}
        tls = {"mode": "StartTLS", "ca": authority.pem}
        up = upstream(server.port, tls=tls, auth="XOAuth2", oauth=given)
        assert up.oauth is not None
        logins = Logins(credential, None, clock, Access(tokens=Tokens(up.oauth, clock)))
        out = Outgoing(up, logins, USUAL)
        try:
            yield Trio(server, issuer, out, clock)
        finally:
            await out.transport.close()
        seen = f"{out.lines!r} {logins.standing!r}"
        assert not [one for one in ("token-canary", SECRET, REFRESH) if one in seen]


async def test_a_refresh_token_brings_an_access_token_that_logs_in(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        assert (await it.send()).verdict is Verdict.DELIVERED
        assert it.server.messages[0].user == USER
        form = {"grant_type": "refresh_token", "client_id": CLIENT, "client_secret": SECRET, "refresh_token": REFRESH}
        assert it.issuer.asked == [form]
        assert it.out.logins.standing.state is CredentialState.PROVED
        assert "canary" not in it.seen


async def test_client_credentials_ask_for_the_scope(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair, "ClientCredentials", scope="https://outlook.office365.com/.default") as it:
        assert (await it.send()).verdict is Verdict.DELIVERED
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        assert it.issuer.asked == [form | {"scope": "https://outlook.office365.com/.default"}]


async def test_one_token_serves_many_connections_and_is_replaced_before_it_ends(
    authority: Authority, pair: Pair
) -> None:
    async with stage(authority, pair) as it:
        it.issuer.delay = 0.05
        sent = await asyncio.gather(*(it.out.deliver(transmission()) for _ in range(5)))
        assert {one.outcomes[0].verdict for one in sent} == {Verdict.DELIVERED}
        assert (len(it.issuer.asked), it.server.connections) == (1, 5)
        it.clock.advance(3000)
        await it.afresh()
        assert len(it.issuer.asked) == 1
        it.issuer.issue("token-canary-2")
        it.server.play(script("token-canary-2"))
        it.clock.advance(301)
        assert (await it.afresh()).verdict is Verdict.DELIVERED
        assert it.server.tokens[-2:] == ["token-canary-1", "token-canary-2"]


async def test_a_kept_token_goes_on_while_the_token_server_is_away(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        await it.send()
        it.issuer.answer = (503, b"busy")
        it.clock.advance(3400)
        assert (await it.afresh()).verdict is Verdict.DELIVERED
        assert len(it.issuer.asked) == 2
        it.clock.advance(300)
        outcome = await it.afresh()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.TOKEN, Stage.AUTH)


async def test_a_token_longer_than_a_command_waits_for_the_challenge(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.issuer.issue(LONG)
        it.server.play(script(LONG))
        assert (await it.send()).verdict is Verdict.DELIVERED
        assert it.server.tokens == [LONG]


async def test_a_kept_token_that_is_refused_is_replaced_once_on_the_same_connection(
    authority: Authority, pair: Pair
) -> None:
    async with stage(authority, pair) as it:
        await it.send()
        it.issuer.issue("token-canary-2")
        it.server.play(script("token-canary-2"))
        assert (await it.afresh()).verdict is Verdict.DELIVERED
        assert it.server.tokens == ["token-canary-1", "token-canary-1", "token-canary-2"]
        assert (len(it.issuer.asked), it.server.connections) == (2, 2)


async def test_a_fresh_token_that_is_refused_is_a_refused_credential(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.server.play(script("another"))
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.HOLD, Fault.AUTH, Stage.AUTH)
        assert (outcome.reply and outcome.reply.code) == 535
        assert "scope" in outcome.remedy
        assert (it.server.tokens, len(it.issuer.asked)) == (["token-canary-1"], 1)
        assert it.out.logins.standing.state is CredentialState.REFUSED
        it.clock.advance(301)
        it.issuer.issue("token-canary-2")
        it.server.play(script("token-canary-2"))
        assert (await it.send()).verdict is Verdict.DELIVERED  # the refused token was forgotten


async def test_a_server_that_parts_after_a_refusal_has_refused(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        await it.send()
        step = {"reply": "535 5.7.8 Username and Password not accepted", "action": "drop"}
        it.server.play(script("token-canary-2", steps={"auth": step}))
        it.issuer.issue("token-canary-2")
        outcome = await it.afresh()
        assert (outcome.verdict, outcome.fault, outcome.reply and outcome.reply.code) == (Verdict.HOLD, Fault.AUTH, 535)


async def test_words_of_the_upstream_that_repeat_the_token_are_concealed(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.server.play(script("x", steps={"auth": "535 5.7.8 bad bearer token-canary-1"}))
        outcome = await it.send()
        assert outcome.reply is not None
        assert outcome.reply.text == "bad bearer ***"


@pytest.mark.parametrize(("point", "code"), [("mail", 451), ("rcpt", 451), ("dot", 250)])
async def test_no_later_words_of_the_session_have_the_token_either(
    authority: Authority, pair: Pair, point: str, code: int
) -> None:
    async with stage(authority, pair) as it:
        encoded = base64.b64encode(b"token-canary-1").decode()
        it.server.play(script(steps={point: f"{code} odd token-canary-1 or {encoded}"}))
        outcome = await it.send()
        assert outcome.reply is not None
        assert outcome.reply.text == "odd *** or ***"
        assert encoded not in it.seen


async def test_the_token_servers_refusal_is_told_in_its_words_without_the_secret(
    authority: Authority, pair: Pair
) -> None:
    wrong = replace(CREDENTIAL, client=OAuthClient(CLIENT, "wrong-secret-canary", REFRESH))
    async with stage(authority, pair, credential=wrong) as it:
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.HOLD, Fault.AUTH, Stage.AUTH)
        assert outcome.text == (
            "401 token server 127.0.0.1: invalid_client: AADSTS7000215: Invalid client secret provided: ***"
        )
        assert "clientSecret" in outcome.remedy
        assert it.out.tally.unmatched_replies == 0
        assert (it.server.tokens, it.out.logins.standing.state) == ([], CredentialState.REFUSED)
        assert "wrong-secret" not in it.seen


async def test_an_expired_refresh_token_is_a_refused_credential(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.issuer.refresh = "another"
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
        assert "expired or revoked" in outcome.text
        assert "sign in again" in outcome.remedy


async def test_a_refresh_token_that_the_server_changes_is_used_from_then_on(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.issuer.rotates = True
        for _ in range(3):
            assert (await it.afresh()).verdict is Verdict.DELIVERED
            it.clock.advance(4000)
        assert [one["refresh_token"] for one in it.issuer.asked] == [REFRESH, f"{REFRESH}+", f"{REFRESH}++"]
        it.issuer.refresh, it.issuer.rotates = REFRESH, False  # what we were given was revoked
        assert (await it.afresh()).verdict is Verdict.DELIVERED
        assert [one["refresh_token"] for one in it.issuer.asked[3:]] == [f"{REFRESH}+++", REFRESH]


async def test_without_an_answer_of_the_token_server_mail_waits_and_the_breaker_opens(
    authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_request, "LIMIT", 0.3)
    async with stage(authority, pair) as it:
        it.issuer.hangs = True
        outcomes = [
            one.outcomes[0] for one in await asyncio.gather(*(it.out.deliver(transmission()) for _ in range(3)))
        ]
        assert {(one.verdict, one.fault) for one in outcomes} == {(Verdict.RETRY, Fault.TOKEN)}
        assert "token server 127.0.0.1: no answer within" in outcomes[0].detail
        assert "tokenUrl" in outcomes[0].remedy
        assert outcomes[0].fault.is_of_upstream
        assert len(it.issuer.asked) == 1  # who waits for a fetch that fails shares its failure
        assert it.out.logins.standing.state is CredentialState.UNPROVED


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((302, b""), "tokenUrl"),
        ((404, b"<html>"), "tokenUrl"),
        ((200, b"not json"), "tokenUrl"),
        ((200, b'{"access_token": "two words"}'), "tokenUrl"),
        ((200, b'{"access_token": "a", "token_type": "mac"}'), "tokenUrl"),
        ((200, b"[" * 70_000), "tokenUrl"),
        ((500, b"oops"), "by itself"),
        ((400, b'{"error": "temporarily_unavailable"}'), "by itself"),
        ((429, b'{"error": "slow_down"}'), "by itself"),
    ],
)
async def test_an_answer_that_is_no_token_is_temporary(
    answer: tuple[int, bytes], told: str, authority: Authority, pair: Pair
) -> None:
    async with stage(authority, pair) as it:
        it.issuer.answer = answer
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault, outcome.stage) == (Verdict.RETRY, Fault.TOKEN, Stage.AUTH)
        assert told in outcome.remedy


async def test_a_token_server_with_a_strange_certificate_gets_no_secret(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair, ca="") as it:
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.RETRY, Fault.TOKEN)
        assert "certificate is refused" in outcome.detail
        assert "caRef" in outcome.remedy
        assert it.issuer.asked == []


async def test_a_credential_that_is_not_complete_is_held(authority: Authority, pair: Pair) -> None:
    for client in (None, OAuthClient(CLIENT, SECRET)):
        async with stage(authority, pair, credential=Credential(USER, "password", client)) as it:
            outcome = await it.send()
            assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
            assert "clientId" in outcome.remedy
            assert it.issuer.asked == []


async def test_an_upstream_without_xoauth2_is_held_and_no_token_is_fetched(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.server.play(script(mechanisms=["PLAIN", "LOGIN"]))
        outcome = await it.send()
        assert (outcome.verdict, outcome.fault) == (Verdict.HOLD, Fault.AUTH)
        assert "XOAUTH2" in outcome.detail
        assert it.issuer.asked == []


async def test_a_probe_logs_in_with_a_token(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        up, access = it.out.transport._upstream, it.out.logins.access
        found = await probe(up, "relay.example.com", Login(CREDENTIAL, access=access))
        assert ([one.value for one in found.passed], found.outcome) == (["Connect", "TLS", "EHLO", "Auth"], None)
        it.issuer.answer = (503, b"")
        it.clock.advance(4000)
        found = await probe(up, "relay.example.com", Login(CREDENTIAL, access=access))
        assert found.failed == "Auth"
        assert found.outcome is not None
        assert found.outcome.fault is Fault.TOKEN


async def test_a_dialogue_that_is_written_down_holds_no_token(authority: Authority, pair: Pair) -> None:
    async with stage(authority, pair) as it:
        it.server.play(script("x", steps={"auth": "535 5.7.8 you said token-canary-1"}))
        recording = it.out.transport.recordings = {"id000001": Recording(it.clock)}
        await it.send()
        told = str([vars(one) if hasattr(one, "__dict__") else one for one in recording["id000001"].lines])
        assert "AUTH ..." in told
        assert "canary" not in told
