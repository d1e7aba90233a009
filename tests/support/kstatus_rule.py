"""What kstatus concludes from a status, as far as our kinds use it; tests hold the real program against it.

https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus (generic.go and core.go).
"""

from mailhaul_operator.assess.patch import Status


def kstatus(status: Status, generation: int) -> str:
    """Current, InProgress or Failed."""
    by_type = {one.type: one.status.value for one in status.conditions}
    if status.observed_generation != generation:
        return "InProgress"
    if by_type.get("Reconciling") == "True":
        return "InProgress"
    if by_type.get("Stalled") == "True":
        return "Failed"
    return "Current" if by_type.get("Ready", "True") == "True" else "InProgress"
