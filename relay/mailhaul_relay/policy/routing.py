"""Which upstream a recipient's next attempt goes to, or why it waits.

`queue` asks before every attempt, showing each upstream as it stands. Candidates are those of the recipient's route,
by priority, then by weight (`upstream_order`); failing over never leaves the route. One is passed over when it may not
send this From, takes no message of this size, refuses this From or envelope sender at present, has its breaker open,
has spent its quota, or was tried in this round; one that has spent its quota may also end the search, as its `on_quota`
says. A recipient that is pinned (nobody knows whether it was delivered there, or a person asked for it) goes to that
upstream or waits: failed over it might arrive twice. With no candidate left it waits: held when a person or a provider
must act, deferred when time alone may mend it. It is refused only where nothing is to be waited for: when it is too
large for every upstream of its route, or one has refused it for good and no other may ever take it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from mailhaul_contract.quotas import OnQuota
from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.message import Envelope, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.policy.alignment import leaving_domain
from mailhaul_relay.policy.from_refusals import FromRefusal, words
from mailhaul_relay.policy.retry import MAX_UNKNOWNS
from mailhaul_relay.policy.rewriting import leaving_sender, sender_domain
from mailhaul_relay.policy.routes import CompiledRoute
from mailhaul_relay.policy.running import Running

IDLE = 3600.0
"""Seconds until held mail is looked at again when no upstream says when; a new configuration wakes it at once."""
REFUSED_SENDER = 300.0
IMPORTANT = "!"
"""Behind an upstream's name: that important mail waits for it, which may spend what its quotas reserve."""
_HOLDING = (Fault.AUTH, Fault.SENDER, Fault.QUOTA, Fault.TLS)
"""Faults that somebody must mend, the most telling first; they hold mail, the others defer it."""


_NO_REFUSAL: Mapping[str, Outcome] = MappingProxyType({})


class Errand(NamedTuple):
    """One recipient of a message that is to leave, and the route that it takes. `refused` is what those upstreams said
    that refused it for good in this round, though another one may take it; the last one last.
    """

    envelope: Envelope
    recipient: Recipient
    progress: Progress
    route: CompiledRoute
    refused: Mapping[str, Outcome] = _NO_REFUSAL


