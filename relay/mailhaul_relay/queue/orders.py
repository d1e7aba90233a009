"""The values of queue commands, and what they change in a message: selections, answers, a new chance. Pure.

`commands` applies them to the spool, `http.queue_routes` makes them from requests.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.spool.interface import Stored

STORED = frozenset({State.QUEUED, State.DEFERRED, State.HELD, State.DEAD})
"""The states of recipients that are not delivered."""


class Answer(StrEnum):
    """What became of a command on one message."""

    DONE = "done"
    GONE = "gone"
    ACTIVE = "active"
    NO_SUCH_UPSTREAM = "no-such-upstream"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which messages: by the state of a recipient, and by parts of addresses, case ignored, "" matches all."""

    states: frozenset[State] = STORED
    sender: str = ""
    recipient: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the states alone select."""
        return not self.sender and not self.recipient

    def takes(self, stored: Stored) -> bool:
        """Whether the addresses match."""
        envelope = stored.envelope
        if self.sender.casefold() not in envelope.sender.casefold():
            return False
        wanted = self.recipient.casefold()
        return not wanted or any(
            wanted in one.original.casefold() or wanted in one.final.casefold() for one in envelope.recipients
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Messages in order of id. `following` is the id to go on after, "" at the end."""

    messages: tuple[Stored, ...]
    following: str


@dataclass(frozen=True, slots=True)
class Tallied:
    """What a command on many messages did in one page. `skipped` were active, gone, or only partly selected."""

    done: int
    skipped: int
    following: str


def retried(message: Message, states: frozenset[State], upstream: str, now: float) -> Message | None:
    """Give the message with its recipients in these states due now; None when it has none."""
    changes = {
        index: _due_now(one, upstream, now)
        for index, one in enumerate(message.progress)
        if one.state in states and one.state is not State.DELIVERED
    }
    return message.with_progress(changes) if changes else None


def dropped(message: Message, states: frozenset[State]) -> Message | None:
    """Give the message when all of its undelivered recipients are in these states, so that it may go as a whole."""
    undelivered = {one.state for one in message.progress} - {State.DELIVERED}
    return message if undelivered <= states else None


def _due_now(progress: Progress, upstream: str, now: float) -> Progress:
    """A dead letter begins a new life. A named upstream is the one that is tried, until a retry without a name; a
    recipient that some upstream may have taken already stays with that one, for two more attempts, unless another is
    named: then somebody decided.
    """
    unknowns = 0 if upstream else min(progress.unknowns, 1)
    pinned = upstream or (progress.pinned if unknowns else "")
    due = replace(progress, due=now, unknowns=unknowns, pinned=pinned)
    return replace(due, state=State.QUEUED, attempts=0, renewed=now) if progress.state is State.DEAD else due
