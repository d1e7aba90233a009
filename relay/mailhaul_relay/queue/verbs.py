"""What each verb changes in a message: a new chance, a hold, another upstream, the end. Pure.

`commands` applies it to the spool. Only recipients that are meant (by index) are changed, and none that is delivered.
"""

from collections.abc import Callable
from dataclasses import replace

from mailhaul_contract.config import Queue
from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.policy.holding import on_hold
from mailhaul_relay.queue.orders import Order, Verb
from mailhaul_relay.spool.interface import Stored

Changes = dict[int, Progress]
Settings = Callable[[int], Queue]


def changes(
    order: Order, stored: Stored | Message, meant: frozenset[int], queue: Settings, now: float
) -> Changes | None:
    """Give what becomes of the recipients that are meant, by index; None when there is nothing to do. `queue` gives the
    settings that hold for a recipient. A drop changes no recipient: its message goes as a whole, and only when
    everybody in it who is not delivered is meant.
    """
    if order.verb is Verb.DROP:
        undelivered = {i for i, one in enumerate(stored.progress) if one.state is not State.DELIVERED}
        return {} if undelivered <= meant else None
    found = {index: _change(order, stored, index, queue, now) for index in sorted(meant)}
    changed = {index: after for index, after in found.items() if after is not None}
    return changed or None


def everybody(stored: Stored | Message) -> frozenset[int]:
    """Give all recipients that are not delivered, by index."""
    return frozenset(i for i, one in enumerate(stored.progress) if one.state is not State.DELIVERED)


def _change(order: Order, stored: Stored | Message, index: int, queue: Settings, now: float) -> Progress | None:
    one = stored.progress[index]
    match order.verb:
        case Verb.HOLD:
            waits = one.is_open and not one.is_on_hold
            return on_hold(one, queue(index), stored.envelope.accepted, now) if waits else None
        case Verb.RELEASE:
            return _released(one, now) if one.is_on_hold else None
        case Verb.MOVE:
            return _moved(one, order.upstream, now) if one.is_open else None
        case Verb.BOUNCE:
            return _given_up(one, now) if one.is_open else None
        case _:
            return _due_now(one, order.upstream, now)


def _due_now(progress: Progress, upstream: str, now: float) -> Progress:
    """A dead letter begins a new life. A named upstream is the one that is tried, until a retry without a name; a
    recipient that some upstream may have taken already stays with that one, for two more attempts, unless another is
    named: then somebody decided.
    """
    unknowns = 0 if upstream else min(progress.unknowns, 1)
    pinned = upstream or (progress.pinned if unknowns else "")
    due = replace(_released(progress, now) if progress.is_on_hold else progress, due=now, unknowns=unknowns)
    due = replace(due, pinned=pinned)
    return replace(due, state=State.QUEUED, attempts=0, renewed=now) if progress.state is State.DEAD else due


def _released(progress: Progress, now: float) -> Progress:
    state = State.DEFERRED if progress.attempts else State.QUEUED
    return replace(progress, state=state, due=now, fault="", text=progress.text if progress.upstream else "")


def _moved(progress: Progress, upstream: str, now: float) -> Progress:
    """Somebody decided where it goes, even when another may have taken it; mail on hold goes there once released."""
    moved = replace(progress, pinned=upstream, unknowns=0)
    return moved if progress.is_on_hold else replace(moved, due=now)


def _given_up(progress: Progress, now: float) -> Progress:
    words = progress.text if progress.upstream else ""
    text = f"given up by an operator; last: {words}" if words else "given up by an operator before any attempt"
    return replace(progress, state=State.DEAD, fault=Fault.OPERATOR.value, text=text[:512], changed=now)
