"""`SmtpRelay`: a relay that takes the mail of apps and aliases and sends it through its upstreams.

Its status is in `relay_status`, its listeners, aliases, cluster's objects and pods in `relay_*`. Failures: see `part`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mailhaul_contract.base import Name
from mailhaul_contract.config import BounceMode
from mailhaul_operator.api.amounts import Duration, Quantity
from mailhaul_operator.api.client_networks import FEW_OR_PRIVATE, few_or_private
from mailhaul_operator.api.lists import MapBy
from mailhaul_operator.api.metadata import ObjectMeta
from mailhaul_operator.api.part import Part
from mailhaul_operator.api.relay_aliases import RelayAliases
from mailhaul_operator.api.relay_clients import RelayClients
from mailhaul_operator.api.relay_delivery import RelayDelivery, RelayRecipients
from mailhaul_operator.api.relay_listeners import NO_LOGINS, Listeners, RelayListener
from mailhaul_operator.api.relay_pods import RelayPodTemplate, RelayResources
from mailhaul_operator.api.relay_queue import RelayQueue
from mailhaul_operator.api.relay_routes import Routes
from mailhaul_operator.api.relay_senders import RelaySenders
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.api.relay_suppression import RelaySuppression
from mailhaul_operator.api.relay_workload import (
    ExternalTrafficPolicy,
    RelayMonitoring,
    RelayNetworkPolicy,
    RelayService,
    UpgradePolicy,
)
from mailhaul_operator.api.rules import Rule
from mailhaul_operator.api.text import OptionalDomain, OptionalMailAddress


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
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    """Of several with one priority each gets mail in proportion to its weight; 0 only when the others cannot take it.
    The id of a message decides, so each replica chooses alike."""

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


def _names_its_clients_if_exposed(spec: Any) -> bool:  # noqa: ANN401 - an SmtpRelaySpec, defined below
    return not spec.service.exposed or spec.clients.allowed_networks is not None


def _sees_its_clients_if_exposed(spec: Any) -> bool:  # noqa: ANN401 - as above
    hidden = spec.service.exposed and spec.service.external_traffic_policy is ExternalTrafficPolicy.CLUSTER
    return not hidden or not spec.clients.allowed_networks


def _is_narrow_if_exposed(spec: Any) -> bool:  # noqa: ANN401 - as above
    return not spec.service.exposed or all(map(few_or_private, spec.clients.allowed_networks or ()))


def _has_accounts_for_logins(spec: Any) -> bool:  # noqa: ANN401 - as above
    return spec.clients.accounts is not None or not any(one.takes_logins for one in spec.listeners)


def _takes_logins_for_accounts(spec: Any) -> bool:  # noqa: ANN401 - as above
    return spec.clients.accounts is None or any(one.takes_logins for one in spec.listeners)


def _trusts_nobody_hidden_if_exposed(spec: Any) -> bool:  # noqa: ANN401 - as above
    hidden = spec.service.exposed and spec.service.external_traffic_policy is ExternalTrafficPolicy.CLUSTER
    return not hidden or not any(one.trusted_networks for one in spec.listeners)


def _listeners_are_narrow_if_exposed(spec: Any) -> bool:  # noqa: ANN401 - as above
    trusted = (network for one in spec.listeners for network in one.trusted_networks)
    return not spec.service.exposed or all(map(few_or_private, trusted))


class SmtpRelaySpec(Part):
    """What is wanted."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "a Service of this type is open to others than this cluster; name in clients.allowedNetworks the networks"
            " that may send, an empty list for none, or set service.type to ClusterIP",
            "self.service.type == 'ClusterIP' || has(self.clients.allowedNetworks)",
            _names_its_clients_if_exposed,
            field="clients",
        ),
        Rule(
            "externalTrafficPolicy Cluster hides clients behind addresses of nodes, so that nobody can be told from"
            " a trusted one; set service.externalTrafficPolicy to Local, or clients.allowedNetworks to an empty list",
            "self.service.type == 'ClusterIP' || self.service.externalTrafficPolicy != 'Cluster'"
            " || !has(self.clients.allowedNetworks) || size(self.clients.allowedNetworks) == 0",
            _sees_its_clients_if_exposed,
            field="service.externalTrafficPolicy",
        ),
        Rule(
            "a public network this wide makes an open relay of a Service that is open to others; name narrower ones in"
            " clients.allowedNetworks, at least /16 (IPv4) or /32 (IPv6)",
            "self.service.type == 'ClusterIP' || !has(self.clients.allowedNetworks)"
            f" || self.clients.allowedNetworks.all(one, {FEW_OR_PRIVATE})",
            _is_narrow_if_exposed,
            field="clients.allowedNetworks",
        ),
        Rule(
            "externalTrafficPolicy Cluster hides clients and proxies behind addresses of nodes; set"
            " service.externalTrafficPolicy to Local, or remove proxyProtocol and the networks of the listeners",
            "self.service.type == 'ClusterIP' || self.service.externalTrafficPolicy != 'Cluster' || self.listeners.all("
            "one, !has(one.proxyProtocol) && (!has(one.allowedNetworks) || size(one.allowedNetworks) == 0))",
            _trusts_nobody_hidden_if_exposed,
            field="service.externalTrafficPolicy",
        ),
        Rule(
            "a public network this wide makes an open relay of a Service that is open to others; name narrower ones in"
            " allowedNetworks and proxyProtocol of the listeners, at least /16 (IPv4) or /32 (IPv6)",
            "self.service.type == 'ClusterIP' || self.listeners.all(listener,"
            f" (!has(listener.allowedNetworks) || listener.allowedNetworks.all(one, {FEW_OR_PRIVATE})) &&"
            f" (!has(listener.proxyProtocol) || listener.proxyProtocol.trustedNetworks.all(one, {FEW_OR_PRIVATE})))",
            _listeners_are_narrow_if_exposed,
            field="listeners",
        ),
        Rule(
            "clients may log in at a listener, but there are no accounts; set clients.accounts.secretRef, or auth.mode"
            " of the listeners to None",
            f"has(self.clients.accounts) || {NO_LOGINS}",
            _has_accounts_for_logins,
            field="clients",
        ),
        Rule(
            "the accounts have no effect while no listener lets clients log in; set auth.mode of a listener with TLS to"
            " Optional or Required, or remove clients.accounts",
            f"!has(self.clients.accounts) || !({NO_LOGINS})",
            _takes_logins_for_accounts,
            field="clients.accounts",
        ),
    )

    replicas: Annotated[int, Field(ge=0, le=100)] = 1
    """Number of replicas, each with a queue of its own."""
    hostname: OptionalDomain = ""
    """How the relay names itself to others. The default is the name of its Service."""
    postmaster: OptionalMailAddress = ""
    """Receives mail to postmaster, which every mail server must take (RFC 5321 section 4.5.1). Without it that is the
    postmaster of an alias, or, for clients that may send there, of the first sender domain."""
    service: RelayService = RelayService()
    """The Service that apps send to."""
    listeners: Listeners = (RelayListener(name="smtp", port=25),)
    """Ports that apps send to."""
    clients: RelayClients = RelayClients()
    """Who may send mail through this relay."""
    senders: RelaySenders = RelaySenders()
    """Who may be the author of mail through this relay."""
    recipients: RelayRecipients = RelayRecipients()
    """Whom mail may reach."""
    upstreams: Upstreams
    """The ways out."""
    routes: Routes = ()
    """Which mail takes which of them; the first that fits counts, and mail that none fits may take all."""
    queue: RelayQueue = RelayQueue()
    """Mail that was accepted and has not left yet."""
    delivery: RelayDelivery = RelayDelivery()
    """Whether mail leaves, and when none does."""
    bounces: RelayBounces = RelayBounces()
    """What happens to mail that failed for good."""
    suppression: RelaySuppression | None = None
    """Refuse recipients at once that failed permanently several times. Absent means off; `{}` takes the defaults."""
    limits: RelayLimits = RelayLimits()
    """What one client may ask for."""
    aliases: RelayAliases = RelayAliases()
    """Own domains and how their mail is forwarded."""
    logging: RelayLogging = RelayLogging()
    """What the log tells."""
    monitoring: RelayMonitoring = RelayMonitoring()
    """Objects for monitoring."""
    network_policy: RelayNetworkPolicy = RelayNetworkPolicy()
    """The NetworkPolicy of the pods."""
    upgrade_policy: UpgradePolicy = UpgradePolicy.AUTOMATIC
    """Whether a new operator rolls this relay to its own image (Automatic), or leaves its image alone (Manual)."""
    resources: RelayResources = RelayResources()
    """What the container of each replica is given."""
    pod_template: RelayPodTemplate = RelayPodTemplate()
    """Where the pods run and what they carry."""


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
