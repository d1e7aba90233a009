"""What the passes over relays found, for the passes over providers and aliases and for the relay's own next one.

Lost at a restart without harm: the first passes bring it back, and until then what is not known changes nothing. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mailhaul_contract.names import SECRET_API_TOKEN
from mailhaul_contract.report import BreakerState, CredentialState, RelayReport
from mailhaul_contract.upstream import AuthMechanism, UpstreamKind
from mailhaul_operator.api.relay_delivery import DeliveryMode
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import ProviderType, UpstreamProvider
from mailhaul_operator.assess.view import PodView, UsedBy
from mailhaul_operator.plan.findings import Finding, ObjectRef
from mailhaul_operator.plan.reserves import spends_reserve
from mailhaul_operator.plan.snapshot import Plan, Snapshot
from mailhaul_operator.reconcile.forwarding import Forwarding, Outline
from mailhaul_operator.wire.key import Key


@dataclass(frozen=True, slots=True)
class RelayPass:
    """One pass over a relay: what was planned from what, and what its pods then reported. `ready` is what its
    Ready condition says, None for Unknown; `emptied` are the replicas, by ordinal, that take no new mail and hold none,
    as was seen at `looked` (epoch seconds).
    """

    snapshot: Snapshot = field(repr=False)
    plan: Plan
    pods: tuple[PodView, ...] = ()
    ready: bool | None = None
    emptied: frozenset[int] = frozenset()
    looked: float = 0

    @property
    def relay(self) -> SmtpRelay:
        """The relay as it was planned."""
        return self.snapshot.relay

    @property
    def token(self) -> str:
        """What opens its pods' HTTP; empty before the first plan with a configuration."""
        secret = self.plan.secret or self.snapshot.existing
        return secret.get(SECRET_API_TOKEN, b"").decode(errors="replace")

    @property
    def reports(self) -> Mapping[str, RelayReport]:
        """The reports of pods that are not about to go, by name."""
        staying = (one for one in self.pods if not one.terminating)
        return {one.name: one.report for one in staying if isinstance(one.report, RelayReport)}

    @property
    def applied(self) -> bool:
        """Whether there are reports, and all of them are of the configuration that was planned."""
        reports = self.reports.values()
        return bool(reports) and all(one.digest == self.plan.digest for one in reports)

    def is_busy(self, known: frozenset[str]) -> bool:
        """Whether a second may change something: a pod is not yet with the plan or does not answer yet, or a credential
        is about to be tried. `known` are the upstreams of which the provider's own probe has told.
        """
        staying = [one for one in self.pods if not one.terminating]
        return len(self.reports) < len(staying) or not self.applied or bool(self._untried() - known)

    @property
    def is_urgent(self) -> bool:
        """Whether a credential is not tried yet or failing, or an upstream is out, so that what its Secret and its
        authority say is soon read again.
        """
        failing = {CredentialState.REFUSED, CredentialState.PREVIOUS}
        told = self._credentials().values()
        return not self.applied or self._is_out or bool(self._untried()) or any(states & failing for states in told)

    @property
    def _is_out(self) -> bool:
        settings = self.plan.config.upstreams if self.plan.config else ()
        by_smtp = {one.name for one in settings if one.kind is UpstreamKind.SMTP}
        there = (one for report in self.reports.values() for one in report.upstreams if one.name in by_smtp)
        return any(one.breaker is not BreakerState.CLOSED for one in there)

    def _untried(self) -> set[str]:
        """Upstreams whose credential no replica has tried; one that has proved or refused it speaks for all."""
        return {name for name, states in self._credentials().items() if states == {CredentialState.UNPROVED}}

    def _credentials(self) -> dict[str, set[CredentialState]]:
        """The states of the credentials of upstreams that are tried now; those behind a breaker are not."""
        settings = self.plan.config.upstreams if self.plan.config else ()
        needing = {one.name for one in settings if one.kind is UpstreamKind.SMTP and one.auth is not AuthMechanism.NONE}
        found: dict[str, set[CredentialState]] = {}
        for one in (one for report in self.reports.values() for one in report.upstreams if one.name in needing):
            if one.breaker is BreakerState.CLOSED or one.credential is not CredentialState.UNPROVED:
                found.setdefault(one.name, set()).add(one.credential)
        return found

    def proved(self) -> frozenset[str]:
        """Give the providers whose current credential every ready pod has proved."""
        ready = [one.report for one in self.pods if one.ready and not one.terminating]
        reports = [one for one in ready if isinstance(one, RelayReport)]
        if not reports or len(reports) < len(ready) or not self.applied:
            return frozenset()
        of: dict[str, bool] = {}
        for upstream in (upstream for report in reports for upstream in report.upstreams):
            proved = upstream.credential is CredentialState.PROVED
            of[upstream.provider] = of.get(upstream.provider, True) and proved
        return frozenset(provider for provider, proved in of.items() if proved)

    def uses(self, provider: str) -> tuple[UsedBy, ...]:
        """Give how this relay uses a provider of its namespace, a value for each of its upstreams. One that captures
        its mail uses none but those of type capture.
        """
        if self.relay.spec.delivery.mode is DeliveryMode.CAPTURE and not self._captures(provider):
            return ()
        handles = [one.handle for one in self.relay.spec.upstreams if one.provider_ref.name == provider]
        return tuple(self._use(handle) for handle in handles)

    def _captures(self, provider: str) -> bool:
        found = self.snapshot.resources.provider(self.snapshot.namespace, provider)
        return found is not None and found.spec.type is ProviderType.CAPTURE

    def generation_of(self, provider: str) -> int:
        """Give the generation of a provider that was planned; -1 when it was not there."""
        found = self.snapshot.resources.provider(self.snapshot.namespace, provider)
        return found.metadata.generation if found else -1

    def _use(self, handle: str) -> UsedBy:
        by_pod = {pod: {one.name: one for one in report.upstreams} for pod, report in self.reports.items()}
        found = {pod: upstreams[handle] for pod, upstreams in by_pod.items() if handle in upstreams}
        revisions = {one.secret_revision for one in self.reports.values()}
        return UsedBy(
            *self.relay.metadata.key,
            handle,
            reports=tuple(found.values()),
            reporting=tuple(found),
            revision=revisions.pop() if len(revisions) == 1 else "",
            settled=self.applied,
            spends_reserve=spends_reserve(self.relay.spec.routes, handle),
        )

    def findings(self, about: ObjectRef) -> tuple[Finding, ...]:
        """Give what the plan found about a resource."""
        return tuple(one for one in self.plan.findings if about in (one.object, one.rival))


