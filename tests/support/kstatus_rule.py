"""What kstatus concludes from a status, as far as our kinds use it; tests hold the real program against it.

https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus (generic.go and core.go).
"""

from collections.abc import Mapping
from typing import Any

from mailhaul_operator.assess.patch import Status


def kstatus(status: Status, generation: int) -> str:
    """Current, InProgress or Failed."""
    return _concluded(
        {one.type: one.status.value for one in status.conditions}, is_current=status.observed_generation == generation
    )


def kstatus_of(body: Mapping[str, Any]) -> str:
    """The same of a resource as it was read."""
    status = body.get("status", {})
    by_type = {one["type"]: one["status"] for one in status.get("conditions", ())}
    return _concluded(by_type, is_current=status.get("observedGeneration") == body["metadata"]["generation"])


def _concluded(by_type: Mapping[str, str], *, is_current: bool) -> str:
    if not is_current:
        return "InProgress"
    if by_type.get("Reconciling") == "True":
        return "InProgress"
    if by_type.get("Stalled") == "True":
        return "Failed"
    return "Current" if by_type.get("Ready", "True") == "True" else "InProgress"
