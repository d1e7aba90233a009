"""`reconcile_relay`: one pass over one SmtpRelay, from the world as it is to a status that is true.

Called by `passes` for each key that is due. It reads, decides by `plan` and `assess`, and acts by `effects`; every step
is level-based, so a pass that is cut anywhere is made good by the next. Refusals that pass by themselves bring it back
soon; those that need somebody are obstacles in the status.
"""

import asyncio
from dataclasses import replace

from mailhaul_contract.names import SECRET_REVISION
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.assess.relay import assess_relay
from mailhaul_operator.assess.view import PodView, RelayView
from mailhaul_operator.effects.apply import Applied
from mailhaul_operator.effects.pods import post_drain
from mailhaul_operator.effects.prune import prune
from mailhaul_operator.effects.strays import take_back
from mailhaul_operator.observe.gather import Gathered, LastPass
from mailhaul_operator.observe.resources import Seen
from mailhaul_operator.observe.workload import replicas_left
from mailhaul_operator.plan.objects import objects
from mailhaul_operator.plan.pod import persistent
from mailhaul_operator.plan.snapshot import Facts, Live
from mailhaul_operator.reconcile import draining
from mailhaul_operator.reconcile.memory import RelayPass
from mailhaul_operator.reconcile.nudging import Target
from mailhaul_operator.reconcile.pace import BUSY, FAILED, STEADY, WAITING, after_status, steady
from mailhaul_operator.reconcile.planning import planned
from mailhaul_operator.reconcile.proof import Known, known_handles
from mailhaul_operator.reconcile.shared_quotas import settled_quotas
from mailhaul_operator.reconcile.telling import tell, tell_invalid
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.refused import Refused


async def reconcile_relay(world: World, key: Key) -> float | None:
    """Make one relay as it should be, and say what is so; gives the seconds until it wants to come again."""
    seen = world.cache.resource(key)
    if seen is None or seen.going:
        _forget(world, key)
        return None
    if not isinstance(seen.model, SmtpRelay):
        return await tell_invalid(world, seen)
    gathered = await world.gatherer.gather(
        key, await _facts(world, seen.model), _last(world, seen.model), world.clock()
    )
    if gathered is None or isinstance(gathered, Refused):
        return FAILED

    made = planned(world.memory.last(key), gathered.snapshot)
    applied = await _apply(world, gathered, made)
    if persistent(gathered.snapshot):
        await take_back(world.api, key, gathered.workload, gathered.pods)
    await world.nudges.nudge(key, _as_last_seen(world, key, gathered.pods), _target(made))
    pods = await _ask(world, key, gathered.pods, made)
    await _drain(made, pods)
    made = replace(made, pods=pods, emptied=_emptied(world, key, pods, seen.model), looked=world.clock())
    known = known_handles(world.cache, made.relay, made.plan)
    view = replace(_view(world, seen, gathered, made, applied), proved=known.proved, refuted=known.refuted)
    status = assess_relay(view)
    told = await tell(world, seen, view.relay.status, status)

    world.want(world.memory.remember(key, replace(made, ready=_is_ready(status))))
    shrinks = gathered.workload.wanted > made.relay.spec.replicas
    again = BUSY if shrinks else _again(world, made, applied, status, known)
    # Without its Secret pods do not answer, and only somebody else can mend that.
    return min(told, max(again, STEADY) if gathered.blind else again)


def _is_ready(status: SmtpRelayStatus) -> bool | None:
    ready = next((one.status for one in status.conditions if one.type == "Ready"), "Unknown")
    return {"True": True, "False": False}.get(ready)


def _forget(world: World, key: Key) -> None:
    """A relay that is gone: what was made for it goes with it, by its ownerReferences."""
    world.reporters.forget(key)
    world.gatherer.forget(key)
    world.nudges.forget(key)
    world.settled.forget(key)
    world.forget(key)
    world.want(world.memory.forget(key))


async def _facts(world: World, relay: SmtpRelay) -> Facts:
    external = any(one.spec.auth.external_secret is not None for one in world.cache.providers_of(relay))
    return await world.facts.wanted(wants=external or relay.spec.monitoring.service_monitor)


def _last(world: World, relay: SmtpRelay) -> LastPass:
    """What the last pass knew. After a restart nobody knows who holds mail, so the workload is not made smaller."""
    key = Key("SmtpRelay", *relay.metadata.key)
    last, wanted = world.memory.last(key), relay.spec.replicas
    if last is None:
        return LastPass(draining.holding(frozenset(), wanted, _replicas(world, key)))
    # Replicas of a Deployment keep nothing that another workload could take over.
    live = last.snapshot.live if persistent(last.snapshot) else Live()
    emptied = draining.still(last.emptied, world.clock() - last.looked)
    holding = draining.holding(emptied, wanted, _replicas(world, key, live.replicas), live.holding)
    same = last.relay.metadata.uid == relay.metadata.uid
    secret = (last.plan.secret or last.snapshot.existing) if same else {}
    image = last.snapshot.live.image if same else ""
    return LastPass(holding, last.proved(), last.is_urgent, settled_quotas(last), secret, image)