class Memory:
    """The last pass of each relay."""

    def __init__(self) -> None:
        self._passes: dict[Key, RelayPass] = {}
        self._outlines: dict[Key, Outline] = {}
        self._forwarding: dict[Key, Mapping[ObjectRef, Forwarding]] = {}
        self._running: set[Key] = set()
        self._urgent: set[Key] = set()

    @property
    def running(self) -> int:
        """How many relays have pods."""
        return len(self._running)

    def among(self, relay: Key) -> int:
        """Tell with how many others a relay that has pods waits for its next look: those that are urgent wait for each
        other only.
        """
        return len(self._urgent) if relay in self._urgent else self.running

    def last(self, relay: Key) -> RelayPass | None:
        """Give the last pass over a relay."""
        return self._passes.get(relay)

    def remember(self, relay: Key, one: RelayPass) -> frozenset[Key]:
        """Keep a pass; gives the providers and aliases to which it is news."""
        before, known = self._passes.get(relay), self._forwarding.get(relay, {})
        outline = self._outlines.get(relay)
        if outline is None or outline.plan is not one.plan:
            outline = self._outlines[relay] = Outline.of(one.plan)
        aliases_there = one.snapshot.resources.aliases
        now = outline.forwarding(aliases_there, one.reports, applied=one.applied, ready=one.ready)
        self._passes[relay], self._forwarding[relay] = one, now
        (self._running.add if one.pods else self._running.discard)(relay)
        (self._urgent.add if one.pods and one.is_urgent else self._urgent.discard)(relay)
        aliases = {alias for alias in {*known, *now} if known.get(alias) != now.get(alias)}
        return _changed_providers(before, one) | {Key(*alias_key(alias)) for alias in aliases}

    def forget(self, relay: Key) -> frozenset[Key]:
        """Drop a relay that is gone; gives the providers and aliases to which it is news."""
        before, known = self._passes.pop(relay, None), self._forwarding.pop(relay, {})
        self._outlines.pop(relay, None)
        self._running.discard(relay)
        self._urgent.discard(relay)
        return _changed_providers(before, None) | {Key(*alias_key(alias)) for alias in known}

    def uses(self, relays: Iterable[Key], provider: UpstreamProvider) -> tuple[UsedBy, ...]:
        """Give every use of a provider by these relays; none is settled with settings that are not planned yet."""
        name, generation = provider.metadata.name, provider.metadata.generation
        passes = [one for key in relays if (one := self._passes.get(key))]
        return tuple(
            replace(use, settled=use.settled and one.generation_of(name) == generation)
            for one in passes
            for use in one.uses(name)
        )

    def knows(self, relays: Iterable[Key]) -> bool:
        """Whether each of these relays has had its first pass."""
        return all(key in self._passes for key in relays)

    def findings(self, relays: Iterable[Key], about: ObjectRef) -> tuple[Finding, ...]:
        """Give what the plans of these relays found about a resource, each once."""
        found = (one for key in relays if (last := self._passes.get(key)) for one in last.findings(about))
        return tuple(dict.fromkeys(found))

    def forwarding(self, relay: Key, alias: ObjectRef) -> Forwarding | None:
        """Give what a relay does for an alias; None when it has not been planned yet."""
        return self._forwarding.get(relay, {}).get(alias)


def alias_key(reference: ObjectRef) -> tuple[str, str, str]:
    """Give the parts of a key."""
    return reference.kind, reference.namespace, reference.name


def _changed_providers(before: RelayPass | None, after: RelayPass | None) -> frozenset[Key]:
    """The providers of which two passes over one relay tell something different."""
    there = [one for one in (before, after) if one is not None]
    names = {(one.relay.metadata.namespace, up.provider_ref.name) for one in there for up in one.relay.spec.upstreams}
    return frozenset(Key("UpstreamProvider", *name) for name in names if _told(before, name) != _told(after, name))


def _told(one: RelayPass | None, provider: tuple[str, str]) -> object:
    if one is None:
        return None
    return one.uses(provider[1]), one.generation_of(provider[1]), one.findings(ObjectRef("UpstreamProvider", *provider))
