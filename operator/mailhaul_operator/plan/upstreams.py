"""The ways out of one relay: each UpstreamProvider merged with what its profile knows.

Called by `relay_config`; `credentials` reads the credential of each. An upstream whose provider, credential or
authority is missing is left out, so that the others still work. Pure.
"""

from mailhaul_contract.upstream import (
    AuthMechanism,
    Behavior,
    Connections,
    RateLimit,
    TlsMode,
    TlsVerify,
    Upstream,
    UpstreamKind,
    UpstreamSenders,
    UpstreamTls,
)
from mailhaul_operator.api.profiles import Profile, profile
from mailhaul_operator.api.provider_tls import CaRef
from mailhaul_operator.api.relay_delivery import DeliveryMode
from mailhaul_operator.api.smtprelay import RelayUpstream
from mailhaul_operator.api.upstreamprovider import ProviderType, UpstreamProvider
from mailhaul_operator.plan.client_certificates import client_certificate
from mailhaul_operator.plan.credentials import Use, credential
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.oauth import oauth
from mailhaul_operator.plan.previous import is_previous
from mailhaul_operator.plan.quotas import shared, too_small
from mailhaul_operator.plan.references import Lookup, Source
from mailhaul_operator.plan.snapshot import Snapshot


def upstreams(snapshot: Snapshot, lookup: Lookup, secret: dict[str, bytes]) -> tuple[Upstream, ...]:
    """Give the usable upstreams, the preferred one first; their credentials are added to `secret`."""
    usable = []
    for index, upstream in enumerate(snapshot.relay.spec.upstreams):
        provider = snapshot.resources.provider(snapshot.namespace, upstream.provider_ref.name)
        if provider is None:
            kept = still_in_force(snapshot, upstream, secret)
            lookup.findings.append(_unknown(snapshot, upstream, index, goes_on=bool(kept)))
            usable += kept
            continue
        built = _Candidate(snapshot, lookup, upstream, provider).build(secret)
        if built:
            usable.append(built)
    if not usable:
        lookup.findings.append(_none(snapshot))
    return tuple(sorted(usable, key=lambda one: (one.priority, one.name)))


class _Candidate:
    """One upstream of the relay with its provider."""

    def __init__(self, snapshot: Snapshot, lookup: Lookup, upstream: RelayUpstream, provider: UpstreamProvider) -> None:
        self._snapshot, self._lookup, self._upstream, self._provider = snapshot, lookup, upstream, provider
        self._spec, self._profile = provider.spec, profile(provider.spec.type)
        self._use = Use("/".join(snapshot.relay.metadata.key), upstream.handle, provider)

    def build(self, secret: dict[str, bytes]) -> Upstream | None:
        """The upstream, or None when a part of it is missing, which is then found; both parts are looked at. A
        credential is kept while only the authority is missing: its source may be gone when that is back.
        """
        if self._snapshot.relay.spec.delivery.mode is DeliveryMode.CAPTURE:
            return self._captured()
        tls, keys = self._tls(), credential(self._snapshot, self._lookup, self._use)
        shown = client_certificate(self._snapshot, self._lookup, self._use)
        token_authority = self._authority("spec.auth.oauth.caRef", self._token_ca_ref)
        secret.update({**(keys or {}), **(shown or {})})
        if tls is None or keys is None or shown is None or token_authority is None:
            return None
        quotas, part = shared(self._snapshot, self._provider, secret)
        self._lookup.findings.extend(too_small(self._snapshot, self._provider, part))
        spec = self._spec
        return Upstream(
            name=self._upstream.handle,
            provider=self._provider.metadata.name,
            profile=spec.type.value,
            kind=self._profile.kind,
            priority=self._upstream.priority,
            weight=self._upstream.weight,
            host=spec.host or self._profile.host,
            port=spec.port or self._profile.port,
            tls=tls,
            auth=spec.auth.mechanism if keys else AuthMechanism.NONE,
            oauth=oauth(self._provider, token_authority) if keys else None,
            rate_limit=RateLimit(**spec.rate_limit.model_dump()) if spec.rate_limit else None,
            connections=Connections(**spec.connections.model_dump()),
            senders=self._senders(),
            behavior=_behavior(self._profile, self._provider),
            probe_sender=spec.probe.sender or None,
            quotas=quotas,
            on_quota=spec.on_quota,
            share=part,
        )

    def _captured(self) -> Upstream:
        """The inbox in its place, with its rules: needs no credential and no host."""
        return Upstream(
            name=self._upstream.handle,
            provider=self._provider.metadata.name,
            profile=self._spec.type.value,
            kind=UpstreamKind.CAPTURE,
            priority=self._upstream.priority,
            weight=self._upstream.weight,
            tls=UpstreamTls(mode=TlsMode.NONE),
            senders=self._senders(),
            behavior=_behavior(self._profile, self._provider),
        )

    def _senders(self) -> UpstreamSenders:
        spec = self._spec.senders
        return UpstreamSenders(domains=tuple(sorted(spec.domains)), rewrite_from=spec.rewrite_from or None)

    def _tls(self) -> UpstreamTls | None:
        if self._profile.kind is UpstreamKind.CAPTURE:
            return UpstreamTls(mode=TlsMode.NONE)
        tls = self._spec.tls
        authority = self._authority("spec.tls.caRef", tls.ca_ref)
        if authority is None:
            return None
        mode = tls.mode or _mode_of_port(self._profile, self._spec.port)
        verify = TlsVerify.REQUIRED if mode is TlsMode.NONE else tls.verify
        return UpstreamTls(
            mode=mode,
            verify=verify,
            server_name=tls.server_name,
            ca=authority,
            client_certificate=tls.client_certificate_ref is not None,
        )

    @property
    def _token_ca_ref(self) -> CaRef | None:
        return self._spec.auth.oauth.ca_ref if self._spec.auth.oauth else None

    def _authority(self, field: str, reference: CaRef | None) -> str | None:
        """PEM text, "" for the system's authorities, None when what is named is not usable."""
        return (
            self._lookup.authority(Source(self._use.object, field, self._use.without), reference) if reference else ""
        )


