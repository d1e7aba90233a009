"""`plan`: one relay's resources in; its configuration, digest, assembled Secret and every problem out.

Pure, and the order of its inputs never shows. What cannot work is left out with a finding and the rest goes on: an
upstream without its credential, a listener without its certificate, an alias in conflict. A relay that is left with no
upstream still runs, keeps what it accepts and says so (docs/design/0010-plan-leaves-out.md); one with no listener does
not.
"""

from dataclasses import dataclass

from pydantic import ValidationError

from mailhaul_contract.config import (
    CONTRACT_VERSION,
    Bounces,
    DeadLetters,
    Logging,
    Queue,
    RelayConfig,
    RelayName,
    Retry,
)
from mailhaul_contract.digest import canonical_json, digest
from mailhaul_contract.forwarding import Aliases, Srs
from mailhaul_contract.listening import Clients, Limits
from mailhaul_contract.names import SECRET_REVISION, SECRET_SRS
from mailhaul_contract.refusals import refusals
from mailhaul_contract.suppression import Suppression
from mailhaul_operator.api.smtprelay import SmtpRelaySpec
from mailhaul_operator.plan.accounts import accounts
from mailhaul_operator.plan.alias_tables import ENTRIES, INLINE, tables, too_many
from mailhaul_operator.plan.aliases import alias_entries
from mailhaul_operator.plan.alignment import unforwardable, unsendable
from mailhaul_operator.plan.assembled_secret import assemble
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason, in_order
from mailhaul_operator.plan.listeners import listeners
from mailhaul_operator.plan.naming import ALIAS_TABLES
from mailhaul_operator.plan.previous import previous
from mailhaul_operator.plan.references import Lookup, Source
from mailhaul_operator.plan.routes import routes
from mailhaul_operator.plan.senders import delivery, senders
from mailhaul_operator.plan.snapshot import Plan, Snapshot
from mailhaul_operator.plan.upstreams import upstreams


def plan(snapshot: Snapshot) -> Plan:
    """Decide what one relay should run."""
    findings: list[Finding] = []
    content: dict[str, bytes] = {}
    try:
        draft = _draft(snapshot, Lookup(snapshot, findings), content)
    except ValidationError as error:
        draft = None
        findings += _invalid(snapshot, error)
    written = _written(snapshot, draft, content, findings) if draft else None
    if written is None:
        return Plan(*snapshot.relay.metadata.key, None, b"", "", {}, in_order(findings))
    return Plan(
        *snapshot.relay.metadata.key,
        config=written.config,
        content=written.content,
        digest=digest(written.content),
        secret=written.secret,
        findings=in_order(findings),
        tables=written.tables,
    )


@dataclass(frozen=True, slots=True)
class _Written:
    config: RelayConfig
    content: bytes
    secret: dict[str, bytes]
    tables: tuple[bytes, ...] = ()


def _written(
    snapshot: Snapshot, draft: RelayConfig, content: dict[str, bytes], findings: list[Finding]
) -> _Written | None:
    """The configuration with the revision of its secrets, as bytes; None when its aliases do not fit."""
    kept = previous(snapshot, [one.provider_ref.name for one in snapshot.relay.spec.upstreams], content)
    secret = assemble(snapshot, content, kept)
    config = draft.model_copy(update={"secret_revision": secret[SECRET_REVISION].decode()})
    whole = canonical_json(config.to_json())
    entries = config.aliases.entries
    if len(whole) <= INLINE or not entries:
        return _Written(config, whole, secret)
    moved = tables(entries)
    if len(moved) > ALIAS_TABLES:
        findings.append(too_many(_relay(snapshot), len(entries), len(moved)))
        return None
    update = {"entries": (), "tables": tuple(digest(one) for one in moved)}
    config = config.model_copy(update={"aliases": config.aliases.model_copy(update=update)})
    return _Written(config, canonical_json(config.to_json()), secret, moved)


