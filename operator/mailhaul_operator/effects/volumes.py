"""Grows the volumes of a StatefulSet: its claim templates are fixed, the claims themselves are not.

Called by `apply` before a StatefulSet with larger claims is made anew. Volumes never shrink and are never deleted.
Failures are values: where the class does not allow it, `VolumeCannotGrow`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhaul_operator.assess.view import Obstacle
from mailhaul_operator.effects import obstacles
from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.immutable import CLAIMS
from mailhaul_operator.effects.quantities import quantity
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.objects import name_of
from mailhaul_operator.wire.refused import Refused

_CLAIM, _CLASS = KINDS["PersistentVolumeClaim"], KINDS["StorageClass"]


@dataclass(slots=True)
class Grown:
    """What came of it; `complete` when every claim asks for what it should."""

    changed: int = 0
    obstacles: list[Obstacle] = field(default_factory=list)
    failures: list[Refused] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether nothing stood in the way."""
        return not (self.obstacles or self.failures)


async def grow(api: Api, desired: Mapping[str, Any]) -> Grown:
    """Make every claim of this StatefulSet at least as large as its template says."""
    grown = Grown()
    namespace, name = name_of(desired)
    labels = desired["spec"]["selector"]["matchLabels"]
    found = await api.list_all(_CLAIM, namespace, ",".join(f"{key}={value}" for key, value in labels.items()))
    if isinstance(found, Refused):
        grown.failures.append(found)
        return grown
    for template in desired["spec"].get(CLAIMS, ()):
        wanted = _size(template)
        prefix = f"{template['metadata']['name']}-{name}-"
        for claim in found:
            if name_of(claim)[1].removeprefix(prefix).isdecimal() and _is_larger(wanted, _size(claim)):
                await _grow(api, claim, wanted, grown)
    return grown


async def _grow(api: Api, claim: Body, wanted: str, grown: Grown) -> None:
    class_name = (claim.get("spec") or {}).get("storageClassName") or ""
    storage_class = await api.get(_CLASS, "", class_name) if class_name else {}
    if not isinstance(storage_class, Refused) and storage_class.get("allowVolumeExpansion") is not True:
        why = f"StorageClass {class_name or '(none)'} does not allow volume expansion"
        grown.obstacles.append(obstacles.cannot_grow(claim, wanted, why))
        return
    patch = {"spec": {"resources": {"requests": {"storage": wanted}}}}
    answer = await api.patch(_CLAIM, name_of(claim), patch)
    if not isinstance(answer, Refused):
        grown.changed += 1
    elif answer.passing:
        grown.failures.append(answer)
    else:
        grown.obstacles.append(obstacles.cannot_grow(claim, wanted, answer.message))


def _size(claim: Mapping[str, Any]) -> str:
    requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
    return str(requests.get("storage", "0"))


def _is_larger(wanted: str, present: str) -> bool:
    return (quantity(wanted) or 0) > (quantity(present) or 0)
