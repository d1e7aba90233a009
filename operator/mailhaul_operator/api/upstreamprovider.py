"""`UpstreamProvider`: an account at a mail provider, or any SMTP server, through which relays send.

What the provider's type implies is in `profiles`; the plan merges both. Failures: see `part`.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mailhaul_contract.base import Port
from mailhaul_contract.oauth import Grant
from mailhaul_contract.quotas import OnQuota
from mailhaul_contract.upstream import (
    AddressFamily,
    AuthMechanism,
    EnvelopeSender,
    ForeignFrom,
    NullSender,
    TlsMode,
)
from mailhaul_operator.api.amounts import Duration, Quantity
from mailhaul_operator.api.lists import MapBy, SetOf
from mailhaul_operator.api.metadata import ObjectMeta
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.provider_auth import ProviderAuth
from mailhaul_operator.api.provider_quotas import ProviderQuota
from mailhaul_operator.api.provider_status import UpstreamProviderStatus
from mailhaul_operator.api.provider_tls import ProviderTls
from mailhaul_operator.api.rules import Rule, Transition
from mailhaul_operator.api.text import DomainName, HostName, OptionalMailAddress


class ProviderType(StrEnum):
    """A provider's profile (see `profiles`), `smtp` for any other server, `capture` for the built-in inbox."""

    MAILTRAP = "mailtrap"
    RESEND = "resend"
    BREVO = "brevo"
    GMAIL = "gmail"
    GOOGLE_WORKSPACE = "google-workspace"
    SES = "ses"
    MAILGUN = "mailgun"
    SENDGRID = "sendgrid"
    POSTMARK = "postmark"
    MICROSOFT365 = "microsoft365"
    SMTP2GO = "smtp2go"
    SMTP = "smtp"
    CAPTURE = "capture"


TYPES_WITHOUT_HOST = (ProviderType.SMTP, ProviderType.SES)
"""Types whose profile cannot know the host."""
GOOGLE = (ProviderType.GMAIL, ProviderType.GOOGLE_WORKSPACE)


class ProviderProbe(Part):
    """How often it is proved that the provider would take mail. A probe sends none; a delivery saves one."""

    interval: Annotated[int, Duration("5m", "24h")] = 900
    """The time from one probe, or delivery, to the next probe. Providers take frequent logins for abuse."""
    sender: OptionalMailAddress = ""
    """Also asks whether the provider takes mail from this address, and then takes it back (MAIL FROM and RSET)."""


class RateLimit(Part):
    """At most so many messages begun in any such time, by each replica of a relay."""

    messages: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of messages."""
    per: Annotated[int, Duration("1s", "24h")] = 1
    """The time, such as 1s or 1m."""


class ProviderConnections(Part):
    """Connections of each replica of a relay to the provider."""

    max: Annotated[int, Field(ge=1, le=1000)] = 5
    """At most so many at once."""
    messages_per_connection: Annotated[int, Field(ge=1, le=100_000)] = 100
    """A connection is closed after so many messages."""
    idle_timeout: Annotated[int, Duration("1s", "1h")] = 30
    """A connection is closed when it was idle for so long."""
    reply_timeout: Annotated[int, Duration("1s", "10m")] = 120
    """The provider is passed over when a reply before the message is sent takes longer; short is a quick failover."""
    address_family: AddressFamily = AddressFamily.ANY
    """Any, IPv4 or IPv6."""


class ProviderSenders(Part):
    """Who may be the author of mail through this provider."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "rewriteFrom replaces a From that is not in domains, and domains is empty, which means any; list there what"
            " the provider has verified, or remove rewriteFrom",
            "!(has(self.rewriteFrom) && self.rewriteFrom != '') || (has(self.domains) && size(self.domains) > 0)",
            lambda senders: not senders.rewrite_from or bool(senders.domains),
            field="rewriteFrom",
        ),
    )

    domains: Annotated[tuple[DomainName, ...], Field(max_length=256), SetOf()] = ()
    """The From domains that the provider has verified; empty means any. Mail from others is not sent through it."""
    rewrite_from: OptionalMailAddress = ""
    """Replaces a From whose domain is not in the list, instead of passing this provider over."""


