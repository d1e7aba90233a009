"""`SmtpRelay`: a relay that takes the mail of apps and aliases and sends it through its upstreams.

Its status is in `relay_status`, its aliases' part in `relay_aliases`. Failures: see `part`.
"""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_contract.config import BounceMode
from mailhaul_operator.api.amounts import Duration, Quantity
from mailhaul_operator.api.lists import MapBy, SetOf
from mailhaul_operator.api.metadata import ObjectMeta
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.relay_aliases import RelayAliases
from mailhaul_operator.api.relay_listeners import Listeners, RelayListener
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import DomainName, NetworkText, OptionalDomain, OptionalMailAddress

PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")
"""RFC 1918, RFC 4193 and loopback: who may relay while nobody is named."""


class RelayClients(Part):
    """Who may send mail through this relay to anywhere. Everybody else may only address aliases."""

    allowed_networks: Annotated[tuple[NetworkText, ...], Field(max_length=64), SetOf()] | None = None
    """Networks of trusted clients. Absent means the private ranges; an empty list trusts nobody."""

    @property
    def trusted_networks(self) -> tuple[str, ...]:
        """The networks in force."""
        return PRIVATE_NETWORKS if self.allowed_networks is None else self.allowed_networks


class RelaySenders(Part):
    """Who may be the author of mail through this relay."""

    domains: Annotated[tuple[DomainName, ...], Field(max_length=256), SetOf()] = ()
    """The From domains that trusted clients may use; empty leaves it to the upstreams' own lists."""


class ProviderRef(Part):
    """An UpstreamProvider in the namespace of this relay."""

    name: Name
    """Name of the UpstreamProvider."""


class RelayUpstream(Part):
    """A way out."""

    name: Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")] = ""
    """Handle within this relay. Empty means the provider's name; give names when there are several upstreams."""
    provider_ref: ProviderRef
    """The provider."""
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    """The lowest is tried first."""

    @property
    def handle(self) -> str:
        """The name in force."""
        return self.name or self.provider_ref.name


def _all_differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


_HANDLE = "({0}.name != '' ? {0}.name : {0}.providerRef.name)"

Upstreams = Annotated[
    tuple[RelayUpstream, ...],
    Field(min_length=1, max_length=16),
    MapBy(("name",)),
    Rule(
        "two upstreams have the same provider; name each provider once",
        "self.all(a, self.exists_one(b, a.providerRef.name == b.providerRef.name))",
        lambda upstreams: _all_differ([upstream.provider_ref.name for upstream in upstreams]),
    ),
    Rule(
        "two upstreams have the same name, which is the provider's where it is empty; give each its own",
        f"self.all(a, self.exists_one(b, {_HANDLE.format('a')} == {_HANDLE.format('b')}))",
        lambda upstreams: _all_differ([upstream.handle for upstream in upstreams]),
    ),
]


class QueueRetry(Part):
    """The time between attempts, doubled from one to the next, with jitter."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "initial is longer than max; make it shorter",
            "!has(self.initial) || !has(self.max) || duration(self.initial) <= duration(self.max)",
            lambda retry: retry.initial <= retry.max,
            field="initial",
        ),
    )

    initial: Annotated[int, Duration("1s", "24h")] = 60
    """After the first attempt."""
    max: Annotated[int, Duration("1s", "168h")] = 3600
    """The longest."""


class QueueWatermark(Part):
    """How much mail may wait before clients are told to come again later (452)."""

    messages: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Number of messages."""


class RelayQueue(Part):
    """Mail that was accepted and has not left yet."""

    retry: QueueRetry = QueueRetry()
    """The time between attempts."""
    expire_after: Annotated[int, Duration("1m", "720h")] = 432_000
    """Mail becomes a dead letter so long after it was accepted, held mail too."""
    high_watermark: QueueWatermark = QueueWatermark()
    """How much mail may wait."""


class RelayBounces(Part):
    """What happens to mail that failed for good."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "to has no effect while mode is Record; set mode to Send, or remove to",
            "self.mode == 'Send' || !has(self.to) || self.to == ''",
            lambda bounces: bounces.mode is BounceMode.SEND or not bounces.to,
            field="to",
        ),
    )

    mode: BounceMode = BounceMode.RECORD
    """Record keeps a dead letter; Send also reports it by mail (RFC 3464), never to strangers."""
    to: OptionalMailAddress = ""
    """Receives the reports in place of the sender of the mail."""


class RelayLimits(Part):
    """What one client may ask for, in each replica."""

    message_size: Annotated[int, Quantity("1Ki", "1Gi")] = 26_214_400
    """The largest message. The smallest limit among the upstreams applies too."""
    recipients: Annotated[int, Field(ge=1, le=10_000)] = 100
    """The most recipients of one message."""
    connections: Annotated[int, Field(ge=1, le=10_000)] = 200
    """The most connections of all clients at once."""
    connections_per_client: Annotated[int, Field(ge=1, le=10_000)] = 50
    """The most connections of one address at once."""
    messages_per_minute_per_client: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """The most messages of one address in a minute; 0 for no such limit."""
    session_time: Annotated[int, Duration("10s", "24h")] = 3600
    """The longest that a connection may last."""


class RelayLogging(Part):
    """What the log tells."""

    redact_addresses: bool = False
    """Leave only the domain of each address in the log."""


class SmtpRelaySpec(Part):
    """What is wanted."""

    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of replicas, each with a queue of its own."""
    hostname: OptionalDomain = ""
    """How the relay names itself to others. The default is the name of its Service."""
    postmaster: OptionalMailAddress = ""
    """Receives mail to postmaster, which every mail server must take (RFC 5321 section 4.5.1)."""
    listeners: Listeners = (RelayListener(name="smtp", port=25),)
    """Ports that apps send to."""
    clients: RelayClients = RelayClients()
    """Who may send mail through this relay."""
    senders: RelaySenders = RelaySenders()
    """Who may be the author of mail through this relay."""
    upstreams: Upstreams
    """The ways out."""
    queue: RelayQueue = RelayQueue()
    """Mail that was accepted and has not left yet."""
    bounces: RelayBounces = RelayBounces()
    """What happens to mail that failed for good."""
    limits: RelayLimits = RelayLimits()
    """What one client may ask for."""
    aliases: RelayAliases = RelayAliases()
    """Own domains and how their mail is forwarded."""
    logging: RelayLogging = RelayLogging()
    """What the log tells."""


class SmtpRelay(Part):
    """A relay: takes the mail of apps and aliases, keeps it safe, and sends it through its upstreams."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "the name cannot name a Service with replicas; use at most 42 of a-z, 0-9 and -, beginning with a letter",
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 42",
            lambda relay: (
                relay.metadata.name[0].isalpha() and "." not in relay.metadata.name and len(relay.metadata.name) <= 42
            ),
            field="metadata.name",
        ),
    )

    api_version: Literal["mailhaul.dev/v1alpha1"]
    kind: Literal["SmtpRelay"]
    metadata: ObjectMeta
    spec: SmtpRelaySpec
    status: SmtpRelayStatus | None = None
