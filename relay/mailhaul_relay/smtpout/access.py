"""`Access`: what connections of one upstream have beside the credential: a client certificate, a source of tokens.

`queue` makes one for each upstream, `logins` carries it to `pool` and `probe`. Cannot fail.
"""

from dataclasses import dataclass

from mailhaul_relay.model.secrets import Certificate
from mailhaul_relay.smtpout.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Access:
    """`identity` is shown in the TLS handshake, `tokens` are for logins with XOAUTH2; each None where not wanted."""

    identity: Certificate | None = None
    tokens: Tokens | None = None


PLAIN_ACCESS = Access()
