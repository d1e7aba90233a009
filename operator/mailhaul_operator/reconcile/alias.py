"""`reconcile_alias`: one pass over one MailAlias: its status, from what its relay's pass remembered.

Called by `passes`. The relay's own pass puts the alias into force; this one makes nothing.
"""

from mailhaul_operator.api.mailalias import MailAlias, MailAliasStatus
from mailhaul_operator.assess.alias import assess_alias
from mailhaul_operator.assess.view import AliasView
from mailhaul_operator.reconcile.forwarding import Forwarding, reference
from mailhaul_operator.reconcile.pace import after_told, resync
from mailhaul_operator.reconcile.telling import tell, tell_invalid
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.wire.key import Key


async def reconcile_alias(world: World, key: Key) -> float | None:
    """Say what is so of one alias; gives the seconds until it wants to come again."""
    seen = world.cache.resource(key)
    if seen is None or seen.going:
        world.forget(key)
        return None
    if not isinstance(seen.model, MailAlias):
        return await tell_invalid(world, seen)
    alias = seen.model
    relay = Key("SmtpRelay", *alias.relay)
    if world.cache.relay(*alias.relay) is not None and not world.memory.knows((relay,)):
        # After a restart nothing is known of it yet, and what its status says still holds. The relay's pass wakes this.
        return resync(world.chance())
    known = world.memory.forwarding(relay, reference(alias)) or Forwarding()
    view = AliasView(
        alias=alias.model_copy(update={"status": MailAliasStatus.from_json(seen.status) if seen.status else None}),
        now=world.clock(),
        relay_known=world.cache.resource(relay) is not None,
        planned=known.generation == alias.metadata.generation,
        applied=known.applied,
        relay_ready=known.ready,
        findings=known.findings,
        resolved=known.resolved,
        forwarded=known.forwarded,
        failed=known.failed,
    )
    status = assess_alias(view)
    told = await tell(world, seen, view.alias.status, status)
    return min(told, after_told(status.conditions, view.now, world.chance()))
