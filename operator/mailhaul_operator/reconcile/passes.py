"""Which pass a key gets. Called by the work queue."""

from collections.abc import Awaitable, Callable, Mapping

from mailhaul_operator.reconcile.alias import reconcile_alias
from mailhaul_operator.reconcile.provider import reconcile_provider
from mailhaul_operator.reconcile.relay import reconcile_relay
from mailhaul_operator.reconcile.workqueue import Work
from mailhaul_operator.reconcile.world import World
from mailhaul_operator.wire.key import Key

PASSES: Mapping[str, Callable[[World, Key], Awaitable[float | None]]] = {
    "SmtpRelay": reconcile_relay,
    "UpstreamProvider": reconcile_provider,
    "MailAlias": reconcile_alias,
}


def work(world: World) -> Work:
    """Give the function that makes the pass of any key. None is made where the operator may not act at present: what
    is there is due again when it may.
    """

    async def made(key: Key) -> float | None:
        if key.namespace in world.holders.closed and world.cache.resource(key) is not None:
            return None
        return await PASSES[key.kind](world, key)

    return made


def rank(key: Key) -> int:
    """Order passes that no edge made due: relays first, for what they find is what the others tell."""
    return tuple(PASSES).index(key.kind)