def _replicas(world: World, key: Key, before: int = 0) -> int:
    """Give how many replicas there are; of a StatefulSet that is away, whose pods and volumes stay, all that it had."""
    workload = world.cache.get("StatefulSet", key.namespace, key.name)
    if workload is None:
        return max(before, replicas_left(key.name, world.cache.pods(key)))
    replicas: int = (workload.get("spec") or {}).get("replicas", 1)
    return replicas


async def _apply(world: World, gathered: Gathered, made: RelayPass) -> Applied:
    key, uid = Key("SmtpRelay", *made.relay.metadata.key), gathered.owner.uid
    versions = world.cache.versions(uid)
    if world.settled.holds(key, made.plan, versions):
        return Applied()
    desired = objects(made.snapshot, made.plan)
    seen = world.cache.resource(key)
    applied = await world.applier.apply(desired, gathered.owner, is_new=seen is None or not seen.status)
    if applied.complete:
        gone, refusals = await prune(world.api, world.cache, desired, gathered.owner, _spared(world, key, made))
        applied.changed += gone
        applied.failures += refusals
    if applied.complete and not applied.changed:
        # Those from before: what changed since has not been looked at.
        world.settled.note(key, made.plan, versions)
    return applied


def _spared(world: World, key: Key, made: RelayPass) -> frozenset[str]:
    """What goes later: a Deployment takes the mail of a relay that became Persistent until the StatefulSet can."""
    workload = world.cache.get("StatefulSet", key.namespace, key.name) if persistent(made.snapshot) else None
    ready = ((workload or {}).get("status") or {}).get("readyReplicas", 0)
    return frozenset({"Deployment"} if persistent(made.snapshot) and not ready else ())


def _as_last_seen(world: World, key: Key, pods: tuple[PodView, ...]) -> tuple[PodView, ...]:
    """The pods as they are, with what they reported in the last pass."""
    last = world.memory.last(key)
    reports = last.reports if last else {}
    return tuple(replace(one, report=reports.get(one.name)) for one in pods)


def _target(made: RelayPass) -> Target:
    return Target(made.plan.digest, made.plan.secret.get(SECRET_REVISION, b"").decode())


async def _ask(world: World, key: Key, pods: tuple[PodView, ...], made: RelayPass) -> tuple[PodView, ...]:
    """Give the pods with what they report now."""
    reports = await world.reporters.fetch(key, pods, made.token, world.clock())
    return tuple(replace(one, report=reports[one.name]) for one in pods)


async def _drain(made: RelayPass, pods: tuple[PodView, ...]) -> None:
    orders = draining.orders(pods, made.relay.spec.replicas)
    by_name = {one.name: one for one in pods}
    await asyncio.gather(*(post_drain(by_name[name], drains, made.token) for name, drains in orders.items()))


def _emptied(world: World, key: Key, pods: tuple[PodView, ...], relay: SmtpRelay) -> frozenset[int]:
    last = world.memory.last(key)
    return draining.emptied(pods, last.pods if last else (), relay.spec.replicas)


def _away(made: RelayPass) -> frozenset[str]:
    if not persistent(made.snapshot):
        return frozenset()
    return draining.away(made.relay.metadata.name, made.snapshot.live.holding - made.emptied, made.pods)


def _view(world: World, seen: Seen, gathered: Gathered, made: RelayPass, applied: Applied) -> RelayView:
    relay = made.relay
    port = relay.spec.listeners[0].port if relay.spec.listeners else 25
    host = f"{relay.metadata.name}.{relay.metadata.namespace}.svc.cluster.local"
    return RelayView(
        relay=relay.model_copy(update={"status": SmtpRelayStatus.from_json(seen.status) if seen.status else None}),
        plan=made.plan,
        now=world.clock(),
        # What was just changed is not rolled out, whatever its status of before says.
        workload=replace(gathered.workload, observed=gathered.workload.observed and not applied.rolls),
        pods=made.pods,
        obstacles=(*gathered.obstacles, *applied.obstacles),
        holding=draining.held(made.pods, relay.spec.replicas),
        away=_away(made),
        address=f"{host}:{port}",
        ephemeral=relay.spec.queue.mode == "Ephemeral",
    )


def _again(world: World, made: RelayPass, applied: Applied, status: SmtpRelayStatus, known: Known) -> float:
    if applied.failures:
        return FAILED
    if applied.changed or applied.waiting or (made.pods and made.is_busy(known.handles)):
        return BUSY
    if any((one.type, one.status) == ("Reconciling", "True") for one in status.conditions) and made.pods:
        return BUSY
    if made.pods:
        return steady(world.memory.among(Key("SmtpRelay", *made.relay.metadata.key)))
    if made.plan.config is None and "Stalled" not in {one.type for one in status.conditions}:
        return WAITING
    return after_status(status.conditions, world.clock(), world.chance())
