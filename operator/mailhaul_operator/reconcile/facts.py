"""`ClusterFacts`: what the cluster serves beside Kubernetes: External Secrets in which version, ServiceMonitors.

Looked up at the start, and again when a resource wants one of them and the answer is old: they may be installed after
the operator. Failures: none; while the API server cannot be asked, the last answer stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.wire.kinds import EXTERNAL_SECRETS_GROUP
from mailhaul_operator.wire.refused import Refused

AGE = 30.0
"""Seconds for which an answer is believed."""
MONITORING_GROUP = "monitoring.coreos.com"
_KNOWN_VERSIONS = ("v1", "v1beta1")
"""Those in which an ExternalSecret can be written, the better first."""


class Discovery(Protocol):
    """Tells which versions of a group are served; `effects.api.Api` does."""

    async def served_versions(self, group: str) -> tuple[str, ...] | Refused:
        """Give the versions, none when the group is not served."""


@dataclass(slots=True)
class ClusterFacts:
    """`now` are the facts as they are known; `clock` gives seconds."""

    api: Discovery
    now: Facts
    clock: Callable[[], float]
    _looked: float = field(default=float("-inf"))

    async def wanted(self, *, wants: bool) -> Facts:
        """Give the facts, looked up anew if something `wants` what may have come since."""
        if wants and self.clock() - self._looked >= AGE:
            await self.look()
        return self.now

    async def look(self) -> None:
        """Ask the API server."""
        self._looked = self.clock()
        external = await self.api.served_versions(EXTERNAL_SECRETS_GROUP)
        monitoring = await self.api.served_versions(MONITORING_GROUP)
        if not isinstance(external, Refused):
            version = next((one for one in _KNOWN_VERSIONS if one in external), "")
            self.now = replace(self.now, external_secrets=version)
        if not isinstance(monitoring, Refused):
            self.now = replace(self.now, service_monitors="v1" in monitoring)
