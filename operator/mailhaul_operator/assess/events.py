"""What is worth an event: a condition that flipped, or another reason of Ready, in the words of the status.

Nothing is posted for what stays as it is, for work under way, or for an alias whose relay is to blame, which has told
it itself. Conditions that turn for one reason make one event. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.assess.drafts import READY, RECONCILING, STALLED, TRUE, UNKNOWN
from mailhaul_operator.assess.patch import Status
from mailhaul_operator.assess.reasons import Reason
from mailhaul_operator.assess.words import tidy

MOST: Final = 6
"""Events of one assessment."""
NEGATIVE: Final = frozenset({STALLED, "Conflicted", Reason.CLIENT_IDENTITY_LOST.value})
"""Conditions of which True is bad."""


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event but for its object and time. `type` is Normal or Warning."""

    type: str
    reason: str
    message: str


def transitions(old: Status | None, new: Status) -> tuple[EventDraft, ...]:
    """Give the events of a change, Ready's first, at most `MOST`, one for each reason."""
    before = {one.type: one for one in old.conditions} if old else {}
    flipped: dict[str, Condition] = {}
    for one in _flipped(before, new):
        flipped.setdefault(one.reason, one)
    return tuple(_event(one) for one in list(flipped.values())[:MOST])


def _flipped(before: dict[str, Condition], new: Status) -> Iterator[Condition]:
    for one in new.conditions:
        was = before.get(one.type)
        if one.type == RECONCILING or one.status is UNKNOWN or one.reason == Reason.RELAY_NOT_READY:
            continue
        if was is None and _good(one) and one.type != READY:
            continue
        if was is None or was.status is not one.status or (one.type == READY and was.reason != one.reason):
            yield one


def _good(condition: Condition) -> bool:
    return (condition.status is TRUE) is not (condition.type in NEGATIVE)


def _event(condition: Condition) -> EventDraft:
    kind = "Normal" if _good(condition) else "Warning"
    message = condition.message or condition.reason
    # 1024 bytes are the API server's limit, and a letter may take four.
    return EventDraft(kind, condition.reason, tidy(message).encode()[:1000].decode(errors="ignore"))
