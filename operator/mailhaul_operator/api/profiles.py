"""What is known of each type of provider, read from `profiles.toml` beside this file.

The plan takes from here what an UpstreamProvider leaves open; docs/reference/providers.md is generated from it.
Failures: ValidationError at the first use when the file is wrong, which a test keeps from happening.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field

from mailhaul_contract.base import Port
from mailhaul_contract.quotas import QuotaCounts, QuotaPeriod
from mailhaul_contract.upstream import Behavior, EnvelopeSender, ForeignFrom, NullSender, TlsMode, UpstreamKind
from mailhaul_operator.api.amounts import Quantity
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.upstreamprovider import ProviderType


class Endpoint(Part):
    """Another port of the same host, for networks that block the first."""

    port: Port
    tls: TlsMode


class Login(Part):
    """What to write as user name and password. `fixed` is the user name of every account, where there is one."""

    username: str = ""
    fixed: str = ""
    password: str = ""


class TokenEndpoint(Part):
    """Where access tokens come from, with `{tenant}` where the account's own has to stand, and the scopes to ask for
    with either grant; "" asks for what the refresh token is for.
    """

    token_url: str
    client_scope: str = ""
    refresh_scope: str = ""


class FreeQuota(Part):
    """What an account without payment may send; for people to read, for a paid account must not stop at it.
    `trial_days` 0 means that it has no end.
    """

    period: QuotaPeriod
    limit: Annotated[int, Field(ge=1)]
    counts: QuotaCounts
    trial_days: int = 0


class ProfileBehavior(Part):
    """`Behavior` of the contract, with the size as people write it; 0 means that no limit is known."""

    foreign_from: ForeignFrom
    envelope_sender: EnvelopeSender
    null_sender: NullSender
    max_message_size: Annotated[int, Quantity("0", "1Gi")] = 0
    max_recipients: Annotated[int, Field(ge=0)] = 0
    unique_headers: tuple[str, ...] = ()


class Profile(Part):
    """One type of provider. An empty `host` must be given by the UpstreamProvider, like `host_example`."""

    title: str
    documentation: str
    kind: UpstreamKind = UpstreamKind.SMTP
    host: str = ""
    host_example: str = ""
    other_hosts: tuple[str, ...] = ()
    port: Port = 587
    tls: TlsMode = TlsMode.START_TLS
    alternates: tuple[Endpoint, ...] = ()
    login: Login = Login()
    oauth: TokenEndpoint | None = None
    quotas: tuple[FreeQuota, ...] = ()
    treatment: Annotated[ProfileBehavior, Field(alias="behavior")]
    notes: tuple[str, ...] = ()

    @property
    def behavior(self) -> Behavior:
        """How it treats mail, in the contract's form."""
        return Behavior(**self.treatment.model_dump())


@cache
def profiles() -> Mapping[ProviderType, Profile]:
    """Give every profile by type, in the order of the file."""
    text = files("mailhaul_operator.api").joinpath("profiles.toml").read_text(encoding="utf-8")
    return {ProviderType(name): Profile.from_json(table) for name, table in tomllib.loads(text).items()}


def profile(kind: ProviderType) -> Profile:
    """Give the profile of a type; every type has one."""
    return profiles()[kind]
