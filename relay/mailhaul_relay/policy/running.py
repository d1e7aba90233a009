"""The compiled, immutable view of one configuration with its secrets; every policy asks it.

`reload` makes one for each configuration that arrives, and the last good one stays in use when it cannot be made.
Look-ups that the hot path needs are computed here, once. A credential that is absent does not refuse a configuration:
it is a fault of that one upstream (its transport answers AUTH), and the others still deliver.
Failures: reasons of refusal, each naming the field and the remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import maxsize

from mailhaul_contract.config import RelayConfig
from mailhaul_contract.listening import ListenerTlsMode
from mailhaul_contract.names import SECRET_SRS, secret_certificate
from mailhaul_contract.upstream import Behavior, Upstream
from mailhaul_relay.model.secrets import Secrets
from mailhaul_relay.policy.aliases import AliasPatternError, AliasTable
from mailhaul_relay.policy.reach import Reach
from mailhaul_relay.policy.routes import Routes
from mailhaul_relay.policy.senders import SenderPolicies
from mailhaul_relay.policy.source import ClientNetworks
from mailhaul_relay.policy.srs import SrsRewriter
from mailhaul_relay.policy.suppression import Record

RELAY_UNIQUE = frozenset(
    {
        *("from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references", "subject"),
        *("date", "mime-version", "content-type", "content-transfer-encoding"),
    }
)
"""Fields that may stand once in a message (RFC 5322 section 3.6, RFC 2045); providers refuse or drop repeats."""
SIZE_HEADROOM = 8192
"""Octets that Received, a forward's own fields and a rewritten From may add to a message."""


@dataclass(frozen=True, slots=True)
class Running:
    """`own_domains` are those of the aliases and of SRS; `candidates` are all upstreams by priority, then name;
    `unique_headers` (lower case) hold for submissions, `inbound_unique` for forwards; `size_limit` is in octets, and
    mail as it is spooled that has at most `size_for_all` is too large for no upstream;
    `suppressed` are the recipients that are refused, by address: the list is replaced with the whole value.
    """

    config: RelayConfig
    secrets: Secrets
    digest: str
    aliases: AliasTable
    networks: ClientNetworks
    srs: SrsRewriter | None
    own_domains: frozenset[str]
    sender_domains: frozenset[str]
    senders: SenderPolicies
    reach: Reach | None
    candidates: tuple[Upstream, ...]
    routes: Routes
    upstream_domains: Mapping[str, frozenset[str]]
    unique_headers: frozenset[bytes]
    inbound_unique: frozenset[bytes]
    size_limit: int
    size_for_all: int
    suppressed: Mapping[str, Record] = field(default_factory=dict)

    def upstream(self, name: str) -> Upstream | None:
        """Give the upstream with that handle."""
        for one in self.candidates:
            if one.name == name:
                return one
        return None


def compile_running(config: RelayConfig, secrets: Secrets, digest: str) -> Running | tuple[str, ...]:
    """Compile a configuration, or give the reasons why it cannot run."""
    table: AliasTable | str
    try:
        table = AliasTable.build(config.aliases.entries)
    except AliasPatternError as error:
        table = str(error)
    reasons = (*_missing_secrets(config, secrets), *_foreign_aliases(config, table))
    if reasons or isinstance(table, str):
        return reasons
    upstreams = tuple(sorted(config.upstreams, key=lambda one: (one.priority, one.name)))
    srs = SrsRewriter(secrets.srs, config.aliases.srs.domain) if config.aliases.srs else None
    unique = [_lowered(one.behavior.unique_headers) for one in upstreams]
    return Running(
        config=config,
        secrets=secrets,
        digest=digest,
        aliases=table,
        networks=ClientNetworks.build(config.clients.allowed_networks),
        srs=srs,
        own_domains=frozenset(config.aliases.domains) | ({srs.domain} if srs else frozenset()),
        sender_domains=frozenset(config.senders.domains),
        senders=SenderPolicies.build(config.senders, table),
        reach=Reach.build(config.delivery, table),
        candidates=upstreams,
        routes=Routes.build(config),
        upstream_domains={one.name: frozenset(one.senders.domains) for one in upstreams},
        unique_headers=_lowered(RELAY_UNIQUE).union(*unique),
        inbound_unique=frozenset({b"from"}).union(frozenset.intersection(*unique) if unique else ()),
        size_limit=_size_limit(config.limits.message_size, [one.behavior for one in upstreams]),
        size_for_all=min((one.behavior.max_message_size or maxsize for one in upstreams), default=maxsize),
    )


def _missing_secrets(config: RelayConfig, secrets: Secrets) -> list[str]:
    reasons = [
        f"listeners: `{one.name}` offers TLS, but the secrets have no {secret_certificate(one.name)};"
        " set tls.secretRef of the listener"
        for one in config.listeners
        if one.tls is not ListenerTlsMode.NONE and one.name not in secrets.certificates
    ]
    if config.aliases.srs and not any(secrets.srs):
        reasons.append(f"aliases.srs: the secrets have no {SECRET_SRS}; set spec.aliases.srs.secretRef")
    return reasons


def _foreign_aliases(config: RelayConfig, table: AliasTable | str) -> list[str]:
    if isinstance(table, str):
        return [table]
    foreign = sorted(set(table.domains) - set(config.aliases.domains))
    return [f"aliases: {one} is not an own domain; add it to spec.aliases.domains" for one in foreign]


def _lowered(names: "tuple[str, ...] | frozenset[str]") -> frozenset[bytes]:
    return frozenset(name.lower().encode() for name in names)


def _size_limit(own: int, behaviors: list[Behavior]) -> int:
    """The largest that some upstream takes, less what the relay adds; an upstream with no known limit takes any."""
    sizes = [one.max_message_size for one in behaviors]
    if not sizes or not all(sizes):
        return own
    return max(1024, min(own, max(sizes) - SIZE_HEADROOM))
