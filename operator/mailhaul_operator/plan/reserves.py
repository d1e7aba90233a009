"""Reserves of quotas and the important routes that may spend them: each is of no use without the other.

`routes` asks it about the routes of one relay, `survey` about all relays that there are; in a cluster `assess.quotas`
tells of a provider by what the relays that use it say. Pure.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

from mailhaul_contract.routes import Route
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason


class _Routed(Protocol):
    """What of a route matters here, in the API's form and in the contract's."""

    @property
    def important(self) -> bool: ...
    @property
    def upstreams(self) -> tuple[str, ...] | None: ...


def spends_reserve(routes: Iterable[_Routed], upstream: str) -> bool:
    """Whether an important route leads to an upstream, by its handle."""
    return any(one.important and (one.upstreams is None or upstream in one.upstreams) for one in routes)


def without_reserve(relay: ObjectRef, routes: tuple[Route, ...], ways: tuple[Upstream, ...]) -> Iterator[Finding]:
    """Find important routes none of whose upstreams keeps anything for them; no upstream is another finding."""
    for index, route in enumerate(routes):
        leads = [one for one in ways if route.upstreams is None or one.name in route.upstreams]
        if route.important and leads and not any(quota.reserve_percent for one in leads for quota in one.quotas):
            yield Finding(
                relay,
                f"spec.routes[{index}].important",
                Reason.IMPORTANT_WITHOUT_RESERVE,
                f"route {route.name} is important, but no quota of {_named(leads)} keeps a reserve for it, so that its"
                " mail gets no more than any other",
                "set reservePercent in spec.quotas of one of their UpstreamProviders, or remove important",
            )


def unspent(provider: UpstreamProvider) -> Iterator[Finding]:
    """Find the reserves of a provider to which no important route of any relay leads."""
    for index, one in enumerate(provider.spec.quotas):
        if one.reserve_percent:
            yield Finding(
                ObjectRef("UpstreamProvider", *provider.metadata.key),
                f"spec.quotas[{index}].reservePercent",
                Reason.RESERVE_NOT_USED,
                f"{one.reserve_percent} percent of quota {one.period.value} are kept for important routes, and no relay"
                " has one that leads here, so that nobody may use them",
                "mark a route with important: true in spec.routes of an SmtpRelay, or remove reservePercent",
            )


def reserves_not_used(resources: Resources) -> Iterator[Finding]:
    """Find them among all resources; a provider that no relay uses is another finding."""
    for provider in resources.providers:
        uses = [use for relay in resources.relays for use in _uses(relay, provider)]
        if uses and not any(uses):
            yield from unspent(provider)


def _uses(relay: SmtpRelay, provider: UpstreamProvider) -> Iterator[bool]:
    """For each upstream of a relay that is this provider, whether an important route leads there."""
    if relay.metadata.namespace == provider.metadata.namespace:
        for one in relay.spec.upstreams:
            if one.provider_ref.name == provider.metadata.name:
                yield spends_reserve(relay.spec.routes, one.handle)


def _named(ways: list[Upstream]) -> str:
    return ", ".join(one.name for one in ways)
