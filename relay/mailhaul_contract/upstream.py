"""`Upstream`: one way out, its endpoint, its limits and what its provider does to mail; part of `RelayConfig`.

Written by the operator's `plan.upstreams`, interpreted by `policy.routing`, `queue` and `smtpout`. Durations are whole
seconds, sizes are bytes. A wrong value is refused with its path.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from mailhaul_contract.base import Bytes, Domain, Frozen, Mailbox, Name, ObjectName, Port, Seconds
from mailhaul_contract.oauth import OAuth
from mailhaul_contract.quotas import OnQuota, Quotas, Share


class TlsMode(StrEnum):
    """How the connection to an upstream is secured: `StartTLS` and `Implicit` never fall back to plain text."""

    NONE = "None"
    START_TLS = "StartTLS"
    IMPLICIT = "Implicit"


class TlsVerify(StrEnum):
    """Whether the upstream's certificate must be valid for its name."""

    REQUIRED = "Required"
    NONE = "None"


class UpstreamTls(Frozen):
    """TLS towards an upstream. `ca` is PEM text of the own authorities; empty means the system's. With
    `client_certificate` the one that lies in the secrets under the provider's name is shown.
    """

    mode: TlsMode = TlsMode.START_TLS
    verify: TlsVerify = TlsVerify.REQUIRED
    server_name: Annotated[str, Field(max_length=253)] = ""
    ca: Annotated[str, Field(max_length=262_144)] = ""
    client_certificate: bool = False


class AuthMechanism(StrEnum):
    """The SASL mechanism; `Auto` takes PLAIN, else LOGIN, as the upstream offers them. `XOAuth2` logs in with an access
    token, as Google and Microsoft have it.
    """

    NONE = "None"
    AUTO = "Auto"
    PLAIN = "Plain"
    LOGIN = "Login"
    XOAUTH2 = "XOAuth2"


class ForeignFrom(StrEnum):
    """What a provider does to a From that is not its customer's."""

    KEEP = "Keep"
    REPLACE = "Replace"
    REFUSE = "Refuse"


class EnvelopeSender(StrEnum):
    """What a provider does to the envelope sender; only a kept one brings bounces (and SRS) back."""

    KEEP = "Keep"
    REPLACE = "Replace"


class NullSender(StrEnum):
    """Whether a provider takes `MAIL FROM:<>`."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"


class Behavior(Frozen):
    """How a provider treats mail. `max_message_size` 0 and `max_recipients` 0 mean: no limit is known."""

    foreign_from: ForeignFrom = ForeignFrom.KEEP
    envelope_sender: EnvelopeSender = EnvelopeSender.KEEP
    null_sender: NullSender = NullSender.ACCEPTED
    max_message_size: Bytes = 0
    max_recipients: Annotated[int, Field(ge=0, le=100_000)] = 0
    unique_headers: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=32)] = ()


class RateLimit(Frozen):
    """At most `messages` transactions begun in any `per` seconds."""

    messages: Annotated[int, Field(ge=1, le=1_000_000)]
    per: Annotated[int, Field(ge=1, le=86_400)] = 1


class AddressFamily(StrEnum):
    """The address family of connections to an upstream."""

    ANY = "Any"
    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Connections(Frozen):
    """The pool towards one upstream. In seconds: how long a connection may be idle, and how long any reply before the
    message is sent may take; a shorter one fails over sooner, and what was not sent yet cannot be doubled by it.
    """

    max: Annotated[int, Field(ge=1, le=1000)] = 5
    messages_per_connection: Annotated[int, Field(ge=1, le=100_000)] = 100
    idle_timeout: Seconds = 30
    reply_timeout: Annotated[int, Field(ge=1, le=600)] = 120
    address_family: AddressFamily = AddressFamily.ANY


class UpstreamSenders(Frozen):
    """The From domains that a provider may send; empty means any. `rewrite_from` replaces a From it may not send."""

    domains: Annotated[tuple[Domain, ...], Field(max_length=256)] = ()
    rewrite_from: Mailbox | None = None


class UpstreamKind(StrEnum):
    """How mail reaches the upstream: by SMTP, or into the relay's own inbox."""

    SMTP = "Smtp"
    CAPTURE = "Capture"


class Upstream(Frozen):
    """One way out. `name` is the handle within this relay; a credential lies in the secrets under `provider`. Of those
    with the lowest `priority` each gets mail in proportion to its `weight`; 0 gets it only when the others cannot.
    `oauth` goes with the mechanism XOAuth2. `probe_sender` is the address that a probe tries with MAIL FROM. `share` is
    this relay's replica's part of `quotas`.
    """

    name: Name
    provider: ObjectName
    profile: Annotated[str, Field(max_length=63)] = "smtp"
    kind: UpstreamKind = UpstreamKind.SMTP
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    host: Annotated[str, Field(max_length=253)] = ""
    port: Port = 587
    tls: UpstreamTls = UpstreamTls()
    auth: AuthMechanism = AuthMechanism.NONE
    oauth: OAuth | None = None
    rate_limit: RateLimit | None = None
    connections: Connections = Connections()
    senders: UpstreamSenders = UpstreamSenders()
    behavior: Behavior = Behavior()
    probe_sender: Mailbox | None = None
    quotas: Quotas = ()
    on_quota: OnQuota = OnQuota.FAIL_OVER
    share: Share = Share()

    @model_validator(mode="after")
    def _an_smtp_upstream_has_a_host(self) -> "Upstream":
        if self.kind is UpstreamKind.SMTP and not self.host:
            raise ValueError("an upstream of kind Smtp needs a host; set spec.host of its UpstreamProvider")
        return self

    @model_validator(mode="after")
    def _tokens_come_from_somewhere(self) -> "Upstream":
        if (self.auth is AuthMechanism.XOAUTH2) != (self.oauth is not None):
            raise ValueError("oauth goes with auth XOAuth2, and only with it; set both or neither")
        return self

    @model_validator(mode="after")
    def _each_period_has_one_quota(self) -> "Upstream":
        periods = [one.period for one in self.quotas]
        if len(set(periods)) != len(periods):
            raise ValueError("quotas repeat a period; each may appear once")
        return self