class Spent(NamedTuple):
    """A quota that is used up until a time (epoch seconds), in words."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class UpstreamView:
    """An upstream as it stands now: its breaker's permission and next trial (epoch seconds) with its fault, the From
    domains and those of envelope senders that it refuses, whether it was tried for this recipient in this round, and
    until when others wait for it already in such numbers that one more would stand in the way of other upstreams' mail
    (0: they do not); `crowding` are the parties and the givers that have most of that, and only their mail waits (None:
    everybody's). `spent` is its quota when it is used up, `spent_for_important` when what is reserved is used up too.
    """

    permits: bool = True
    next_attempt: float = 0.0
    fault: Fault = Fault.NONE
    refused_senders: frozenset[str] = frozenset()
    refused_envelopes: frozenset[str] = frozenset()
    tried: bool = False
    busy_until: float = 0.0
    crowding: frozenset[str] | None = None
    spent: Spent | None = None
    spent_for_important: Spent | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Attempt it now, at this upstream. `important` mail may spend what quotas reserve."""

    upstream: str
    important: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """No attempt now; `until` is in epoch seconds, `state` DEFERRED or HELD, `reason` for people. `awaits` are the
    upstreams of which one must take mail again, where nothing else helps but another configuration; then it is no use
    to ask before. Empty where time or another message's fate may help too. `refusals` are the upstreams that do not
    send this From.
    """

    until: float
    state: State
    fault: Fault
    reason: str
    awaits: tuple[str, ...] = ()
    refusals: tuple[FromRefusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Refuse:
    """No upstream can ever take it. `upstream` is the one whose word it is, "" when it is the relay's own."""

    outcome: Outcome
    upstream: str = ""


class _Obstacle(NamedTuple):
    """Why one upstream is passed over, and when that may be otherwise: when it takes mail again (`awaits` is its name),
    or only under another configuration (`is_fixed`), else at a time. `is_misfit` when it is this message that it does
    not take, and nothing is to be waited for there. `refusal` when it does not send this From, whatever else stands in
    the way.
    """

    fault: Fault
    until: float
    reason: str
    awaits: str = ""
    is_fixed: bool = False
    is_misfit: bool = False
    refusal: FromRefusal | None = None


_OPEN_VIEW = UpstreamView()


def route(running: Running, errand: Errand, views: Mapping[str, UpstreamView], now: float) -> Send | Wait | Refuse:
    """Decide where one recipient of a message goes now."""
    envelope, recipient, progress, path, _ = errand
    if progress.pinned:
        return _pinned(running, errand, views, now)
    obstacles: list[_Obstacle] = []
    for upstream in path.order.of(envelope.id):
        domain = leaving_domain(running, upstream, envelope, recipient)
        view = views.get(upstream.name, _OPEN_VIEW)
        obstacle = _unable(upstream, envelope, domain, now) or _misfit(upstream, errand, now)
        obstacle = obstacle or _unwilling(upstream, view, domain, errand, now)
        if obstacle is None and view.refused_envelopes:
            obstacle = _refused_envelope(running, upstream, view, errand, now)
        if obstacle is None:
            return _in_turn(upstream.name, view, errand)
        obstacles.append(obstacle)
        if obstacle.fault is Fault.QUOTA and upstream.on_quota is OnQuota.HOLD:
            break
    if not obstacles:
        return Wait(now + IDLE, State.HELD, Fault.CONNECTION, _no_upstream(path))
    if errand.refused and all(one.is_fixed for one in obstacles):
        return _given_up(errand)
    if all(one.is_misfit for one in obstacles):
        return Refuse(_too_large(envelope.size, path))
    return _wait(obstacles, path)


def _given_up(errand: Errand) -> Refuse:
    """Where it was refused last, and in what words."""
    name, outcome = list(errand.refused.items())[-1]
    return Refuse(outcome, name)


def _no_upstream(path: CompiledRoute) -> str:
    if path.name:
        return f"route {path.name} has no upstream that can be used; see spec.routes of the SmtpRelay"
    return "the relay has no upstream; add one to spec.upstreams"


def _in_turn(name: str, view: UpstreamView, errand: Errand) -> Send | Wait:
    """A crowd before an upstream is no cause to fail over: it takes mail, and the mail waits for its turn."""
    if view.busy_until and _makes_room(errand.envelope, view.crowding):
        reason = f"waits for its turn at {name}"
        return Wait(view.busy_until, State.DEFERRED, Fault.NONE, reason, (_awaited(name, errand),))
    return Send(name, errand.route.important)


def _makes_room(envelope: Envelope, crowding: frozenset[str] | None) -> bool:
    return crowding is None or envelope.party in crowding or envelope.giver in crowding


def _pinned(running: Running, errand: Errand, views: Mapping[str, UpstreamView], now: float) -> Send | Wait | Refuse:
    """The upstream that is asked for need not be of the route, but it must be allowed to send the From all the same."""
    envelope, recipient, progress, path, refused = errand
    name = progress.pinned
    if name in refused:
        return _given_up(errand)
    if progress.unknowns > MAX_UNKNOWNS:
        expiry = max(envelope.accepted, progress.renewed) + path.queue.expire_after
        reason = f"whether {name} took it is unknown after {progress.unknowns} attempts; retry or drop it by hand"
        return Wait(max(now, expiry), State.HELD, Fault.CONNECTION, reason)
    upstream = running.upstream(name)
    if upstream is None:
        reason = f"upstream {name}{_why_pinned(progress)}, is no longer configured; retry or drop it by hand"
        return Wait(now + IDLE, State.HELD, Fault.CONNECTION, reason)
    unable = _unable(upstream, envelope, leaving_domain(running, upstream, envelope, recipient), now)
    if unable is not None:
        return Wait(unable.until, State.HELD, unable.fault, unable.reason)
    view = views.get(name, _OPEN_VIEW)
    spent = _spent(view, important=path.important)
    if spent is not None:
        return Wait(max(spent.until, now + 1), State.HELD, Fault.QUOTA, spent.reason, (_awaited(name, errand),))
    if view.permits and not view.tried:
        return _in_turn(name, view, errand)
    until = view.next_attempt if not view.permits else progress.due
    reason = f"waits for upstream {name}{_why_pinned(progress)}"
    awaits = () if view.permits else (_awaited(name, errand),)
    return Wait(max(until, now + 1), State.DEFERRED, view.fault, reason, awaits)


def _why_pinned(progress: Progress) -> str:
    """A person may have asked for one upstream, or nobody knows whether it took the message."""
    return ", which may have taken it" if progress.unknowns else ", which was asked for"


def _unable(upstream: Upstream, envelope: Envelope, domain: str | None, now: float) -> _Obstacle | None:
    """What only a new configuration changes."""
    if domain is None:
        refusal = FromRefusal(upstream.name, envelope.from_domain, by_settings=True)
        return _Obstacle(Fault.SENDER, now + IDLE, words((refusal,)), is_fixed=True, refusal=refusal)
    largest = upstream.behavior.max_message_size
    if largest and envelope.size > largest:
        reason = f"{upstream.name} takes at most {largest} octets"
        return _Obstacle(Fault.SIZE, now + IDLE, reason, is_fixed=True, is_misfit=True)
    return None


def _misfit(upstream: Upstream, errand: Errand, now: float) -> _Obstacle | None:
    """What it said of this very message a moment ago; it is asked again in the next round, not in this one."""
    said = errand.refused.get(upstream.name)
    if said is None:
        return None
    return _Obstacle(said.fault, now + IDLE, f"{upstream.name}: {said.text}", is_fixed=True, is_misfit=True)


def _awaited(name: str, errand: Errand) -> str:
    """What is awaited when an upstream takes no such mail: important mail may go there while other mail may not."""
    return f"{name}{IMPORTANT}" if errand.route.important else name


def _spent(view: UpstreamView, *, important: bool) -> Spent | None:
    """The quota that keeps this mail away now."""
    return view.spent_for_important if important else view.spent


def _unwilling(
    upstream: Upstream, view: UpstreamView, domain: str | None, errand: Errand, now: float
) -> _Obstacle | None:
    """What time may change."""
    progress, awaited, refusal = errand.progress, _awaited(upstream.name, errand), None
    if domain is not None and domain in view.refused_senders:
        refusal = FromRefusal(upstream.name, domain, by_settings=False)
    spent = _spent(view, important=errand.route.important)
    if spent is not None:
        return _Obstacle(Fault.QUOTA, max(spent.until, now + 1), spent.reason, awaited)
    if view.tried:
        until, awaits = max(progress.due, view.next_attempt, now + 1), "" if view.permits else awaited
        return _Obstacle(_tried_fault(progress, view), until, progress.text, awaits, refusal=refusal)
    if not view.permits:
        return _Obstacle(view.fault, max(view.next_attempt, now + 1), f"{upstream.name}: {view.fault.value}", awaited)
    if refusal is not None:
        return _Obstacle(Fault.SENDER, now + REFUSED_SENDER, words((refusal,)), refusal=refusal)
    return None


def _refused_envelope(
    running: Running, upstream: Upstream, view: UpstreamView, errand: Errand, now: float
) -> _Obstacle | None:
    """What it refused before it saw a From."""
    domain = sender_domain(leaving_sender(running, upstream, errand.envelope, errand.recipient, now))
    if domain not in view.refused_envelopes:
        return None
    reason = f"{upstream.name} refuses the null sender; see its spec.behavior.nullSender"
    if domain:
        reason = f"{upstream.name} refuses the envelope sender's domain {domain}; verify it there, or mend it"
    return _Obstacle(Fault.SENDER, now + REFUSED_SENDER, reason)


def _tried_fault(progress: Progress, view: UpstreamView) -> Fault:
    if not view.permits:
        return view.fault
    return Fault(progress.fault) if progress.fault else Fault.TRANSIENT


def _wait(obstacles: list[_Obstacle], path: CompiledRoute) -> Wait:
    """Held only when every obstacle is one that holds; the reason is that of the most telling one."""
    passing = [one for one in obstacles if not one.is_misfit]
    until = min(one.until for one in passing)
    telling = min(passing, key=lambda one: _HOLDING.index(one.fault) if one.fault in _HOLDING else len(_HOLDING))
    state = State.HELD if all(one.fault in _HOLDING for one in passing) else State.DEFERRED
    refusals = tuple([one.refusal for one in passing if one.refusal])
    told = words(refusals) if telling.refusal and telling.fault is Fault.SENDER else telling.reason
    reason = f"route {path.name}: {told}" if path.name else told
    awaits = tuple(one.awaits for one in obstacles if one.awaits) if all(map(_is_lasting, obstacles)) else ()
    return Wait(until, state, telling.fault, reason, awaits, refusals)


def _is_lasting(obstacle: _Obstacle) -> bool:
    """Whether time alone does not remove it."""
    return bool(obstacle.awaits) or obstacle.is_fixed


def _too_large(size: int, path: CompiledRoute) -> Outcome:
    of_route = f" of route {path.name}" if path.name else ""
    reply = Reply(552, "5.3.4", f"the message of {size} octets is larger than every upstream{of_route} takes")
    return Outcome(Verdict.FAILED, Stage.RELAY, Fault.SIZE, reply, remedy="add an upstream that takes larger messages")
