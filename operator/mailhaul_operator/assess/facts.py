"""What the checks of a relay look at: the view with what follows from it at once, so that each check stays short.

Made by `relay.assess_relay`. Pure.
"""

from dataclasses import dataclass
from functools import cached_property

from mailhaul_contract.report import RelayReport
from mailhaul_operator.api.moments import epoch
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.assess.bounds import known_time
from mailhaul_operator.assess.causes import Cause
from mailhaul_operator.assess.drafts import TRUE, Draft, Stamp
from mailhaul_operator.assess.view import PodView, RelayView, Silence
from mailhaul_operator.assess.ways import Judge, Way
from mailhaul_operator.plan.findings import ObjectRef


@dataclass(frozen=True)
class RelayFacts:
    """A relay at one moment."""

    view: RelayView

    @property
    def owner(self) -> ObjectRef:
        """The relay, as findings name it."""
        return ObjectRef("SmtpRelay", *self.view.relay.metadata.key)

    @property
    def status(self) -> SmtpRelayStatus:
        """The previous status, empty at the first assessment."""
        return self.view.relay.status or SmtpRelayStatus()

    @property
    def stamp(self) -> Stamp:
        """For writing conditions."""
        return Stamp(self.view.now, self.view.relay.metadata.generation, self.status.conditions)

    @cached_property
    def staying(self) -> tuple[PodView, ...]:
        """The replicas that are not about to go, by name."""
        return tuple(sorted((one for one in self.view.pods if not one.terminating), key=lambda one: one.name))

    @cached_property
    def reports(self) -> tuple[tuple[str, RelayReport], ...]:
        """What the staying replicas report, by name of pod."""
        return tuple((one.name, one.report) for one in self.staying if isinstance(one.report, RelayReport))

    @cached_property
    def silent(self) -> tuple[tuple[str, Silence], ...]:
        """The staying replicas that did not answer."""
        return tuple((one.name, one.report) for one in self.staying if isinstance(one.report, Silence))

    @cached_property
    def ways(self) -> tuple[tuple[Way, ...], ...]:
        """The upstreams of each replica that reports."""
        config = self.view.plan.config
        settings = config.upstreams if config else ()
        judge = Judge(self.view.relay.metadata.namespace, settings, self.view.proved, self.view.refuted)
        return tuple(tuple(judge.way(pod, one) for one in report.upstreams) for pod, report in self.reports)

    @property
    def unchanged(self) -> bool:
        """Whether what was said of upstreams before still holds: the same configuration, then and now in force."""
        known, before = self.status.config, self.stamp.before.get("ConfigApplied")
        same = known is not None and known.digest == self.view.plan.digest
        return same and before is not None and before.status is TRUE

    @property
    def last_delivery(self) -> float:
        """When mail left last through any replica, as far as anybody remembers; 0 when never."""
        known = self.status.last_delivery
        told = [known_time(one.last_delivery) for _, one in self.reports]
        return max([*told, epoch(known.time) if known else 0.0])

    @property
    def ever_delivered(self) -> bool:
        """Whether any mail has left through this relay, as far as anybody remembers."""
        return self.status.last_delivery is not None or any(one.last_delivery > 0 for _, one in self.reports)


@dataclass(frozen=True, slots=True)
class Aspect:
    """What one check says: a condition (or none), and the causes that it found."""

    draft: Draft | None = None
    causes: tuple[Cause, ...] = ()
