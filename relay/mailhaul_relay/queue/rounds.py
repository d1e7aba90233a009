"""One round of a message: which recipients go together to which upstream, and what their outcomes change.

Pure bookkeeping between `policy` (which decides) and `delivery` (which acts): a `Round` holds one message's progress
while its due recipients are tried at one candidate after the other. Nothing here awaits or can fail.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.model.outcome import Fault, Outcome, Verdict
from mailhaul_relay.model.transmission import Transmission
from mailhaul_relay.policy.from_refusals import with_others
from mailhaul_relay.policy.holding import ON_HOLD
from mailhaul_relay.policy.retry import MAX_TEXT, Attempt, after_attempt, after_wait, told_by
from mailhaul_relay.policy.rewriting import rewrite
from mailhaul_relay.policy.route_match import Traits
from mailhaul_relay.policy.routes import CompiledRoute
from mailhaul_relay.policy.routing import IDLE, IMPORTANT, Errand, Send, UpstreamView, Wait, route
from mailhaul_relay.policy.running import Running
from mailhaul_relay.ports.chance import Chance
from mailhaul_relay.queue.places import Waiting, place_of
from mailhaul_relay.spool.interface import Place

SOON = 1.5
"""Seconds: a wait as short as this says only that no upstream named a time."""

DELIVERED = Progress(State.DELIVERED)
"""What is kept of a delivered recipient while others of its message wait."""

_SUSPENDED = "delivery is suspended; set spec.delivery.suspended of the SmtpRelay to false"
_OURS = "an error of the relay itself, which its log tells: report it to Mailhaul"
Views = Callable[[frozenset[str]], Mapping[str, UpstreamView]]
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Batch:
    """Recipients (by index) of one route that leave in one transmission through one upstream. `breaks_signature` when
    its From is not the one that a DKIM signature of somebody's was made for.
    """

    upstream: str
    indexes: tuple[int, ...]
    transmission: Transmission
    breaks_signature: bool = False
    route: str = ""


class _Group(NamedTuple):
    """Recipients with the same may travel together."""

    upstream: str
    sender: str
    head: bytes
    from_domain: str
    breaks_signature: bool
    important: bool
    route: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one recipient's progress became, for the log and the counters. `outcome` None: it was not tried."""

    index: int
    upstream: str
    progress: Progress
    outcome: Outcome | None


