"""Writes what was assessed: the status where it differs, then an Event for each transition.

Used by every pass. The written resource is remembered at once, so that its echo causes no further pass. A write that
fails is made by the next pass; an Event is posted only after its status was written, so once. Numbers alone wait. A
write that the API server does not take (a right that is missing, definitions of another version) is told in the log,
for nobody can see it elsewhere, and made again after `REFUSED` seconds.
"""

import logging
from math import inf
from typing import Final

from pydantic import ValidationError

from mailhaul_operator.api.conditions import Condition, Conditions
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.assess.events import transitions
from mailhaul_operator.assess.invalid import assess_invalid
from mailhaul_operator.assess.patch import Status, due_in
from mailhaul_operator.effects.events import Announcement, post
from mailhaul_operator.effects.status import write_status
from mailhaul_operator.observe.resources import Seen
from mailhaul_operator.reconcile.pace import FAILED, RESYNC
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.wire.kinds import Body
from mailhaul_operator.wire.objects import metadata
from mailhaul_operator.wire.refused import Refusal, Refused

LOG = logging.getLogger("mailhaul")
REFUSED: Final = 60.0
"""Seconds after which a status is written again that the API server did not take for a cause that does not pass."""


async def tell(world: World, seen: Seen, old: Status | None, new: Status) -> float:
    """Make the status so and announce what turned; gives the seconds until it wants to be told again, infinite when
    all is written.
    """
    wait = due_in(old, new, world.clock(), world.written.get(seen.key, 0))
    if wait is None:
        return inf
    if wait > 0:
        return wait
    # Zeros are written, so that columns show them; what is not there is left out.
    body = new.model_dump(mode="json", by_alias=True, exclude_none=True)
    return await _write(world, seen, body, (old, new))


async def tell_invalid(world: World, seen: Seen) -> float:
    """Say of a resource that does not parse what is wrong with it; gives the seconds until the next look."""
    previous = _conditions(seen)
    conditions = assess_invalid(seen.refused, previous, seen.generation, world.clock())
    told = [one.model_dump(mode="json", by_alias=True, exclude_none=True) for one in conditions]
    body = {**seen.status, "observedGeneration": seen.generation, "conditions": told}
    # Events look at conditions only, which all three kinds have.
    turned = SmtpRelayStatus(conditions=previous), SmtpRelayStatus(conditions=conditions)
    return min(RESYNC, await _write(world, seen, body, turned))


async def _write(world: World, seen: Seen, body: Body, turned: tuple[Status | None, Status]) -> float:
    uid, when = world.refused.get(seen.key, ("", -inf))
    waited = world.clock() - when
    if uid == seen.uid and 0 <= waited < REFUSED:
        return REFUSED - waited
    answer = await write_status(world.api, seen.owner, seen.status, body)
    if isinstance(answer, Refused) and answer.kind is Refusal.NOT_FOUND:
        world.gone(_head(seen))  # whatever a list said
        return inf
    if isinstance(answer, Refused):
        return _refused(world, seen, answer)
    world.refused.pop(seen.key, None)
    if answer is None:
        return inf
    world.written[seen.key] = world.clock()
    touched = world.cache.put(answer)
    if metadata(answer).get("generation") != seen.generation:
        world.want(touched)  # an edit came in between, and its own edge will look known
    for one in transitions(*turned):
        note = Announcement(one.reason, one.message, warning=one.type == "Warning")
        await post(world.api, seen.owner, note, world.clock(), world.who.identity)
    return inf


def _refused(world: World, seen: Seen, refusal: Refused) -> float:
    """Give the seconds until the status is written again; one of a resource that was made anew meanwhile soon."""
    there = world.cache.resource(seen.key)
    if refusal.passing or there is None or there.uid != seen.uid:
        return FAILED
    world.refused[seen.key] = seen.uid, world.clock()
    words = (
        "the status of %s cannot be written, so that it says what was so before: %s; see the chart's rbac.yaml and CRDs"
    )
    LOG.error(words, seen.key, refusal.message)
    return REFUSED


def _head(seen: Seen) -> Body:
    key = seen.key
    return {"kind": key.kind, "metadata": {"namespace": key.namespace, "name": key.name, "uid": seen.uid}}


def _conditions(seen: Seen) -> Conditions:
    try:
        return tuple(Condition.from_json(one) for one in seen.status.get("conditions") or ())
    except ValidationError:
        return ()