class ProviderBehavior(Part):
    """What the provider does to mail. The defaults are the profile's; set it for type smtp when it differs."""

    foreign_from: ForeignFrom | None = None
    """What it does to a From that is not its customer's: Keep, Replace or Refuse."""
    envelope_sender: EnvelopeSender | None = None
    """Whether the envelope sender arrives as it was sent: Keep or Replace."""
    null_sender: NullSender | None = None
    """Whether it takes MAIL FROM:<>, as bounces have it: Accepted or Refused."""
    max_message_size: Annotated[int, Quantity("1Ki", "1Gi")] | None = None
    """The largest message that it takes."""
    max_recipients: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """The most recipients of one message that it takes; more are split."""


def _has_token_server(spec: Any) -> bool:  # noqa: ANN401 - an UpstreamProviderSpec, defined below
    oauth = spec.auth.oauth
    return not oauth or bool(oauth.token_url) or spec.type in {*GOOGLE, ProviderType.MICROSOFT365}


def _names_tenant_where_due(spec: Any) -> bool:  # noqa: ANN401 - as above
    oauth = spec.auth.oauth
    return spec.type is not ProviderType.MICROSOFT365 or not oauth or bool(oauth.token_url or oauth.tenant)


def _uses_tenant(spec: Any) -> bool:  # noqa: ANN401 - as above
    oauth = spec.auth.oauth
    return not oauth or not oauth.tenant or (spec.type is ProviderType.MICROSOFT365 and not oauth.token_url)


def _google_takes_grant(spec: Any) -> bool:  # noqa: ANN401 - as above
    oauth = spec.auth.oauth
    return not oauth or spec.type not in GOOGLE or bool(oauth.token_url) or oauth.grant is Grant.REFRESH_TOKEN


def _connects_or_has_no_means_to(spec: Any) -> bool:  # noqa: ANN401 - an UpstreamProviderSpec, defined below
    if spec.type is not ProviderType.CAPTURE:
        return True
    unconnected = ProviderConnections(max=spec.connections.max)
    no_auth = not spec.auth.has_credential and spec.auth.mechanism in {AuthMechanism.NONE, AuthMechanism.AUTO}
    means = (spec.tls, spec.connections, spec.probe)
    return not spec.host and not spec.port and no_auth and means == (ProviderTls(), unconnected, ProviderProbe())


_NO_OAUTH = "!has(self.auth.oauth)"
_TOKEN_URL_SET = "(has(self.auth.oauth.tokenUrl) && self.auth.oauth.tokenUrl != '')"  # noqa: S105 - an expression
_TENANT_SET = "(has(self.auth.oauth.tenant) && self.auth.oauth.tenant != '')"


