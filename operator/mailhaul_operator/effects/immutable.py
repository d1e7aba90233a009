"""Fields that the API server lets nobody change: only a new object can have them otherwise. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mailhaul_operator.effects.difference import differs

CLAIMS: Final = "volumeClaimTemplates"
_FIXED: Final[Mapping[str, tuple[str, ...]]] = {
    "StatefulSet": ("serviceName", "podManagementPolicy", "selector", CLAIMS),
    "Deployment": ("selector",),
}


def cannot_be_changed(desired: Mapping[str, Any], live: Mapping[str, Any], among: Iterable[str] | None = None) -> bool:
    """Whether a field that the kind fixes for good is not as desired; `among` narrows the fields of spec."""
    fixed = _FIXED.get(desired["kind"], ())
    spec, present = desired.get("spec") or {}, live.get("spec") or {}
    fields = [one for one in fixed if among is None or one in among]
    return any(differs({one: spec[one]}, present) for one in fields if one in spec)


def with_claims_of(live: Mapping[str, Any], desired: Mapping[str, Any]) -> dict[str, Any]:
    """Give a desired StatefulSet with the claim templates of the live one."""
    return {**desired, "spec": {**desired["spec"], CLAIMS: live["spec"].get(CLAIMS, [])}}
