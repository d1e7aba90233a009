"""Where mail waits in the spool that no upstream takes now: under the names of the upstreams that it awaits.

`rounds` finds a message's place, `returner` reads it again. A name holds under one configuration only, whose digest is
part of it: under another each message is looked at anew. Pure; nothing here can fail.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from mailhaul_relay.model.message import Message, Progress
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.policy.routing import IMPORTANT
from mailhaul_relay.policy.running import Running
from mailhaul_relay.spool.interface import Place

LINED_UP = "due"
"""A place of no configuration: mail that is due and was not looked at yet, so that givers and domains take turns."""
_EPOCH = 12
_OF_UPSTREAMS = frozenset(one.value for one in Fault if one.is_of_upstream) | {Fault.NONE.value, ""}


class Waiting(NamedTuple):
    """Why one recipient waits: for one of some upstreams to take mail, until its time is over (epoch seconds)."""

    awaits: tuple[str, ...]
    until: float


class Awaited(NamedTuple):
    """One of the upstreams that a message awaits, and whether it may spend what that one's quotas reserve."""

    upstream: str
    important: bool


def place_of(running: Running, progress: tuple[Progress, ...], waiting: Mapping[int, Waiting]) -> Place | None:
    """Give the place of a message of which some recipients (by index) await upstreams; None when none does. It is due
    at the first time that one of the others has, or at the end of its time.
    """
    open_ones = [index for index, one in enumerate(progress) if one.is_open]
    if not open_ones or not waiting:
        return None
    until = min(waiting[index].until if index in waiting else progress[index].due for index in open_ones)
    return Place(_name(running, (name for one in waiting.values() for name in one.awaits)), until)


def awaited(running: Running, name: str) -> tuple[Awaited, ...] | None:
    """Read the name of a place; None for one of another configuration."""
    epoch, _, names = name.partition(" ")
    if epoch != _epoch(running):
        return None
    return tuple([Awaited(one.removesuffix(IMPORTANT), one.endswith(IMPORTANT)) for one in names.split()])


def awakened(message: Message, now: float) -> Message:
    """Give a message from its place with all that awaited an upstream due now: those with a fault of upstreams. Where
    the fault says something else, as when one upstream may not send the From and another is awaited, all that waits.
    """
    waiting = {i: one for i, one in enumerate(message.progress) if one.is_open and not one.is_on_hold}
    meant = {i: one for i, one in waiting.items() if one.due <= now or one.fault in _OF_UPSTREAMS} or waiting
    return message.with_progress({i: replace(one, due=now) for i, one in meant.items() if one.due > now})


def _name(running: Running, names: Iterable[str]) -> str:
    return " ".join([_epoch(running), *sorted(set(names))])


def _epoch(running: Running) -> str:
    return running.digest.rpartition(":")[2][:_EPOCH]