def _draft(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> RelayConfig | None:
    """The configuration but for the revision of its secrets; None when no port is left to open, or for its aliases."""
    spec = snapshot.relay.spec
    opened = listeners(snapshot, lookup, secret)
    accounts(snapshot, lookup, secret)
    ways = upstreams(snapshot, lookup, secret)
    aliases = _aliases(snapshot, lookup, secret)
    if aliases is None:
        return None
    paths, found = routes(snapshot, ways)
    lookup.findings.extend(found)
    lookup.findings.extend([*unsendable(snapshot, paths, ways), *unforwardable(snapshot, aliases, paths, ways)])
    lookup.findings.extend(_unmonitored(snapshot))
    if not opened:
        lookup.findings.append(_no_listener(snapshot))
        return None
    return RelayConfig(
        contract_version=CONTRACT_VERSION,
        relay=RelayName(namespace=snapshot.namespace, name=snapshot.relay.metadata.name),
        hostname=hostname(snapshot),
        postmaster=spec.postmaster or None,
        listeners=opened,
        clients=Clients(allowed_networks=tuple(sorted(spec.clients.trusted_networks))),
        senders=senders(spec.senders),
        delivery=delivery(spec),
        upstreams=ways,
        routes=paths,
        queue=_queue(spec),
        bounces=Bounces(mode=spec.bounces.mode, to=spec.bounces.to or None),
        suppression=Suppression(**spec.suppression.model_dump()) if spec.suppression else None,
        limits=Limits(**spec.limits.model_dump()),
        aliases=aliases,
        logging=Logging(redact_addresses=spec.logging.redact_addresses),
    )


def hostname(snapshot: Snapshot) -> str:
    """Give the name by which the relay greets: the one that was set, else that of its Service."""
    namespace, name = snapshot.relay.metadata.key
    return snapshot.relay.spec.hostname or f"{name}.{namespace}.svc.cluster.local"


def _queue(spec: SmtpRelaySpec) -> Queue:
    retry = Retry(initial=spec.queue.retry.initial, max=spec.queue.retry.max)
    return Queue(
        retry=retry,
        expire_after=spec.queue.expire_after,
        high_watermark=spec.queue.high_watermark.messages,
        dead_letters=DeadLetters(keep_for=spec.queue.dead_letters.keep_for),
    )


def _aliases(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> Aliases | None:
    spec = snapshot.relay.spec.aliases
    entries, findings = alias_entries(snapshot)
    lookup.findings.extend(findings)
    if len(entries) > ENTRIES:
        lookup.findings.append(too_many(_relay(snapshot), len(entries)))
        return None
    return Aliases(
        domains=tuple(sorted(one.name for one in spec.domains)),
        entries=entries,
        srs=_srs(snapshot, lookup, secret),
        from_rewriting=spec.from_rewriting,
    )


def _srs(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> Srs | None:
    srs = snapshot.relay.spec.aliases.srs
    if srs is None:
        return None
    source = Source(_relay(snapshot), "spec.aliases.srs.secretRef", "forwards keep the sender's own address")
    if not lookup.has_secret(source, srs.secret_ref.name, Reason.SRS_SECRET_MISSING):
        return None
    key = lookup.secret_key(source, srs.secret_ref.name, srs.secret_ref.key, ".key")
    if key is None:
        return None
    secret[SECRET_SRS] = key
    return Srs(domain=srs.domain)


def _no_listener(snapshot: Snapshot) -> Finding:
    return Finding(
        _relay(snapshot),
        "spec.listeners",
        Reason.CONFIGURATION_INVALID,
        "no listener can open, so the relay has no configuration to run",
        "mend the certificates of its listeners, or add a listener with tls.mode None",
    )


def _unmonitored(snapshot: Snapshot) -> list[Finding]:
    if not snapshot.relay.spec.monitoring.service_monitor or snapshot.facts.service_monitors:
        return []
    text = "the cluster serves no ServiceMonitor: the Prometheus operator is not installed, and metrics go unread"
    remedy = "install the Prometheus operator, or remove monitoring.serviceMonitor and have port 9090 scraped otherwise"
    field = "spec.monitoring.serviceMonitor"
    return [Finding(_relay(snapshot), field, Reason.SERVICE_MONITOR_ABSENT, text, remedy)]


def _invalid(snapshot: Snapshot, error: ValidationError) -> list[Finding]:
    return [
        Finding(_relay(snapshot), "spec", Reason.CONFIGURATION_INVALID, f"{one.path}: {one.reason}", one.remedy)
        for one in refusals(error)
    ]


def _relay(snapshot: Snapshot) -> ObjectRef:
    return ObjectRef("SmtpRelay", *snapshot.relay.metadata.key)
