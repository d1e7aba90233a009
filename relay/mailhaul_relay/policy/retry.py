"""What an outcome makes of a recipient's progress: when it is tried again, held, or given up.

`queue` calls `after_attempt` with the outcome that settles a round, and `after_wait` when `routing` found no way.
The time to live counts from acceptance (of a dead letter that a person renewed: from then), for held mail too; what
outlives it is a dead letter with the last words kept.
Back-off doubles from `retry.initial` to `retry.max`, each by chance a fifth shorter or longer, so that mail of one
outage does not come back at one instant. An unknown outcome pins the recipient to that upstream: two more attempts
there, then it is held until a person decides or it expires.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Progress, State
from mailhaul_relay.model.outcome import Fault, Outcome, Stage, Verdict

MAX_UNKNOWNS = 2
"""Retries after an outcome that nobody knows."""
MAX_TEXT = 512
"""Characters of the words that are kept of an attempt."""
_STATES = {Verdict.RETRY: State.DEFERRED, Verdict.HOLD: State.HELD}


class Waiting(Protocol):
    """A decision to wait, as `routing.Wait`."""

    @property
    def until(self) -> float:
        """When to look again, epoch seconds."""

    @property
    def state(self) -> State:
        """DEFERRED or HELD."""

    @property
    def fault(self) -> Fault:
        """What is in the way."""

    @property
    def reason(self) -> str:
        """The same in words."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What happened, where (`upstream` "" when the relay itself refused), when, and by which chance in [0, 1) the next
    one is spread.
    """

    outcome: Outcome
    upstream: str
    now: float
    chance: float


def told_by(progress: Progress, attempt: Attempt) -> Progress:
    """Give the progress with the words of an attempt; what follows from it is not decided."""
    outcome, upstream = attempt.outcome, attempt.upstream
    return replace(
        progress,
        attempts=progress.attempts + (1 if upstream else 0),
        upstream=upstream or progress.upstream,
        stage=outcome.stage.value,
        fault=outcome.fault.value,
        code=outcome.reply.code if outcome.reply else 0,
        text=outcome.text[:MAX_TEXT],
        changed=attempt.now,
    )


def after_attempt(progress: Progress, attempt: Attempt, queue: Queue, accepted: float) -> Progress:
    """Give the progress of a recipient of mail that was accepted at a time, after an attempt."""
    outcome, upstream, now = attempt.outcome, attempt.upstream, attempt.now
    told = told_by(progress, attempt)
    if outcome.verdict is Verdict.DELIVERED:
        return replace(told, state=State.DELIVERED)
    if outcome.verdict is Verdict.FAILED:
        return replace(told, state=State.DEAD)
    expiry = max(accepted, progress.renewed) + queue.expire_after
    if outcome.verdict is Verdict.UNKNOWN:
        told = replace(told, unknowns=progress.unknowns + 1, pinned=progress.pinned or upstream)
        if told.unknowns > MAX_UNKNOWNS:
            return _unless_expired(replace(told, state=State.HELD, due=expiry), expiry, now)
    state = _STATES.get(outcome.verdict, State.DEFERRED)
    due = now + backoff(queue, told.attempts, attempt.chance)
    return _unless_expired(replace(told, state=state, due=due), expiry, now)


def after_wait(progress: Progress, wait: Waiting, queue: Queue, accepted: float, now: float) -> Progress:
    """Give the progress when no attempt could be made. What an earlier attempt was told is kept beside the fault; but
    not when no upstream may send the From any more: then that is what somebody has to know.
    """
    expiry = max(accepted, progress.renewed) + queue.expire_after
    waiting = replace(progress, state=wait.state, due=max(wait.until, now + 1), fault=wait.fault.value, changed=now)
    told = progress.upstream and progress.text  # a refused connection has words, but no code
    if not told or progress.stage == Stage.RELAY.value:
        waiting = replace(waiting, text=wait.reason[:MAX_TEXT])
    elif wait.fault is Fault.SENDER and progress.fault != Fault.SENDER.value:
        waiting = replace(waiting, text=wait.reason[:MAX_TEXT], code=0, stage=Stage.RELAY.value)
    return _unless_expired(waiting, expiry, now)


def backoff(queue: Queue, attempts: int, chance: float) -> float:
    """Seconds until the next attempt after so many."""
    delay = min(queue.retry.initial * 2.0 ** min(max(attempts, 1) - 1, 32), queue.retry.max)
    return delay * (0.8 + 0.4 * chance)


def _unless_expired(progress: Progress, expiry: float, now: float) -> Progress:
    """A dead letter past its time; before it, never due later than its end."""
    if now >= expiry:
        text = f"expired; last: {progress.text}" if progress.text else "expired before any attempt"
        return replace(progress, state=State.DEAD, fault=Fault.EXPIRED.value, text=text[:MAX_TEXT])
    return replace(progress, due=min(progress.due, expiry))