class Round:
    """One message while it is worked on. `changes` grows as recipients are settled for now."""

    def __init__(self, message: Message, running: Running, now: float, chance: Chance) -> None:
        self.message = message
        self.changes: list[Change] = []
        self._running, self._chance = running, chance
        self._traits: Traits | None = None
        self._routes: dict[int, CompiledRoute] = {}
        self._only = running.routes.only
        self._open = {i for i, one in enumerate(message.progress) if one.is_open and one.due <= now}
        self._tried: dict[int, frozenset[str]] = {}
        self._refused: dict[int, dict[str, Outcome]] = {}
        self._last: dict[int, tuple[str, Outcome]] = {}
        self._waiting: dict[int, Waiting] = {}
        for index in [index for index in self._open if message.progress[index].is_on_hold]:
            self._wait(index, ON_HOLD, now)

    def follow(self, running: Running) -> None:
        """Go on under another configuration: what was tried and refused before it is worth another attempt."""
        before, self._running = self._running, running
        # Another list of suppressed recipients alone is no cause to try again.
        if running.config is not before.config or running.secrets is not before.secrets:
            self._tried.clear()
            self._refused.clear()
            self._routes.clear()
            self._only = running.routes.only

    def next_batches(self, views: Views, now: float) -> list[Batch]:
        """Route what is still open; what has no upstream now is settled to wait. Empty when the round is over."""
        if self._running.config.delivery.suspended:
            for index in sorted(self._open):
                self._wait(index, Wait(now + IDLE, State.HELD, Fault.NONE, _SUSPENDED), now)
            return []
        groups: dict[_Group, list[int]] = {}
        for index in sorted(self._open):
            seen = views(self._tried.get(index, _NONE))
            decision = route(self._running, self._errand(index), seen, now)
            if isinstance(decision, Send):
                groups.setdefault(self._group(decision, index, now), []).append(index)
            elif isinstance(decision, Wait):
                self._wait(index, decision, now)
            else:
                self._settle(index, decision.upstream, decision.outcome, now)
        return [self._batch(key, indexes) for key, indexes in groups.items()]

    def apply(self, batch: Batch, outcomes: tuple[Outcome, ...], now: float) -> None:
        """Take the outcomes of a batch: settled, or open still for the next candidate."""
        for index, outcome in zip(batch.indexes, outcomes, strict=True):
            if not _may_fail_over(outcome):
                self._settle(index, batch.upstream, outcome, now)
                continue
            self._tried[index] = self._tried.get(index, _NONE) | {batch.upstream}
            if outcome.verdict is Verdict.FAILED:
                self._refused.setdefault(index, {})[batch.upstream] = outcome
            else:
                self._last[index] = (batch.upstream, outcome)

    def place(self) -> Place | None:
        """Where the message waits afterwards, when it awaits upstreams."""
        return place_of(self._running, self.message.progress, self._waiting) if self._waiting else None

    def room_awaited(self, batches: list[Batch], now: float) -> Place | None:
        """Where a message waits that could leave in these batches, had the queue room for it."""
        ways = {index: batch.upstream for batch in batches for index in batch.indexes}
        waiting = {
            index: Waiting((upstream + (IMPORTANT if self._route(index).important else ""),), self._expiry(index))
            for index, upstream in ways.items()
        }
        place = place_of(self._running, self.message.progress, self._waiting | waiting)
        return place if place and place.until > now else None

    def postpone(self, now: float, seconds: float) -> None:
        """Put off what is still open for so long, after an error of ours, until its time is over."""
        wait = Wait(now + seconds, State.DEFERRED, Fault.TRANSIENT, _OURS)
        for index in sorted(self._open):
            # It may be the route of this one that cannot be told.
            path = self._only or self._routes.get(index)
            settings = path.queue if path else self._running.config.queue
            progress = after_wait(self.message.progress[index], wait, settings, self.message.envelope.accepted, now)
            self._changed(index, "", progress, None)

    def _errand(self, index: int) -> Errand:
        envelope = self.message.envelope
        path, refused = self._only or self._route(index), self._refused.get(index, {})
        return Errand(envelope, envelope.recipients[index], self.message.progress[index], path, refused)

    def _route(self, index: int) -> CompiledRoute:
        """The route of one recipient, found once while the configuration lasts."""
        found = self._only or self._routes.get(index)
        if found is None:
            self._traits = self._traits or Traits(self.message.envelope, self.message.head)
            recipient = self.message.envelope.recipients[index]
            found = self._routes[index] = self._running.routes.of(self._traits, recipient)
        return found

    def _group(self, send: Send, index: int, now: float) -> "_Group":
        recipient, upstream = self.message.envelope.recipients[index], self._running.upstream(send.upstream)
        assert upstream is not None, "route names upstreams of the running configuration only"
        rewritten = rewrite(self._running, upstream, self.message, recipient, now)
        return _Group(
            send.upstream,
            rewritten.sender,
            rewritten.head,
            rewritten.from_domain,
            rewritten.breaks_signature,
            send.important,
            (self._only or self._route(index)).name,
        )

    def _batch(self, group: "_Group", indexes: list[int]) -> Batch:
        envelope = self.message.envelope
        transmission = Transmission(
            id=envelope.id,
            sender=group.sender,
            recipients=tuple([envelope.recipients[i].final for i in indexes]),
            head=group.head,
            body=self.message.body,
            from_domain=group.from_domain,
            eight_bit=envelope.eight_bit,
            utf8=envelope.utf8,
            important=group.important,
            party=envelope.party,
        )
        return Batch(group.upstream, tuple(indexes), transmission, group.breaks_signature, group.route)

    def _wait(self, index: int, wait: Wait, now: float) -> None:
        """No candidate now: what was just tried says when and why, else the closed upstreams do."""
        tried = self._last.get(index)
        progress = self.message.progress[index]
        settings, accepted = self._route(index).queue, self.message.envelope.accepted
        if wait.awaits and (not tried or tried[1].fault.is_of_upstream):
            self._waiting[index] = Waiting(wait.awaits, self._expiry(index))
        if tried:
            upstream, outcome = tried
            attempt = Attempt(outcome, upstream, now, self._chance())
            progress = after_attempt(progress, attempt, settings, accepted)
            if outcome.fault is Fault.SENDER and progress.is_open:
                text = with_others(progress.text, wait.refusals, upstream, MAX_TEXT)
                progress = replace(progress, text=text)
            progress = _no_sooner(progress, wait, outcome, now)
            # Due later than its end it would not end, and the scanner would meet it again and again meanwhile.
            self._changed(index, upstream, replace(progress, due=min(progress.due, self._expiry(index))), outcome)
        else:
            progress, wait = self._with_refusal(index, wait, now)
            self._changed(index, "", after_wait(progress, wait, settings, accepted, now), None)

    def _with_refusal(self, index: int, wait: Wait, now: float) -> tuple[Progress, Wait]:
        """One that waits for another upstream, and why, with the words of the last one that refused it for good."""
        progress = self.message.progress[index]
        refused = self._refused.get(index)
        if not refused:
            return progress, wait
        upstream, outcome = list(refused.items())[-1]
        words = f"{outcome.text[: MAX_TEXT // 2]}; {wait.reason}"
        told = told_by(progress, Attempt(outcome, upstream, now, self._chance()))
        return replace(told, text=words[:MAX_TEXT]), replace(wait, reason=words)

    def _expiry(self, index: int) -> float:
        """When the time of a recipient is over."""
        begun = max(self.message.envelope.accepted, self.message.progress[index].renewed)
        return begun + self._route(index).queue.expire_after

    def _settle(self, index: int, upstream: str, outcome: Outcome, now: float) -> None:
        if outcome.verdict is Verdict.DELIVERED:
            self._changed(index, upstream, DELIVERED, outcome)
            return
        progress = after_attempt(
            self.message.progress[index],
            Attempt(outcome, upstream, now, self._chance()),
            self._route(index).queue,
            self.message.envelope.accepted,
        )
        self._changed(index, upstream, progress, outcome)

    def _changed(self, index: int, upstream: str, progress: Progress, outcome: Outcome | None) -> None:
        self._open.discard(index)
        self.changes.append(Change(index, upstream, progress, outcome))
        self.message = self.message.with_progress({index: progress})


def _may_fail_over(outcome: Outcome) -> bool:
    return outcome.verdict in {Verdict.RETRY, Verdict.HOLD} or (
        outcome.verdict is Verdict.FAILED and outcome.retry_elsewhere
    )


def _no_sooner(progress: Progress, wait: Wait, outcome: Outcome, now: float) -> Progress:
    """After a fault of the upstream itself, its breaker and not the message's own back-off says when to try again."""
    if not progress.is_open or not (outcome.fault.is_of_upstream or outcome.fault is Fault.SENDER):
        return progress
    state = State.HELD if State.HELD in {wait.state, progress.state} else progress.state
    return replace(progress, state=state, due=wait.until if wait.until > now + SOON else progress.due)
