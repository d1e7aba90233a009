"""What the checks of a provider look at: the view, and the reports that are about its present settings.

What a relay reported before it ran them is of the past and left aside; what the previous status said of the same
generation and revision stands until something newer is known. Pure.
"""

from dataclasses import dataclass
from functools import cached_property

from mailhaul_contract.report import BreakerState, ProbeStage, ReplyReport, UpstreamReport
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.api.moments import epoch
from mailhaul_operator.api.provider_status import UpstreamProviderStatus
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.causes import Cause
from mailhaul_operator.assess.drafts import READY, Stamp
from mailhaul_operator.assess.evidence import Sighting, newest
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.view import ProviderView, UsedBy
from mailhaul_operator.assess.ways import FIELDS
from mailhaul_operator.assess.words import remedy_of, reply_words
from mailhaul_operator.plan.findings import ObjectRef

BREAKERS = (BreakerState.CLOSED, BreakerState.HALF_OPEN, BreakerState.OPEN)
"""From good to bad."""


@dataclass(frozen=True)
class ProviderFacts:
    """A provider at one moment."""

    view: ProviderView

    @property
    def owner(self) -> ObjectRef:
        """The provider, as findings name it."""
        return ObjectRef("UpstreamProvider", *self.view.provider.metadata.key)

    @property
    def status(self) -> UpstreamProviderStatus:
        """The previous status, empty at the first assessment."""
        return self.view.provider.status or UpstreamProviderStatus()

    @property
    def stamp(self) -> Stamp:
        """For writing conditions."""
        return Stamp(self.view.now, self.view.provider.metadata.generation, self.status.conditions)

    @cached_property
    def used(self) -> tuple[UsedBy, ...]:
        """The relays that use it, in order."""
        return tuple(sorted(self.view.used_by, key=lambda one: (one.namespace, one.relay, one.handle)))

    @cached_property
    def reports(self) -> tuple[UpstreamReport, ...]:
        """What is reported of the present settings."""
        return tuple(report for one in self.used if one.settled for report in one.reports)

    @property
    def known_since(self) -> float:
        """When the status was last proved by a probe of these settings; 0 when it is about others."""
        last, settled = self.status.last_probe, frozenset(one.revision for one in self.used if one.settled)
        if last is None or last.generation != self.view.provider.metadata.generation:
            return 0
        # While a change is on its way to the replicas nobody tells a revision: the last one stands.
        return epoch(last.time) if not settled or last.revision in settled else 0

    @property
    def delivered(self) -> bool:
        """Whether a message was taken with the present settings, as far as anybody remembers."""
        ready = self.stamp.before.get(READY)
        if self.known_since and ready and ready.reason == Reason.MAIL_LEAVES:
            return True
        if any(one.last_accepted for one in self.reports):
            return True
        since = self.since
        return since is not None and any(one.last_delivery >= max(since, 1) for one in self.reports)

    @property
    def since(self) -> float | None:
        """From when on messages tell of the present settings; None when they have not been tried yet."""
        probed = [one.probe.time for one in self.reports if one.probe]
        return self.known_since or min(probed, default=None)

    def newest(self, stage: ProbeStage) -> Sighting | None:
        """Give the newest sighting of a stage."""
        return newest(stage, self.reports, self.since)

    def remembers(self, stage: ProbeStage) -> bool:
        """Whether the previous status says something of a stage with the present settings."""
        before = self.stamp.before.get(CONDITIONS[stage])
        return self.known_since > 0 and before is not None and before.status.value != "Unknown"

    def before(self, stage: ProbeStage) -> Condition | None:
        """Give what the previous status says of a stage, if it still holds."""
        return self.stamp.before.get(CONDITIONS[stage]) if self.remembers(stage) else None

    def cause(self, reason: Reason, fault: str, reply: ReplyReport | None, *, blocks: bool = True) -> Cause:
        """Say that the provider fails at something: its words, its endpoint, the field and the remedy."""
        said = f": {reply_words(reply)}" if reply else ""
        words = f"{self.endpoint or 'the provider'} {_VERBS.get(reason, 'fails')}{said}"
        return Cause(reason, words, remedy_of(fault, reply), FIELDS.get(reason, ""), blocks=blocks)

    @property
    def endpoint(self) -> str:
        """Host and port in use, as a relay reports them."""
        return next((one.endpoint for one in self.reports if one.endpoint), self.status.endpoint)


CONDITIONS = {
    ProbeStage.CONNECT: "Reachable",
    ProbeStage.TLS: "TLSVerified",
    ProbeStage.AUTH: "Authenticated",
    ProbeStage.SENDER: "SenderAccepted",
}
"""The condition of each stage; EHLO belongs to the connection."""
_VERBS = {
    Reason.CONNECTION_FAILED: "does not answer",
    Reason.TLS_FAILED: "fails at TLS",
    Reason.CREDENTIAL_REFUSED: "refuses the credential",
    Reason.TOKEN_UNAVAILABLE: "gets no login",
    Reason.NEW_CREDENTIAL_REFUSED: "refuses the new credential",
    Reason.SENDER_REFUSED: "refuses the From",
    Reason.QUOTA_EXHAUSTED: "takes no more mail in this period",
    Reason.THROTTLED: "wants less mail at a time",
}


def proved_settings(provider: UpstreamProvider, revisions: frozenset[str]) -> bool:
    """Whether the last probe was of the present generation and of one of these revisions of the credentials."""
    last = provider.status.last_probe if provider.status else None
    return last is not None and last.generation == provider.metadata.generation and last.revision in revisions
