"""Makes the objects of a resource so: what differs is applied, nothing else is touched, and obstacles are told.

Called by `reconcile` with the plan's manifests in their order. An object that is not remembered is made only if it is
not there, else it is read: one whose label was stripped is not in the watch. One without our controller ownerReference
is never applied to, unless it is annotated for adoption. Failures are values: obstacles need somebody to act,
`failures` pass by themselves.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhaul_operator.assess.view import Obstacle
from mailhaul_operator.effects import obstacles
from mailhaul_operator.effects.api import Api
from mailhaul_operator.effects.difference import differs, strangers
from mailhaul_operator.effects.immutable import CLAIMS, cannot_be_changed, with_claims_of
from mailhaul_operator.effects.known import Known
from mailhaul_operator.effects.ports import with_port_names_of
from mailhaul_operator.effects.volumes import grow
from mailhaul_operator.plan.naming import ADOPT
from mailhaul_operator.wire.kinds import Body, kind_of
from mailhaul_operator.wire.objects import (
    Owner,
    annotations,
    controller,
    epoch,
    is_going,
    metadata,
    name_of,
    version_of,
)
from mailhaul_operator.wire.refused import Refusal, Refused

WORKLOADS = frozenset({"StatefulSet", "Deployment"})
PATIENCE = 60.0
"""Seconds for which Kubernetes' own finalizers are waited for without a word."""


