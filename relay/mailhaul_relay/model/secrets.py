"""Credentials and keys of one relay, as read from the mounted Secret. Their `repr` shows nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailhaul_contract.accounts import Password


@dataclass(frozen=True, slots=True)
class Credential:
    """User name and password of a provider."""

    username: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A listener's certificate chain and private key, PEM."""

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secrets:
    """`credentials` by provider name, `previous` those before their last change, `certificates` by listener name,
    `accounts` by what clients log in as; `srs` first signs, all verify.
    """

    revision: str = ""
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    previous: Mapping[str, Credential] = field(default_factory=dict)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    accounts: Mapping[str, Password] = field(default_factory=dict, repr=False)
    srs: tuple[bytes, ...] = field(default=(), repr=False)
    api_token: str = field(default="", repr=False)
