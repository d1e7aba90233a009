"""`ClusterFacts`: what the cluster serves beside Kubernetes: External Secrets in which version, ServiceMonitors.

Looked up at the start, and again when a resource wants one of them and the answer is old: they may be installed after
the operator. Failures: none; while the API server cannot be asked, the last answer stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.wire.kinds import KINDS, Kind
from mailhaul_operator.wire.refused import Refused

AGE = 10.0
"""Seconds for which an answer is believed."""
_KNOWN_VERSIONS = ("v1", "v1beta1")
"""Those in which an ExternalSecret can be written, the better first."""


class Discovery(Protocol):
    """Tells what is served; `effects.api.Api` does."""

    async def serves(self, kind: Kind) -> bool | Refused:
        """Whether a kind is served in its version."""


@dataclass(slots=True)
class ClusterFacts:
    """`now` are the facts as they are known; `clock` gives seconds."""

    api: Discovery
    now: Facts
    clock: Callable[[], float]
    _looked: float = field(default=float("-inf"))

    async def wanted(self, *, wants: bool) -> Facts:
        """Give the facts, looked up anew if something `wants` what may have come since."""
        if wants and not 0 <= self.clock() - self._looked < AGE:
            await self.look()
        return self.now

    async def look(self) -> None:
        """Ask the API server."""
        self._looked = self.clock()
        external = await self._external_secrets()
        monitors = await self.api.serves(KINDS["ServiceMonitor"])
        if not isinstance(external, Refused):
            self.now = replace(self.now, external_secrets=external)
        if not isinstance(monitors, Refused):
            self.now = replace(self.now, service_monitors=monitors)

    def doubt(self) -> None:
        """Take notice that what was believed to be served is not: the next that `wanted` it asks anew."""
        self._looked = float("-inf")

    async def _external_secrets(self) -> str | Refused:
        for version in _KNOWN_VERSIONS:
            served = await self.api.serves(KINDS["ExternalSecret"].in_version(version))
            if isinstance(served, Refused):
                return served
            if served:
                return version
        return ""