@dataclass(slots=True)
class Applied:
    """What came of it. `changed` objects were written; `rolls` when the workload was among them; `waiting` ones are
    still going and are made in a later pass; `failures` are refusals that pass by themselves, worth another pass soon.
    """

    changed: int = 0
    rolls: bool = False
    waiting: int = 0
    obstacles: list[Obstacle] = field(default_factory=list)
    failures: list[Refused] = field(default_factory=list)

    @property
    def hindrances(self) -> int:
        """How many objects are not as they should be."""
        return self.waiting + len(self.obstacles) + len(self.failures)

    @property
    def complete(self) -> bool:
        """Whether every object is as it should be."""
        return not self.hindrances


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies objects. `clock` gives seconds since the epoch."""

    api: Api
    known: Known
    clock: Callable[[], float]

    async def apply(self, desired: Iterable[Mapping[str, Any]], owner: Owner, *, is_new: bool = True) -> Applied:
        """Make all of these objects so, one after the other; each is tried, whatever became of those before it.

        But for ConfigMaps: while a Secret before them is not as it should be, they would name what nobody has. Of an
        owner that `is_new` an object that is not remembered is most likely not there, and is made at once; of another
        it is somebody else's or was deleted, and is read first: whoever waits writes nothing.
        """
        applied, held = Applied(), False
        for one in desired:
            if held and one["kind"] == "ConfigMap":
                continue
            before = applied.hindrances
            live = self.known.get(kind_of(one).kind, *name_of(one)) or (None if is_new else await self._read(one))
            await self._apply(one, live, owner, applied)
            held = held or (one["kind"] == "Secret" and applied.hindrances > before)
        return applied

    async def _read(self, desired: Mapping[str, Any]) -> Body | Refused | None:
        """Give what is there; None when nothing is."""
        answer = await self.api.get(kind_of(desired), *name_of(desired))
        return None if isinstance(answer, Refused) and answer.kind is Refusal.NOT_FOUND else answer

    async def _apply(
        self, desired: Mapping[str, Any], live: Body | Refused | None, owner: Owner, applied: Applied
    ) -> None:
        if live is None:
            made = await self.api.apply_absent(desired)
            if not isinstance(made, Refused) or made.kind is not Refusal.CONFLICT:
                self._take(made, desired, applied)
                return
            live = await self.api.get(kind_of(desired), *name_of(desired))
        if isinstance(live, Refused):
            _note(live, desired, applied)
        elif self._is_free(live, owner, applied):
            await self._write(desired, live, applied)

    def _is_free(self, live: Body, owner: Owner, applied: Applied) -> bool:
        """Whether the object is ours to change now."""
        holder = controller(live)
        if holder.get("uid") != owner.uid and (holder or annotations(live).get(ADOPT) != owner.name):
            if (holder.get("kind"), holder.get("name")) == (owner.kind, owner.name):
                applied.waiting += 1  # of an owner that was deleted and made again: Kubernetes collects it
            else:
                applied.obstacles.append(obstacles.name_taken(live, owner))
            return False
        if is_going(live):
            self._note_going(live, applied)
            return False
        if holder:
            self.known.put(live)
        return True

    def _note_going(self, live: Body, applied: Applied) -> None:
        finalizers = tuple(metadata(live).get("finalizers") or ())
        foreign = tuple(one for one in finalizers if not _is_of_kubernetes(one))
        late = self.clock() - epoch(metadata(live)["deletionTimestamp"]) > PATIENCE
        if foreign or (late and finalizers):
            applied.obstacles.append(obstacles.termination_blocked(live, foreign or finalizers))
        else:
            applied.waiting += 1

    async def _write(self, desired: Mapping[str, Any], live: Body, applied: Applied) -> None:
        desired = with_port_names_of(live, desired)
        if not differs(desired, live):
            return
        desired = await self._possible(desired, live, applied)
        if not differs(desired, live):
            return
        if cannot_be_changed(desired, live):
            await self._make_way(live, applied)
            return
        answer = await self.api.apply(desired)
        if isinstance(answer, Refused) and answer.kind is Refusal.INVALID:
            answer = await self._overwrite(desired, answer)
        left = () if isinstance(answer, Refused) else strangers(desired, answer)
        if left:
            patch = {"data": dict.fromkeys(left)}
            answer = await self.api.patch(kind_of(desired), name_of(desired), patch)
        if _has_come_to_nothing(answer, desired, live):
            return
        self._take(answer, desired, applied)

    async def _overwrite(self, desired: Mapping[str, Any], refusal: Refused) -> Body | Refused:
        """Set every list to what it should be. An apply merges lists by key, so a port that somebody renumbered stays
        beside ours under the same name, and the API server takes neither. The first refusal counts if this is no help.
        """
        patched = await self.api.patch(kind_of(desired), name_of(desired), desired)
        return refusal if isinstance(patched, Refused) else await self.api.apply(desired)

    async def _possible(self, desired: Mapping[str, Any], live: Body, applied: Applied) -> Mapping[str, Any]:
        """Give what of the object can be had: volumes that cannot grow stay, and all else is applied."""
        if not cannot_be_changed(desired, live, (CLAIMS,)):
            return desired
        grown = await grow(self.api, desired)
        applied.changed += grown.changed
        applied.obstacles += grown.obstacles
        applied.failures += grown.failures
        return desired if grown.complete else with_claims_of(live, desired)

    async def _make_way(self, live: Body, applied: Applied) -> None:
        """Delete what only a new object can replace. The pods and volumes of a StatefulSet stay and are taken over by
        the new one, which a later pass makes, when the old one is gone.
        """
        answer = await self.api.delete(live, orphan=live["kind"] == "StatefulSet")
        if isinstance(answer, Refused) and answer.kind is not Refusal.NOT_FOUND:
            _note(answer, live, applied)
            return
        applied.changed += 1
        applied.waiting += 1
        self.known.remove(live)

    def _take(self, answer: Body | Refused, desired: Mapping[str, Any], applied: Applied) -> None:
        if isinstance(answer, Refused):
            _note(answer, desired, applied)
            return
        applied.changed += 1
        applied.rolls = applied.rolls or desired["kind"] in WORKLOADS
        self.known.put(answer)


def _has_come_to_nothing(answer: Body | Refused, desired: Mapping[str, Any], live: Body) -> bool:
    """Whether the object is as it was, though that is not as desired: the cluster's own admission (a webhook that names
    a mirror for images) has the last word on a field, and writing it again would lead to no other.
    """
    if isinstance(answer, Refused) or not version_of(answer) == version_of(live) > 0:
        return False
    return differs(desired, answer)


def _note(refusal: Refused, desired: Mapping[str, Any], applied: Applied) -> None:
    if refusal.passing:
        applied.failures.append(refusal)
    else:
        applied.obstacles.append(obstacles.refused(desired, refusal))


def _is_of_kubernetes(finalizer: str) -> bool:
    """Whether a finalizer is set and removed by Kubernetes itself."""
    domain, slash, _ = finalizer.partition("/")
    theirs = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return finalizer in {"orphan", "foregroundDeletion"} or (slash != "" and theirs)