class UpstreamProviderSpec(Part):
    """What is wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "this type has no host of its own; set host, for ses like email-smtp.eu-central-1.amazonaws.com",
            "!(self.type in ['smtp', 'ses']) || (has(self.host) && self.host != '')",
            lambda spec: spec.type not in TYPES_WITHOUT_HOST or spec.host != "",
            field="host",
        ),
        Rule(
            "there is no credential; set auth.secretRef.name to a Secret, or auth.mechanism to None, or give"
            " auth.externalSecret",
            "self.type == 'capture' || self.auth.mechanism == 'None' || has(self.auth.secretRef)"
            " || has(self.auth.externalSecret)",
            lambda spec: (
                spec.type is ProviderType.CAPTURE
                or spec.auth.mechanism is AuthMechanism.NONE
                or spec.auth.has_credential
            ),
            field="auth",
        ),
        Rule(
            "type capture keeps mail in the relay's own inbox and connects to nothing; remove host, port, tls, auth,"
            " probe, and all of connections but max",
            "self.type != 'capture' || (!(has(self.host) && self.host != '') && !has(self.port)"
            " && !has(self.tls.mode) && !has(self.tls.caRef) && !has(self.tls.clientCertificateRef)"
            " && self.tls.verify == 'Required'"
            " && !(has(self.tls.serverName) && self.tls.serverName != '')"
            " && !has(self.auth.secretRef) && !has(self.auth.externalSecret) && self.auth.mechanism in ['None', 'Auto']"
            " && duration(self.probe.interval) == duration('15m')"
            " && !(has(self.probe.sender) && self.probe.sender != '')"
            " && self.connections.messagesPerConnection == 100 && self.connections.addressFamily == 'Any'"
            " && duration(self.connections.idleTimeout) == duration('30s')"
            " && duration(self.connections.replyTimeout) == duration('2m'))",
            _connects_or_has_no_means_to,
        ),
        Rule(
            "this type has no token server of its own; set auth.oauth.tokenUrl",
            f"{_NO_OAUTH} || {_TOKEN_URL_SET} || self.type in ['gmail', 'google-workspace', 'microsoft365']",
            _has_token_server,
            field="auth.oauth.tokenUrl",
        ),
        Rule(
            "Microsoft's token server is that of a tenant; set auth.oauth.tenant to its id or domain",
            f"self.type != 'microsoft365' || {_NO_OAUTH} || {_TOKEN_URL_SET} || {_TENANT_SET}",
            _names_tenant_where_due,
            field="auth.oauth.tenant",
        ),
        Rule(
            "tenant goes with type microsoft365 and its own token server; remove it, or remove tokenUrl",
            f"{_NO_OAUTH} || !{_TENANT_SET} || (self.type == 'microsoft365' && !{_TOKEN_URL_SET})",
            _uses_tenant,
            field="auth.oauth.tenant",
        ),
        Rule(
            "Google gives tokens for mail for a refresh token only; set auth.oauth.grant to RefreshToken",
            f"!(self.type in ['gmail', 'google-workspace']) || {_NO_OAUTH} || {_TOKEN_URL_SET}"
            " || self.auth.oauth.grant == 'RefreshToken'",
            _google_takes_grant,
            field="auth.oauth.grant",
        ),
        Rule(
            "an access token leaves over TLS only; set tls.mode to StartTLS or Implicit",
            "self.auth.mechanism != 'XOAuth2' || !(has(self.tls.mode) && self.tls.mode == 'None')",
            lambda spec: spec.auth.mechanism is not AuthMechanism.XOAUTH2 or spec.tls.mode is not TlsMode.NONE,
            field="tls.mode",
        ),
    )
    TRANSITIONS: ClassVar[tuple[Transition, ...]] = (
        Transition(
            "type cannot be changed; create another UpstreamProvider, add it to the relay, then remove this one",
            "self.type == oldSelf.type",
            lambda old, new: old.type is new.type,
            field="type",
        ),
    )

    type: ProviderType
    """The provider's profile, `smtp` for any other server, `capture` for the built-in inbox. Cannot be changed."""
    host: HostName = ""
    """Host name or IP address. The default is the profile's."""
    port: Port | None = None
    """The default is the profile's; 587 for type smtp. Where a cloud blocks it, see the profile's alternate ports."""
    tls: ProviderTls = ProviderTls()
    """TLS towards the provider."""
    auth: ProviderAuth = ProviderAuth()
    """How to authenticate."""
    quotas: Annotated[tuple[ProviderQuota, ...], Field(max_length=3), MapBy(("period",))] = ()
    """How much may be sent in an hour, a day or a month; no limit by default, whatever the profile says."""
    on_quota: OnQuota = OnQuota.FAIL_OVER
    """What happens to mail when a quota is used up, or the provider says so: FailOver gives it to the next upstream,
    Hold keeps it until the provider takes mail again. It is never bounced for that."""
    rate_limit: RateLimit | None = None
    """How fast mail may be sent; no limit by default."""
    connections: ProviderConnections = ProviderConnections()
    """How many connections are kept, and for how long."""
    senders: ProviderSenders = ProviderSenders()
    """Who may be the author of mail through this provider."""
    probe: ProviderProbe = ProviderProbe()
    """How often it is proved that the provider would take mail."""
    behavior: ProviderBehavior = ProviderBehavior()
    """What the provider does to mail, where it differs from the profile."""


class UpstreamProvider(Part):
    """An account at a mail provider, or any SMTP server, through which relays of this namespace send."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "the name is no DNS label; use at most 63 of a-z, 0-9 and -, with no dot",
            r"self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 63",
            lambda provider: "." not in provider.metadata.name and len(provider.metadata.name) <= 63,
            field="metadata.name",
        ),
    )

    api_version: Literal["mailhaul.dev/v1alpha1"]
    kind: Literal["UpstreamProvider"]
    metadata: ObjectMeta
    spec: UpstreamProviderSpec
    status: UpstreamProviderStatus | None = None
