"""SASL XOAUTH2: a login with an access token in place of a password, as Google and Microsoft have it.

Called by `connection` after TLS. A kept token that is refused is replaced once; a token that is fresh and refused is a
refused credential, and the next try gets another one. No text here holds a token. Failures: those of `tokens`, and of
the wire; a refusal is the returned answer.

https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
"""

import base64

from mailhaul_relay.model.secrets import OAuthClient
from mailhaul_relay.smtpout.concealment import forms
from mailhaul_relay.smtpout.login import MAX_COMMAND
from mailhaul_relay.smtpout.replies import Answer
from mailhaul_relay.smtpout.tokens import Tokens
from mailhaul_relay.smtpout.wire import GarbageError, LostError, Wire

GENERAL_RULES = frozenset({"", "credentials-refused", "authentication-required", "authentication-required-code"})
"""Rows of the table of replies whose remedy speaks of a password."""
REMEDY = (
    "The token was issued, but the mailbox does not take it: check the user name, spec.auth.oauth.scope, that SMTP AUTH"
    " is enabled for the mailbox and that the application may send as it."
)


async def log_in_by_token(wire: Wire, username: str, client: OAuthClient, tokens: Tokens, limit: float) -> Answer:
    """Authenticate and give the final answer: 235, or the refusal. Raises UnusableError when there is no token."""
    lent = await tokens.lend(client)
    answer = await _bear(wire, username, lent.value, limit)
    if answer.code < 500:
        return answer
    tokens.spurn(client, lent.value)
    if lent.is_new:
        return answer
    lent = await tokens.lend(client)
    try:
        second = await _bear(wire, username, lent.value, limit)
    except (GarbageError, LostError, TimeoutError):
        return answer  # some servers part after a refusal; the next connection tries the new token
    if second.code >= 500:
        tokens.spurn(client, lent.value)
    return second


async def _bear(wire: Wire, username: str, token: str, limit: float) -> Answer:
    said = f"user={username}\x01auth=Bearer {token}\x01\x01".encode()
    wire.conceal(forms(token.encode(), said))
    response = base64.b64encode(said)
    command = b"AUTH XOAUTH2 " + response
    if len(command) <= MAX_COMMAND:
        answer = await _ask(wire, command, limit)
    else:
        answer = await _ask(wire, b"AUTH XOAUTH2", limit)
        if answer.code == 334:
            answer = await _ask(wire, response, limit)
    if answer.code == 334:
        # The error in JSON; an empty response brings the reply that says it in words.
        answer = await _ask(wire, b"", limit)
    return answer


async def _ask(wire: Wire, line: bytes, limit: float) -> Answer:
    wire.write(line + b"\r\n", owed=1)
    return await wire.answer(limit)
