"""`reconcile_provider`: one pass over one UpstreamProvider: its ExternalSecret, the next probe, its status.

Called by `passes`, over what the passes of the relays that use it remembered. The relays carry its settings; a probe is
asked of one pod of one relay, for a provider has one credential however many relays use it.
"""

from dataclasses import replace

from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.provider import assess_provider
from mailhaul_operator.assess.view import Obstacle, ProviderView
from mailhaul_operator.effects.apply import Applied
from mailhaul_operator.effects.prune import prune
from mailhaul_operator.observe.resources import Seen
from mailhaul_operator.plan import naming
from mailhaul_operator.plan.external_secrets import external_secret
from mailhaul_operator.plan.findings import ObjectRef
from mailhaul_operator.plan.snapshot import Facts
from mailhaul_operator.reconcile.external import readiness
from mailhaul_operator.reconcile.pace import BUSY, FAILED, after_status
from mailhaul_operator.reconcile.proof import with_status
from mailhaul_operator.reconcile.telling import tell, tell_invalid
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.wire.key import Key
from mailhaul_operator.wire.kinds import Body

FIRST_PASSES = 60.0
"""Seconds from the start of the operator in which relays that have not had a pass are waited for."""


async def reconcile_provider(world: World, key: Key) -> float | None:
    """Keep what is made for one provider, and say what is so; gives the seconds until it wants to come again."""
    seen = world.cache.resource(key)
    if seen is None or seen.going:
        world.probes.forget(key)
        world.externals.forget(key)
        world.forget(key)
        return None
    if not isinstance(seen.model, UpstreamProvider):
        return await tell_invalid(world, seen)
    provider = with_status(seen)
    facts = await world.facts.wanted(wants=provider.spec.auth.external_secret is not None)
    await _look(world, key, provider, facts)
    applied = await _apply(world, seen, provider, facts)
    if _awaits_relays(world, key):
        return BUSY  # after a restart nothing is known of it yet, and what its status says still holds
    view = _view(world, key, provider, applied)
    status = assess_provider(view)
    told = await tell(world, seen, provider.status, status)
    known = replace(view, provider=provider.model_copy(update={"status": status}))
    probed = await world.probes.order(key, known)
    awaited = world.probes.awaited(key, known)
    if awaited is not None:
        world.queue.add_after(awaited, BUSY)
    if applied.failures:
        return FAILED
    later = min(told, probed, world.externals.due_in(provider, view.now))
    return min(later, BUSY if awaited else after_status(status.conditions, view.now, world.chance()))


def _awaits_relays(world: World, key: Key) -> bool:
    """Whether relays that use it have their first pass to come. One that is going, or whose passes fail, holds up
    nobody else.
    """
    there = [one for one in world.cache.relays_of(key) if (seen := world.cache.resource(one)) and not seen.going]
    return 0 <= world.clock() - world.began < FIRST_PASSES and not world.memory.knows(there)


async def _look(world: World, key: Key, provider: UpstreamProvider, facts: Facts) -> None:
    """Take the ExternalSecret as it is now, as a watch would bring it; this pass is the one that it is about."""
    found = await world.externals.look(provider, facts, world.clock())
    if found is not None:
        world.want(world.put(found) - {key})


async def _apply(world: World, seen: Seen, provider: UpstreamProvider, facts: Facts) -> Applied:
    """Make the ExternalSecret so, or take it away when it is wanted no more."""
    manifest = external_secret(provider, facts)
    applied = await world.applier.apply((manifest,) if manifest else (), seen.owner, is_new=not seen.status)
    if any(one.reason == "KindNotServed" for one in applied.obstacles):
        world.facts.doubt()
    if provider.spec.auth.external_secret is None:
        # With nothing desired `prune` keeps everything: name what could not be there to say that all of it may go.
        nothing = {"kind": "", "metadata": {}}
        _, refusals = await prune(world.api, world.cache, (nothing,), seen.owner)
        applied.failures += refusals
    return applied


def _view(world: World, key: Key, provider: UpstreamProvider, applied: Applied) -> ProviderView:
    relays = world.cache.relays_of(key)
    return ProviderView(
        provider=provider,
        now=world.clock(),
        used_by=world.memory.uses(relays, provider),
        findings=world.memory.findings(relays, ObjectRef(*key)),
        external=next(iter(applied.obstacles), None) or _not_synced(world, provider),
    )


def _not_synced(world: World, provider: UpstreamProvider) -> Obstacle | None:
    """What the ExternalSecret says of itself when it is not good."""
    if provider.spec.auth.external_secret is None:
        return None
    namespace, name = provider.metadata.namespace, naming.external_secret(provider.metadata.name)
    if not world.facts.now.external_secrets:
        return Obstacle(
            f"ExternalSecret {namespace}/{name}",
            "ExternalSecretsAbsent",
            "External Secrets is not installed in the cluster",
            "install External Secrets, or use spec.auth.secretRef",
        )
    return _complaint(world.cache.get("ExternalSecret", namespace, name))


def _complaint(body: Body | None) -> Obstacle | None:
    ready = readiness(body)
    if body is None or not ready or ready.get("status") == "True":
        return None
    what = f"ExternalSecret {body['metadata']['namespace']}/{body['metadata']['name']}"
    words = f"{what} is not synced: {ready.get('reason', '')}: {str(ready.get('message', ''))[:500]}"
    return Obstacle(what, "ExternalSecretNotSynced", words, "see the ExternalSecret's events, and its store")
