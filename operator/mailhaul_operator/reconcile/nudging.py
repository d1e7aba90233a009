"""Makes pods look at their mounts at once, when they run something older than what was applied.

The kubelet looks by itself after up to a minute; it may also look a moment too early, so a pod that goes on with the
old is nudged again, ever later, then left to the kubelet. Called by `relay`. Failures are values and told by nobody:
the digest that the pod reports is what counts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mailhaul_contract.report import RelayReport
from mailhaul_operator.assess.view import PodView
from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.pods import nudge
from mailhaul_operator.wire.key import Key

DELAYS = (0.0, 2.0, 5.0, 15.0)
"""Seconds after a nudge before the next one for the same content."""
_Pod = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """What pods should run: the digest of the configuration and the revision of the Secret."""

    digest: str
    revision: str

    def is_run_by(self, report: RelayReport) -> bool:
        """Whether there is nothing newer for this pod, or it will not take it."""
        refused = report.refused_config is not None and report.refused_config.digest == self.digest
        return refused or (report.digest, report.secret_revision) == (self.digest, self.revision)

    def value(self, attempt: int) -> str:
        """Give the annotation's value, which differs from attempt to attempt."""
        return f"{self.digest.rpartition(':')[2][:16]}.{self.revision}.{attempt}"


@dataclass(frozen=True, slots=True)
class _Nudged:
    target: Target
    attempt: int
    when: float


class Nudges:
    """Remembers which pod was nudged for what. `clock` gives seconds."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api, self._clock = api, clock
        self._done: dict[Key, dict[_Pod, _Nudged]] = {}

    async def nudge(self, relay: Key, pods: Iterable[PodView], target: Target) -> None:
        """Nudge those of the pods that last reported something else than the target."""
        before, after = self._done.get(relay, {}), dict[_Pod, _Nudged]()
        for pod in pods:
            if pod.terminating or not isinstance(pod.report, RelayReport) or target.is_run_by(pod.report):
                continue
            known = before.get((pod.name, pod.created))
            attempt = known.attempt + 1 if known is not None and known.target == target else 0
            if known is not None and attempt and not self._is_due(known, attempt):
                after[pod.name, pod.created] = known
                continue
            after[pod.name, pod.created] = _Nudged(target, attempt, self._clock())
            await nudge(self._api, relay.namespace, pod.name, target.value(attempt))
        self._done[relay] = after

    def forget(self, relay: Key) -> None:
        """Forget a relay that is gone."""
        self._done.pop(relay, None)

    def _is_due(self, known: _Nudged, attempt: int) -> bool:
        return attempt < len(DELAYS) and not 0 <= self._clock() - known.when < DELAYS[attempt]
