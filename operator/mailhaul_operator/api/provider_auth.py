"""The part of an UpstreamProvider about logins: the mechanism, where credential and access tokens come from.

What a profile knows of a token server is in `profiles`. Failures: see `part`.
"""

from typing import Annotated, ClassVar

import re2
from pydantic import Field

from mailhaul_contract.base import ObjectName
from mailhaul_contract.oauth import SCOPE_PATTERN, TOKEN_URL_PATTERN, Grant, usable_token_url
from mailhaul_contract.upstream import AuthMechanism
from mailhaul_operator.api.external_secret import CredentialKey, ExternalCredential
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.provider_tls import CaRef
from mailhaul_operator.api.rules import Rule, accepted_by
from mailhaul_operator.api.text import KeyName, matches

_TOKEN_URL = Rule(
    "not the address of a token server; write it like https://login.example.com/oauth2/token",
    matches(TOKEN_URL_PATTERN),
    accepted_by(lambda text: usable_token_url(_matched(text))),
)


def _matched(text: str) -> str:
    if not re2.fullmatch(TOKEN_URL_PATTERN, text):
        raise ValueError("not the address of a token server")
    return text


OptionalTokenUrl = Annotated[str, Field(max_length=2048), _TOKEN_URL.or_empty()]
"""An address with https, or empty for the profile's."""


class CredentialRef(Part):
    """A Secret in the namespace of this resource with a user name and a password, or what a token server wants."""

    name: ObjectName
    """Name of the Secret."""
    username_key: KeyName = "username"
    """Key of the user name. It may be absent where the profile knows the user name."""
    password_key: KeyName = "password"  # noqa: S105 - the name of a key
    """Key of the password, which many providers call token or API key."""
    client_id_key: KeyName = "clientId"
    """With XOAuth2: key of the application's (client's) id."""
    client_secret_key: KeyName = "clientSecret"  # noqa: S105 - the name of a key
    """With XOAuth2: key of the application's secret. It may be absent with a refresh token of a public client."""
    refresh_token_key: KeyName = "refreshToken"  # noqa: S105 - the name of a key
    """With XOAuth2 and grant RefreshToken: key of the refresh token."""

    @property
    def names_client(self) -> bool:
        """Whether it names keys of its own for what only a token server wants."""
        mine = (self.client_id_key, self.client_secret_key, self.refresh_token_key)
        return mine != (_USUAL.client_id_key, _USUAL.client_secret_key, _USUAL.refresh_token_key)


_USUAL = CredentialRef(name="any")


class ProviderOAuth(Part):
    """Where access tokens come from. They are fetched by the relay over HTTPS and kept in its memory only."""

    grant: Grant
    """ClientCredentials (an application of its own, at Microsoft) or RefreshToken (somebody signed in once)."""
    token_url: OptionalTokenUrl = ""
    """The token endpoint. The default is the profile's."""
    tenant: Annotated[str, Field(max_length=253, pattern=r"^([A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?)?$")] = ""
    """Type microsoft365 without tokenUrl: the id or domain of the tenant."""
    scope: Annotated[str, Field(max_length=2048, pattern=rf"^({SCOPE_PATTERN})?$")] = ""
    """What the token is to be good for. The default is the profile's."""
    ca_ref: CaRef | None = None
    """The authorities to trust for the token endpoint in place of the system's."""


class ProviderAuth(Part):
    """How to authenticate."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "mechanism None uses no credential; remove secretRef, or set mechanism to Auto",
            "self.mechanism != 'None' || !has(self.secretRef)",
            lambda auth: auth.mechanism is not AuthMechanism.NONE or not auth.secret_ref,
            field="secretRef",
        ),
        Rule(
            "mechanism None uses no credential; remove externalSecret, or set mechanism to Auto",
            "self.mechanism != 'None' || !has(self.externalSecret)",
            lambda auth: auth.mechanism is not AuthMechanism.NONE or not auth.external_secret,
            field="externalSecret",
        ),
        Rule(
            "there are two credentials, secretRef and externalSecret; keep one and remove the other",
            "!has(self.secretRef) || !has(self.externalSecret)",
            lambda auth: not auth.secret_ref or not auth.external_secret,
            field="externalSecret",
        ),
        Rule(
            "there is no password; add an item with secretKey password",
            "self.mechanism == 'XOAuth2' || !has(self.externalSecret)"
            " || self.externalSecret.data.exists(item, item.secretKey == 'password')",
            lambda auth: auth.mechanism is AuthMechanism.XOAUTH2 or auth.fetches(CredentialKey.PASSWORD),
            field="externalSecret.data",
        ),
        Rule(
            "there is no client id; add an item with secretKey clientId",
            "self.mechanism != 'XOAuth2' || !has(self.externalSecret)"
            " || self.externalSecret.data.exists(item, item.secretKey == 'clientId')",
            lambda auth: auth.mechanism is not AuthMechanism.XOAUTH2 or auth.fetches(CredentialKey.CLIENT_ID),
            field="externalSecret.data",
        ),
        Rule(
            "mechanism XOAuth2 needs tokens; add oauth with its grant",
            # Only a schema's own default, `{}`, has no mechanism yet when the API server tries this on it.
            "!has(self.mechanism) || self.mechanism != 'XOAuth2' || has(self.oauth)",
            lambda auth: auth.mechanism is not AuthMechanism.XOAUTH2 or auth.oauth is not None,
            field="oauth",
        ),
        Rule(
            "oauth goes with mechanism XOAuth2 only; set it, or remove oauth",
            "self.mechanism == 'XOAuth2' || !has(self.oauth)",
            lambda auth: auth.mechanism is AuthMechanism.XOAUTH2 or auth.oauth is None,
            field="oauth",
        ),
        Rule(
            "mechanism XOAuth2 uses no password; remove passwordKey",
            "self.mechanism != 'XOAuth2' || !has(self.secretRef) || self.secretRef.passwordKey == 'password'",
            lambda auth: (
                auth.mechanism is not AuthMechanism.XOAUTH2
                or not auth.secret_ref
                or auth.secret_ref.password_key == _USUAL.password_key
            ),
            field="secretRef.passwordKey",
        ),
        Rule(
            "clientIdKey, clientSecretKey and refreshTokenKey go with mechanism XOAuth2 only; set it, or remove them",
            "self.mechanism == 'XOAuth2' || !has(self.secretRef) || (self.secretRef.clientIdKey == 'clientId'"
            " && self.secretRef.clientSecretKey == 'clientSecret' && self.secretRef.refreshTokenKey == 'refreshToken')",
            lambda auth: (
                auth.mechanism is AuthMechanism.XOAUTH2 or not auth.secret_ref or not auth.secret_ref.names_client
            ),
            field="secretRef",
        ),
    )

    mechanism: AuthMechanism = AuthMechanism.AUTO
    """Auto takes PLAIN, else LOGIN, as offered. None is for servers that know us by address. XOAuth2 uses tokens."""
    oauth: ProviderOAuth | None = None
    """Where the access tokens of mechanism XOAuth2 come from."""
    secret_ref: CredentialRef | None = None
    """A Secret with the credential. It or externalSecret is needed unless mechanism is None or type is capture."""
    external_secret: ExternalCredential | None = None
    """The credential in a store that External Secrets reads, in place of secretRef."""

    def fetches(self, key: CredentialKey) -> bool:
        """Whether a part of the credential is fetched from a store, or nothing is."""
        return self.external_secret is None or any(item.secret_key is key for item in self.external_secret.data)

    @property
    def has_credential(self) -> bool:
        """Whether one is named, in either way."""
        return self.secret_ref is not None or self.external_secret is not None
