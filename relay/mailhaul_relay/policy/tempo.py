"""How much of its connections and rate an upstream is given: halved when it asks for less, given back step by step.

`queue.ways` keeps one for each upstream, in memory only: calls `slower` with each reply that asks for less, `faster`
with each delivery, and lets `queue.lane` keep to it. Replies to what began before the last halving tell the same thing
again. At the floor, one connection at the slowest rate, it is the breaker's turn to make a pause. Pure; times are epoch
seconds.
"""

from dataclasses import dataclass, replace

from mailhaul_contract.upstream import Upstream
from mailhaul_relay.model.outcome import Fault, Outcome, Stage

SLOWEST = 1 / 16
"""The least part of a configured rate."""
STEP = 0.1
"""The part that is given back at once."""
QUIET = 30.0
"""Seconds without such a reply, after the last change, until a part is given back."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """`level` is the part in use; `slowed` and `changed` are when it was last halved and last changed at all."""

    level: float = 1.0
    slowed: float = 0.0
    changed: float = 0.0

    @property
    def is_full(self) -> bool:
        """Whether all that is configured is used."""
        return self.level >= 1

    def connections(self, most: int) -> int:
        """Give how many of so many connections may be used: never less than one."""
        return max(1, int(most * self.level + 1e-9))


FULL = Tempo()


def asks_for_less(outcome: Outcome) -> bool:
    """Whether a reply asks for less at a time. Of logins it asks for fewer of them, which only a pause gives."""
    told = outcome.fault is Fault.THROTTLE or (outcome.reply is not None and outcome.reply.code == 421)
    return told and outcome.stage is not Stage.AUTH


def floor(upstream: Upstream) -> float:
    """Give the least part: one connection, and less of the rate where a rate is configured."""
    one = 1 / upstream.connections.max
    return min(one, SLOWEST) if upstream.rate_limit else one


def can_slow(tempo: Tempo, upstream: Upstream, began: float) -> bool:
    """Whether going slower is still an answer to a reply to what began at a time, or has been the answer already."""
    return began < tempo.slowed or tempo.level > floor(upstream)


def slower(tempo: Tempo, upstream: Upstream, began: float, now: float) -> Tempo:
    """Give the tempo after a reply that asks for less to a transmission that began at a time."""
    if began < tempo.slowed:
        return tempo
    return Tempo(max(floor(upstream), tempo.level / 2), now, now)


def resumed(tempo: Tempo, before: Upstream, upstream: Upstream) -> Tempo:
    """Give the tempo under other settings of the same server: what it took before the change, no more and no faster."""
    if tempo.is_full:
        return FULL
    part = before.connections.max / upstream.connections.max
    if before.rate_limit and upstream.rate_limit:
        rates = [one.messages / one.per for one in (before.rate_limit, upstream.rate_limit)]
        part = min(part, rates[0] / rates[1])
    return replace(tempo, level=max(floor(upstream), min(1.0, tempo.level * part)))


def faster(tempo: Tempo, now: float) -> Tempo:
    """Give the tempo after a delivery."""
    if tempo.is_full or now - tempo.changed < QUIET:
        return tempo
    level = tempo.level + STEP
    return Tempo(level if level < 1 - 1e-9 else 1.0, tempo.slowed, now)
