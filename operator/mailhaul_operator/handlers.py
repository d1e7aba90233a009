"""kopf's edges: every object that changed goes into the cache, and the resources that it is about are due. No more.

Only `on.event` handlers: those of other sorts write annotations or finalizers, and resources must stay deletable when
the operator is gone. Owned kinds are selected by label on the server. `serve` registers them; `world` is its sink.
Nothing fails here: an edge that is missed is made good by the listing of `reconcile.listing`.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import kopf

from mailhaul_operator.reconcile.scope import Watched


class Sink(Protocol):
    """Takes each object as it is now, or as it was when it was deleted."""

    def seen(self, body: dict[str, Any]) -> None:
        """It is there."""

    def gone(self, body: dict[str, Any]) -> None:
        """It was deleted, or left the selection."""


def register(
    registry: kopf.OperatorRegistry, settings: kopf.OperatorSettings, scope: Iterable[Watched], to: Sink
) -> None:
    """Watch these kinds and hand every event to the sink."""
    for one in scope:
        group, _, version = one.kind.api_version.rpartition("/")
        if one.selector:
            settings.watching.label_selectors[_is(group, one.kind.plural)] = one.selector
        # An optional kind may come later, in any version: kopf then takes the one that the cluster prefers.
        served = None if one.optional else version
        kopf.on.event(group=group, version=served, plural=one.kind.plural, registry=registry)(taker(to))


def _is(group: str, plural: str) -> Callable[[kopf.Resource], bool]:
    return lambda resource: (resource.group, resource.plural) == (group, plural)


def taker(to: Sink) -> Callable[..., Awaitable[None]]:
    """Give the handler: it hands the object of an event to the sink."""

    async def taken(event: kopf.RawEvent, **_: object) -> None:
        (to.gone if event["type"] == "DELETED" else to.seen)(dict(event["object"]))

    return taken
