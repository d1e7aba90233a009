"""The routes of one relay as its configuration says them, and what of them cannot work.

Called by `relay_config` with the upstreams that can be used; `alignment` asks which of them a mail surely takes. An
upstream that a route names and the relay lacks is left out of it with a finding; a route that is left with none keeps
its mail and says so. Pure.
"""

from collections.abc import Iterator

from mailhaul_contract.routes import HeaderMatch, Route, RouteMatch, covers
from mailhaul_contract.upstream import Upstream
from mailhaul_operator.api import relay_routes as api
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.reserves import without_reserve
from mailhaul_operator.plan.snapshot import Snapshot

Ways = tuple[Upstream, ...]


def routes(snapshot: Snapshot, ways: Ways) -> tuple[tuple[Route, ...], list[Finding]]:
    """Give the routes in their order, with what was found about them."""
    usable = {one.name for one in ways}
    made = tuple(_route(one, usable) for one in snapshot.relay.spec.routes)
    found = [*_unknown(snapshot), *_stranded(snapshot, made, ways), *_never_taken(snapshot, made)]
    if len(ways) == len(snapshot.relay.spec.upstreams):  # what is left out, with a finding, may keep a reserve
        found += without_reserve(_relay(snapshot), made, ways)
    return made, found


def ways_of(made: tuple[Route, ...], ways: Ways, *, sender: str = "", recipient: str = "") -> Ways:
    """Give the upstreams that mail takes of which only this is known; "" is unknown. While an earlier route may take
    some of it, all upstreams of the first that surely takes the rest count, so that nothing is told in vain.

    A stranger's From is no claim that a route believes: its `sender` is unknown too.
    """
    for one in made:
        if _surely_takes(one.match, sender, recipient):
            return through(one, ways)
    return ways


def through(route: Route, ways: Ways) -> Ways:
    """Give the upstreams of a route."""
    return ways if route.upstreams is None else tuple(one for one in ways if one.name in route.upstreams)


def _surely_takes(match: RouteMatch, sender: str, recipient: str) -> bool:
    if match.accounts or match.client_networks or match.header:
        return False
    senders, recipients = match.sender_domains, match.recipient_domains
    return (not senders or any(covers(one, sender) for one in senders)) and (
        not recipients or any(covers(one, recipient) for one in recipients)
    )


def _route(route: api.RelayRoute, usable: set[str]) -> Route:
    match = route.match
    return Route(
        name=route.name,
        match=RouteMatch(
            sender_domains=tuple(sorted(match.sender_domains)),
            recipient_domains=tuple(sorted(match.recipient_domains)),
            accounts=tuple(sorted(match.accounts)),
            client_networks=tuple(sorted(match.client_networks)),
            header=HeaderMatch(**match.header.model_dump()) if match.header else None,
        ),
        upstreams=None if route.upstreams is None else tuple(sorted(usable.intersection(route.upstreams))),
        important=route.important,
        expire_after=route.expire_after,
        on_hold=route.on_hold,
    )


def _unknown(snapshot: Snapshot) -> Iterator[Finding]:
    handles = [one.handle for one in snapshot.relay.spec.upstreams]
    for index, route in enumerate(snapshot.relay.spec.routes):
        for at, name in enumerate(route.upstreams or ()):
            if name not in handles:
                yield Finding(
                    _relay(snapshot),
                    f"spec.routes[{index}].upstreams[{at}]",
                    Reason.ROUTE_UPSTREAM_UNKNOWN,
                    f"route {route.name} names {name}, which is no upstream of this relay; the route does without it",
                    f"name one of {', '.join(sorted(handles))}, or add {name} to spec.upstreams",
                )


def _stranded(snapshot: Snapshot, made: tuple[Route, ...], ways: Ways) -> Iterator[Finding]:
    """Routes with no upstream left, and From domains that a route's upstreams may not send; with no upstream at all
    there is a finding already.
    """
    for index, route in enumerate(made if ways else ()):
        if route.upstreams == ():
            yield Finding(
                _relay(snapshot),
                f"spec.routes[{index}].upstreams",
                Reason.ROUTE_WITHOUT_UPSTREAM,
                f"none of the upstreams of route {route.name} can be used: its mail is kept and not sent",
                "mend what the other findings name, or add an upstream to the route",
            )
        else:
            yield from _unsendable(snapshot, index, route, through(route, ways))


def _unsendable(snapshot: Snapshot, index: int, route: Route, ways: Ways) -> Iterator[Finding]:
    names = ", ".join(one.name for one in ways)
    for at, pattern in enumerate(snapshot.relay.spec.routes[index].match.sender_domains):
        if not any(_may_send(one, pattern) for one in ways):
            yield Finding(
                _relay(snapshot),
                f"spec.routes[{index}].match.senderDomains[{at}]",
                Reason.SENDER_DOMAIN_NOT_SENDABLE,
                f"no upstream of route {route.name} ({names}) may send mail from {pattern}; such mail is refused",
                f"add {pattern.removeprefix('*.')} to spec.senders.domains of one of their UpstreamProviders, or lead"
                " it elsewhere",
            )


def _may_send(upstream: Upstream, pattern: str) -> bool:
    domains = upstream.senders.domains
    return not domains or upstream.senders.rewrite_from is not None or any(covers(pattern, one) for one in domains)


def _never_taken(snapshot: Snapshot, made: tuple[Route, ...]) -> Iterator[Finding]:
    greedy = next((index for index, one in enumerate(made) if one.match == RouteMatch()), len(made))
    for index, route in enumerate(made):
        if index > greedy:
            why = f"route {made[greedy].name} before it takes all"
            remedy = f"move it before {made[greedy].name}, or say in match of {made[greedy].name} which mail that takes"
        elif route.match.accounts and snapshot.relay.spec.clients.accounts is None:
            why = "its match names accounts, and the relay has none"
            remedy = "set clients.accounts and let clients log in at a listener, or remove match.accounts"
        else:
            continue
        text = f"no mail takes route {route.name}, for {why}"
        yield Finding(_relay(snapshot), f"spec.routes[{index}]", Reason.ROUTE_NEVER_TAKEN, text, remedy)


def _relay(snapshot: Snapshot) -> ObjectRef:
    return ObjectRef("SmtpRelay", *snapshot.relay.metadata.key)
