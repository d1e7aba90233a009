"""Credentials and keys of one relay, as read from the mounted Secret. Their `repr` shows nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.accounts import Password


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """What a token server knows us by; `secret` and `refresh_token` may be empty, as the grant has it."""

    id: str = field(repr=False)
    secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """User name and password of a provider; or user name and `client`, for logins with an access token."""

    username: str = field(repr=False)
    password: str = field(default="", repr=False)
    client: OAuthClient | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate chain and its private key, PEM: a listener's, or that of the relay as a client."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """`credentials` by provider name, `previous` those before their last change, `certificates` by listener name,
    `identities` are the certificates that are shown to providers, by provider name, `accounts` by what clients log in
    as; `srs` first signs, all verify.
    """

    revision: str = ""
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    previous: Mapping[str, Credential] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    identities: Mapping[str, Certificate] = field(default_factory=dict)
    accounts: Mapping[str, Password] = field(default_factory=dict, repr=False)
    srs: tuple[bytes, ...] = field(default=(), repr=False)
    api_token: str = field(default="", repr=False)
