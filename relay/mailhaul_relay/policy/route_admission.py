"""What routes say of a message before its 250: that it can leave at all, and that it need not wait for somebody.

`admission` asks `refuse_unroutable` of each admitted message where there are routes, or where some upstream does not
take its size: a message that its route could never send is refused now, not lost later. `queue` asks `defer_held` where
a route wants its mail deferred while it would be held. Both ask `routing` itself, so that what is promised here is what
is done later. One reply answers for all recipients, so one of them is enough; but for an archive, which nobody
addressed: what it does not take is no cause to keep mail from others. Refusals name the cause and the remedy; nothing
here raises.
"""

from collections.abc import Iterator, Mapping

from mailhaul_relay.model.message import UNTRIED, Envelope, State
from mailhaul_relay.model.outcome import Fault, Reply
from mailhaul_relay.policy.alignment import is_forward, leaving_from
from mailhaul_relay.policy.mending import Admitted
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.routing import Errand, Refuse, UpstreamView, Wait, route
from mailhaul_relay.policy.running import Running

_ALL_OPEN: Mapping[str, UpstreamView] = {}


def refuse_unroutable(running: Running, admitted: Admitted) -> Reply | None:
    """Refuse a message that no upstream of a recipient's route may send, or takes at that size.

    A route that has no upstream left accepts and holds, as a relay without upstreams does.
    """
    envelope = admitted.envelope
    for errand in _errands(running, envelope, admitted.head):
        if not errand.route.name and envelope.size <= running.size_for_all:
            continue  # every upstream of the relay: `guards` has asked them for the From
        decision = route(running, errand, _ALL_OPEN, envelope.accepted)
        if isinstance(decision, Refuse):
            return decision.outcome.reply
        if isinstance(decision, Wait) and decision.fault is Fault.SENDER:
            return _too_large(errand) if _has_sender(running, errand) else _not_sendable(errand)
    return None


def defer_held(
    running: Running, envelope: Envelope, head: bytes, views: Mapping[str, UpstreamView], now: float
) -> Reply | None:
    """Tell the client to come again when the message would be held on a route whose mail is deferred instead."""
    for errand in _errands(running, envelope, head):
        if errand.route.defers:
            decision = route(running, errand, views, now)
            if isinstance(decision, Wait) and decision.state is State.HELD:
                return Reply(451, "4.3.2", _printable(f"{decision.reason}; come again later"))
    return None


def _errands(running: Running, envelope: Envelope, head: bytes) -> Iterator[Errand]:
    """One for each recipient, but one for each route where the recipient makes no difference; none for an archive."""
    traits, each = Traits(envelope, head), is_forward(envelope)
    seen: set[str] = set()
    for recipient in envelope.recipients:
        if recipient in running.senders.archive:
            continue
        taken = running.routes.of(traits, recipient)
        if each or taken.name not in seen:
            seen.add(taken.name)
            yield Errand(envelope, recipient, UNTRIED, taken)


def _has_sender(running: Running, errand: Errand) -> bool:
    """Whether some upstream of the route may send the From, if not at that size."""
    upstreams = errand.route.upstreams
    return any(leaving_from(running, one, errand.envelope, errand.recipient) is not None for one in upstreams)


def _too_large(errand: Errand) -> Reply:
    envelope, name = errand.envelope, errand.route.name
    who = f"may send From domain {envelope.from_domain}"
    if is_forward(envelope):
        who = f"forwards mail for {errand.recipient.original}"
    of_route = f" of route {name}" if name else ""
    text = f"the message of {envelope.size} octets is larger than every upstream{of_route} takes that {who}"
    return Reply(552, "5.3.4", _printable(text))


def _not_sendable(errand: Errand) -> Reply:
    route_told, domain = errand.route.told, errand.envelope.from_domain
    if is_forward(errand.envelope):
        text = (
            f"UpstreamRefusesForeignFrom: no upstream of {route_told} forwards mail for {errand.recipient.original};"
            " see spec.aliases.fromRewriting of the relay and spec.senders of the route's upstreams"
        )
    else:
        text = (
            f"no upstream of {route_told} may send From domain {domain}; add it to spec.senders.domains of one of their"
            " UpstreamProviders, or lead it elsewhere in spec.routes"
        )
    return Reply(550, "5.7.1", _printable(text))


def _printable(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
