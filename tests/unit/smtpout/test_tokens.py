"""Access tokens: one fetch at a time, replaced in time, kept in memory, a failure shared by who waited for it."""

import asyncio
import json
from collections.abc import Mapping

import pytest

from mailhaul_contract.oauth import Grant, OAuth
from mailhaul_relay.model.outcome import Fault, Verdict
from mailhaul_relay.model.secrets import OAuthClient
from mailhaul_relay.policy.credentials import is_refusal
from mailhaul_relay.ports.clock import VirtualClock
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.token_request import TokenAnswer, UnansweredError
from mailhaul_relay.smtpout.tokens import Tokens

CLIENT = OAuthClient("id", "secret-canary", "refresh-canary")
OTHER = OAuthClient("id", "other-secret", "other-refresh")
REFUSED = TokenAnswer(400, b'{"error": "invalid_grant", "error_description": "refresh-canary or secret-canary is bad"}')


def oauth(grant: Grant = Grant.REFRESH_TOKEN) -> OAuth:
    return OAuth(grant=grant, token_url="https://login.example.net/token", scope="mail")


class Issuer:
    """A token server: `answers` come first, then numbered tokens that last an hour."""

    def __init__(self, *answers: TokenAnswer | Exception, changes_refresh_token: bool = False) -> None:
        self.answers = list(answers)
        self.changes_refresh_token = changes_refresh_token
        self.asked: list[Mapping[str, str]] = []
        self.gate: asyncio.Event | None = None
        self.lifetime = 3600

    async def __call__(self, _: OAuth, form: Mapping[str, str]) -> TokenAnswer:
        self.asked.append(form)
        if self.gate is not None:
            await self.gate.wait()
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        number = len(self.asked)
        given = {"access_token": f"token-{number}", "expires_in": self.lifetime}
        renewed = {"refresh_token": f"renewed-{number}"} if self.changes_refresh_token else {}
        return TokenAnswer(200, json.dumps(given | renewed).encode())


async def _outcome(tokens: Tokens, client: OAuthClient = CLIENT) -> str:
    with pytest.raises(UnusableError) as caught:
        await tokens.lend(client)
    told = caught.value.outcome
    assert "canary" not in f"{told!r}"
    return f"{told.verdict.value} {told.fault.value} {told.text}"


async def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    clock, issuer = VirtualClock(), Issuer()
    tokens = Tokens(oauth(), clock, issuer)
    first = await tokens.lend(CLIENT)
    clock.advance(3299)
    again = await tokens.lend(CLIENT)
    clock.advance(1)
    second = await tokens.lend(CLIENT)
    assert [(one.value, one.is_new) for one in (first, again, second)] == [
        ("token-1", True), ("token-1", False), ("token-2", True)
    ]  # fmt: skip


async def test_a_short_life_leaves_a_tenth() -> None:
    clock, issuer = VirtualClock(), Issuer()
    issuer.lifetime = 60
    tokens = Tokens(oauth(), clock, issuer)
    await tokens.lend(CLIENT)
    clock.advance(53)
    assert not (await tokens.lend(CLIENT)).is_new
    clock.advance(1)
    assert (await tokens.lend(CLIENT)).is_new


async def test_a_clock_that_was_set_back_keeps_no_token_for_ever() -> None:
    clock, issuer = VirtualClock(), Issuer()
    tokens = Tokens(oauth(), clock, issuer)
    await tokens.lend(CLIENT)
    clock.advance(-100_000)
    assert (await tokens.lend(CLIENT)).is_new


@pytest.mark.parametrize("answers", [(), (UnansweredError("away", "wait"),), (REFUSED,)])
async def test_who_asks_meanwhile_gets_the_same_token_or_the_same_failure(
    answers: tuple[TokenAnswer | Exception, ...],
) -> None:
    issuer = Issuer(*answers)
    issuer.gate = asyncio.Event()
    tokens = Tokens(oauth(), VirtualClock(), issuer)
    asking = [asyncio.ensure_future(tokens.lend(CLIENT)) for _ in range(5)]
    await asyncio.sleep(0)
    issuer.gate.set()
    said = await asyncio.gather(*asking, return_exceptions=True)
    assert len(issuer.asked) == 1
    assert len({str(one) if isinstance(one, BaseException) else one.value for one in said}) == 1


async def test_a_failure_is_for_who_waited_and_the_next_one_asks_again() -> None:
    issuer = Issuer(UnansweredError("no answer within 10 s", "wait"))
    tokens = Tokens(oauth(), VirtualClock(), issuer)
    assert await _outcome(tokens) == (
        "retry token no access token from token server login.example.net: no answer within 10 s"
    )
    assert (await tokens.lend(CLIENT)).value == "token-2"


