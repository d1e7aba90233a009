"""The routes of a configuration, compiled: which one a recipient of a message takes, and what holds on it.

`running` builds them, `routing`, `route_admission` and `queue` ask. The first route that fits counts; mail that none
fits goes through every upstream of the relay. Each recipient of a message has its own. Cannot fail.
"""

from dataclasses import dataclass
from typing import Self

from mailhaul_contract.config import Queue, RelayConfig
from mailhaul_contract.routes import OnHold, Route, RouteMatch
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Recipient
from mailhaul_relay.policy.route_match import Matcher, Traits
from mailhaul_relay.policy.upstream_order import UpstreamOrder


@dataclass(frozen=True, slots=True)
class CompiledRoute:
    """`name` is "" for mail that no route fits. `queue` has the time to live of its mail, `important` mail may spend
    what quotas reserve, `defers` tells that clients keep what would be held.
    """

    name: str
    matcher: Matcher
    order: UpstreamOrder
    queue: Queue
    important: bool = False
    defers: bool = False

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """By priority, then name."""
        return self.order.upstreams

    @property
    def told(self) -> str:
        """How it is named to people."""
        return f"route {self.name}" if self.name else "the relay"


@dataclass(frozen=True, slots=True)
class Routes:
    """`named` in their order, `rest` for what none of them fits; `only` is that where there are no others, else None;
    `defers` when a route does.
    """

    named: tuple[CompiledRoute, ...]
    rest: CompiledRoute
    only: CompiledRoute | None
    defers: bool

    @classmethod
    def build(cls, config: RelayConfig) -> Self:
        """Compile what the contract has validated."""
        named = tuple(_compiled(one, config) for one in config.routes)
        rest = CompiledRoute("", Matcher.build(RouteMatch()), UpstreamOrder.build(config.upstreams), config.queue)
        return cls(named, rest, None if named else rest, any(one.defers for one in named))

    def of(self, traits: Traits, recipient: Recipient) -> CompiledRoute:
        """Give the route of one recipient of a message."""
        for one in self.named:
            if one.matcher.fits(traits, recipient):
                return one
        return self.rest


def _compiled(route: Route, config: RelayConfig) -> CompiledRoute:
    queue = config.queue
    if route.expire_after is not None:
        queue = queue.model_copy(update={"expire_after": route.expire_after})
    every = route.upstreams is None
    return CompiledRoute(
        name=route.name,
        matcher=Matcher.build(route.match),
        order=UpstreamOrder.build(one for one in config.upstreams if every or one.name in (route.upstreams or ())),
        queue=queue,
        important=route.important,
        defers=route.on_hold is OnHold.DEFER,
    )
