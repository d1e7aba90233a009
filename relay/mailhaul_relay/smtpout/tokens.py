"""Access tokens of one upstream: fetched when one is needed, kept in memory until shortly before they end.

`token_login` borrows them, `queue` makes one `Tokens` for each upstream and forgets it with a changed upstream or
credential. One fetch at a time; who waited for one that failed gets its failure. A refresh token that the server
changes is kept in memory only, so after a restart that of the Secret is used again (docs/upstream-auth.md). Failures:
UnusableError: fault AUTH when the token server refuses, with its words; fault TOKEN when it gives no answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mailhaul_contract.oauth import Grant, OAuth
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.secrets import OAuthClient
from mailhaul_relay.ports.clock import Clock, wall_clock
from mailhaul_relay.smtpout.breakdown import UnusableError
from mailhaul_relay.smtpout.token_answer import Token, TokenRefusedError, read_answer
from mailhaul_relay.smtpout.token_request import TokenAnswer, UnansweredError, ask_token_server

MARGIN = 300.0
"""Seconds before its end at which a token is replaced; a tenth of its life when that is less."""
MIN_CONCEALED = 4
"""Characters from which a secret is taken out of the token server's words; a shorter one would riddle every text."""
REFUSED = "token-refused"
"""In place of a row of the table of replies, for a refusal of the token server is none of an SMTP server."""

Ask = Callable[[OAuth, Mapping[str, str]], Awaitable[TokenAnswer]]


@dataclass(frozen=True, slots=True)
class Lent:
    """A token to log in with; `is_new` when it was fetched for this login, so that a newer one is no better."""

    value: str = field(repr=False)
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    value: str = field(repr=False)
    since: float
    due: float
    ends: float

    def lasts(self, now: float, until: float) -> bool:
        """Whether it is good now. A clock that was set back must not keep it for ever."""
        return self.since <= now < until


class Tokens:
    """Those of one upstream, by the client that they are for: its current credential's and the previous one's."""

    def __init__(self, oauth: OAuth, clock: Clock = wall_clock, ask: Ask = ask_token_server) -> None:
        self._oauth, self._clock, self._ask = oauth, clock, ask
        self._lock = asyncio.Lock()
        self._kept: dict[OAuthClient, _Kept] = {}
        self._renewed: dict[OAuthClient, str] = {}
        self._fetches = 0
        self._failure: tuple[OAuthClient, UnusableError] | None = None

    def is_complete(self, client: OAuthClient | None) -> bool:
        """Whether a client has all that the grant needs."""
        if client is None:
            return False
        return bool(client.secret if self._oauth.grant is Grant.CLIENT_CREDENTIALS else client.refresh_token)

    async def lend(self, client: OAuthClient) -> Lent:
        """Give a token, a kept one if it lasts. Raises UnusableError."""
        kept = self._kept.get(client)
        if kept and kept.lasts(self._clock(), kept.due):
            return Lent(kept.value, is_new=False)
        before = self._fetches
        async with self._lock:
            return await self._in_turn(client, waited=self._fetches != before)

    def spurn(self, client: OAuthClient, value: str) -> None:
        """Forget a token that the upstream refused."""
        kept = self._kept.get(client)
        if kept and kept.value == value:
            del self._kept[client]

    async def _in_turn(self, client: OAuthClient, *, waited: bool) -> Lent:
        kept, now = self._kept.get(client), self._clock()
        if kept and kept.lasts(now, kept.due):
            return Lent(kept.value, is_new=False)
        if waited and self._failure and self._failure[0] == client:
            raise UnusableError(self._failure[1].outcome)
        self._failure = None
        try:
            token = await self._fetch(client)
        except UnansweredError as error:
            if kept and kept.lasts(now, kept.ends):
                return Lent(kept.value, is_new=False)
            raise self._failed(client, self._unanswered(error)) from None
        except TokenRefusedError as error:
            self._kept.pop(client, None)
            raise self._failed(client, self._refused(client, error)) from None
        finally:
            self._fetches += 1
        self._keep(client, token)
        return Lent(token.value, is_new=True)

    async def _fetch(self, client: OAuthClient) -> Token:
        renewed = self._renewed.get(client, "")
        try:
            return read_answer(await self._ask(self._oauth, self._form(client, renewed)))
        except TokenRefusedError:
            if not renewed:
                raise
        # The one that the server gave us may have been revoked, or used up by another replica.
        del self._renewed[client]
        return read_answer(await self._ask(self._oauth, self._form(client, "")))

    def _form(self, client: OAuthClient, renewed: str) -> dict[str, str]:
        form = {"client_id": client.id, "client_secret": client.secret, "scope": self._oauth.scope}
        if self._oauth.grant is Grant.CLIENT_CREDENTIALS:
            form["grant_type"] = "client_credentials"
        else:
            form |= {"grant_type": "refresh_token", "refresh_token": renewed or client.refresh_token}
        return {key: value for key, value in form.items() if value}

    def _keep(self, client: OAuthClient, token: Token) -> None:
        if token.refresh_token and self._oauth.grant is Grant.REFRESH_TOKEN:
            self._renewed[client] = token.refresh_token
        now, life = self._clock(), token.lifetime
        self._kept[client] = _Kept(token.value, now, now + life - min(MARGIN, life / 10), now + life)

    def _failed(self, client: OAuthClient, outcome: Outcome) -> UnusableError:
        error = UnusableError(outcome)
        self._failure = (client, error)
        return error

    @property
    def _server(self) -> str:
        return f"token server {urlsplit(self._oauth.token_url).hostname}"

    def _unanswered(self, error: UnansweredError) -> Outcome:
        detail = f"no access token from {self._server}: {error}"
        return Outcome(Verdict.RETRY, Stage.AUTH, Fault.TOKEN, detail=detail, remedy=error.remedy)

    def _refused(self, client: OAuthClient, error: TokenRefusedError) -> Outcome:
        words = str(error)
        for secret in (client.secret, client.refresh_token, self._renewed.get(client, "")):
            if len(secret) >= MIN_CONCEALED:
                words = words.replace(secret, "***")
        reply = Reply(error.status, "", f"{self._server}: {words}"[:512])
        remedy = _REMEDIES.get(error.error, _CLIENT)
        return Outcome(Verdict.HOLD, Stage.AUTH, Fault.AUTH, reply, remedy=remedy, rule=REFUSED)


_CLIENT = "Check clientId and clientSecret in the provider's Secret, and the application at the token server."
_REMEDIES: Mapping[str, str] = {
    "invalid_client": "Correct clientId and clientSecret in the provider's Secret; a client secret may have expired.",
    "invalid_grant": "The refresh token has expired or was revoked: sign in again and put the new one into the Secret.",
    "invalid_scope": "Correct spec.auth.oauth.scope of the UpstreamProvider, or leave it to the profile.",
    "unauthorized_client": "Allow this grant for the application at the token server, or change spec.auth.oauth.grant.",
    "unsupported_grant_type": "Change spec.auth.oauth.grant of the UpstreamProvider; the server does not know it.",
}