async def test_who_is_cancelled_leaves_the_turn_to_the_next() -> None:
    issuer = Issuer()
    issuer.gate = asyncio.Event()
    tokens = Tokens(oauth(), VirtualClock(), issuer)
    first, second = (asyncio.ensure_future(tokens.lend(CLIENT)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    issuer.gate.set()
    assert (await second).value == "token-2"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_refusal_is_one_of_the_credential_without_its_secrets() -> None:
    tokens = Tokens(oauth(), VirtualClock(), Issuer(REFUSED))
    assert await _outcome(tokens) == (
        "hold auth 400 token server login.example.net: invalid_grant: *** or *** is bad"
    )  # fmt: skip
    tokens = Tokens(oauth(), VirtualClock(), Issuer(REFUSED))
    with pytest.raises(UnusableError) as caught:
        await tokens.lend(CLIENT)
    assert is_refusal(caught.value.outcome)  # so that the previous credential takes over


async def test_a_token_goes_on_to_its_end_while_the_server_is_away_and_no_longer() -> None:
    clock, issuer = VirtualClock(), Issuer()
    tokens = Tokens(oauth(), clock, issuer)
    await tokens.lend(CLIENT)
    clock.advance(3599)
    issuer.answers = [TokenAnswer(503, b""), TokenAnswer(503, b"")]
    assert (await tokens.lend(CLIENT)).value == "token-1"
    clock.advance(1)
    with pytest.raises(UnusableError) as caught:
        await tokens.lend(CLIENT)
    assert (caught.value.outcome.verdict, caught.value.outcome.fault) == (Verdict.RETRY, Fault.TOKEN)


async def test_a_spurned_token_is_forgotten_and_a_newer_one_is_not() -> None:
    tokens = Tokens(oauth(), VirtualClock(), Issuer())
    await tokens.lend(CLIENT)
    tokens.spurn(CLIENT, "token-1")
    assert (await tokens.lend(CLIENT)).value == "token-2"
    tokens.spurn(CLIENT, "token-1")
    assert (await tokens.lend(CLIENT)).value == "token-2"


async def test_each_client_has_tokens_of_its_own() -> None:
    issuer = Issuer()
    tokens = Tokens(oauth(), VirtualClock(), issuer)
    assert [(await tokens.lend(one)).value for one in (CLIENT, OTHER, CLIENT)] == ["token-1", "token-2", "token-1"]
    assert [one["client_secret"] for one in issuer.asked] == ["secret-canary", "other-secret"]


async def test_a_changed_refresh_token_is_used_until_it_is_refused_and_then_the_first_one_again() -> None:
    clock, issuer = VirtualClock(), Issuer(changes_refresh_token=True)
    tokens = Tokens(oauth(), clock, issuer)
    for _ in range(3):
        await tokens.lend(CLIENT)
        clock.advance(3600)
    issuer.answers = [REFUSED]
    assert (await tokens.lend(CLIENT)).value == "token-5"
    sent = [one["refresh_token"] for one in issuer.asked]
    assert sent == ["refresh-canary", "renewed-1", "renewed-2", "renewed-3", "refresh-canary"]
    assert "renewed" not in f"{tokens!r} {vars(tokens)['_kept']!r}"


async def test_each_grant_sends_what_it_needs_and_nothing_else() -> None:
    for grant, wanted in (
        (Grant.CLIENT_CREDENTIALS, {"client_id", "client_secret", "scope", "grant_type"}),
        (Grant.REFRESH_TOKEN, {"client_id", "client_secret", "scope", "grant_type", "refresh_token"}),
    ):
        issuer = Issuer()
        await Tokens(oauth(grant), VirtualClock(), issuer).lend(CLIENT)
        assert set(issuer.asked[0]) == wanted
    issuer = Issuer()
    await Tokens(oauth(), VirtualClock(), issuer).lend(OAuthClient("public", refresh_token="refresh"))
    assert "client_secret" not in issuer.asked[0]


@pytest.mark.parametrize(
    ("grant", "client", "complete"),
    [
        (Grant.CLIENT_CREDENTIALS, OAuthClient("id", "secret"), True),
        (Grant.CLIENT_CREDENTIALS, OAuthClient("id", "", "refresh"), False),
        (Grant.REFRESH_TOKEN, OAuthClient("id", "", "refresh"), True),
        (Grant.REFRESH_TOKEN, OAuthClient("id", "secret"), False),
        (Grant.REFRESH_TOKEN, None, False),
    ],
)
def test_a_client_is_complete_as_the_grant_has_it(grant: Grant, client: OAuthClient | None, complete: bool) -> None:
    assert Tokens(oauth(grant)).is_complete(client) is complete