def _mode_of_port(known: Profile, port: int | None) -> TlsMode:
    """The TLS mode that goes with a port: the profile's own, or that of the alternate port that was chosen."""
    return next((one.tls for one in known.alternates if one.port == port), known.tls)


def _behavior(known: Profile, provider: UpstreamProvider) -> Behavior:
    """The profile's, with what the resource says over it."""
    given = provider.spec.behavior.model_dump(exclude_none=True)
    return known.behavior.model_copy(update=given)


def still_in_force(snapshot: Snapshot, upstream: RelayUpstream, secret: dict[str, bytes]) -> list[Upstream]:
    """Give the upstream as it runs while its provider is there and not valid, one at most; what the assembled Secret
    has for it is added to `secret`. What was meant is not known, so all stays as it was; but nothing leaves by it that
    is to be captured.
    """
    name, captures = upstream.provider_ref.name, snapshot.relay.spec.delivery.mode is DeliveryMode.CAPTURE
    found = [one for one in snapshot.unreadable.get(name, ()) if one.name == upstream.handle]
    kept = [
        one
        for one in found
        if (one.kind is UpstreamKind.CAPTURE) is (captures or one.profile == ProviderType.CAPTURE.value)
    ]
    if kept:
        ours = {key: value for key, value in snapshot.existing.items() if key.startswith(f"provider.{name}.")}
        secret.update({key: value for key, value in ours.items() if not is_previous(key)})
    chosen = {"priority": upstream.priority, "weight": upstream.weight}
    return [one.model_copy(update=chosen) for one in kept]


def _unknown(snapshot: Snapshot, upstream: RelayUpstream, index: int, *, goes_on: bool) -> Finding:
    name, namespace = upstream.provider_ref.name, snapshot.namespace
    if name in snapshot.unreadable:
        follows = "stays as it was" if goes_on else "is left out"
        words = f"UpstreamProvider {namespace}/{name} is not valid; upstream {upstream.handle} {follows}"
        remedy = f"correct UpstreamProvider {name} as its status says"
    else:
        words = f"there is no UpstreamProvider {namespace}/{name}; the relay does without upstream {upstream.handle}"
        remedy = f"create UpstreamProvider {name} in namespace {namespace}, or correct the name"
    field = f"spec.upstreams[{index}].providerRef.name"
    relay = ObjectRef("SmtpRelay", *snapshot.relay.metadata.key)
    return Finding(relay, field, Reason.UPSTREAM_UNKNOWN, words, remedy)


def _none(snapshot: Snapshot) -> Finding:
    return Finding(
        ObjectRef("SmtpRelay", *snapshot.relay.metadata.key),
        "spec.upstreams",
        Reason.NO_UPSTREAM,
        "no upstream can be used: the relay keeps what it accepts and sends nothing",
        "mend what the other findings name, or add an upstream",
    )
