"""`OAuth`: how a relay gets the access token that it logs in with (SASL XOAUTH2); part of `Upstream`.

Written by the operator's `plan.oauth`, interpreted by the relay's `smtpout.tokens`. What proves who asks (client id and
secret, refresh token) lies in the secrets. A token server is asked over HTTPS only; anything else is refused here.
"""

from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mailhaul_contract.base import Frozen

TOKEN_URL_PATTERN = r"https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/[!$-~]*"  # noqa: S105 - no secret
"""RE2 of a token server's address: no user, no fragment, no blank."""
SCOPE_PATTERN = r"[!#-\[\]-~]+( [!#-\[\]-~]+)*"
"""RE2 of one or more scopes (RFC 6749 section 3.3)."""


class Grant(StrEnum):
    """What is given for an access token: the client's own secret (RFC 6749 section 4.4), or a refresh token (6)."""

    CLIENT_CREDENTIALS = "ClientCredentials"
    REFRESH_TOKEN = "RefreshToken"  # noqa: S105 - a word


def usable_token_url(text: str) -> str:
    """Give the address back; raises ValueError when it has no host or no port that can be."""
    parts = urlsplit(text)
    if not parts.hostname or parts.port == 0:
        raise ValueError("the address of a token server needs a host, and a port from 1 to 65535 if it names one")
    return text


TokenUrl = Annotated[str, Field(max_length=2048, pattern=f"^{TOKEN_URL_PATTERN}$"), AfterValidator(usable_token_url)]


class OAuth(Frozen):
    """`scope` "" asks for what the refresh token is for. `ca` is PEM text of the token server's own authorities; empty
    means the system's.
    """

    grant: Grant
    token_url: TokenUrl
    scope: Annotated[str, Field(max_length=2048, pattern=f"^({SCOPE_PATTERN})?$")] = ""
    ca: Annotated[str, Field(max_length=262_144)] = ""
