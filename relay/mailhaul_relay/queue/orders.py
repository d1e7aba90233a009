"""The values of queue commands: verbs and orders, which mail they mean, and what came of them. Pure.

`http.queue_routes` makes them from requests, `verbs` says what an order changes in a message, `commands` acts.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from mailhaul_contract.domains import display_address
from mailhaul_relay.model.message import Envelope, Message, Progress, Recipient, State
from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.spool.interface import Narrowed, Stored

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789@._+=-")
STORED = frozenset({State.QUEUED, State.DEFERRED, State.HELD, State.DEAD})
"""The states of recipients that are not delivered."""


class Verb(StrEnum):
    """What a person may do with mail in the queue."""

    RETRY = "retry"
    HOLD = "hold"
    RELEASE = "release"
    MOVE = "move"
    BOUNCE = "bounce"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Order:
    """A verb, and for `RETRY` and `MOVE` the upstream that is to be used ("" leaves it to the routes)."""

    verb: Verb
    upstream: str = ""


class Answer(StrEnum):
    """What became of a command on one message."""

    DONE = "done"
    GONE = "gone"
    ACTIVE = "active"
    NOTHING = "nothing"
    """There is no recipient in it that the verb could change."""
    NO_SUCH_UPSTREAM = "no-such-upstream"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which mail: messages by sender and by time of acceptance (epoch seconds, both bounds included), and in them
    recipients by state, by a part of the address, by domain (A-labels), by the upstream that tried last or that is
    pinned, and by fault. Case is ignored, "" matches all.
    """

    states: frozenset[State] = STORED
    sender: str = ""
    recipient: str = ""
    domain: str = ""
    upstream: str = ""
    fault: str = ""
    since: float = 0.0
    until: float = inf

    @property
    def is_plain(self) -> bool:
        """Whether the states alone select."""
        return self == Selection(self.states)

    @property
    def narrowed(self) -> Narrowed:
        """What the store can leave out by itself: plain words only, for others are written differently there."""
        words = [one for one in (self.sender.lower(), self.recipient.lower(), self.domain.lower()) if one]
        return Narrowed(tuple([one for one in words if _PLAIN.issuperset(one)]), self.since, self.until)

    def chosen(self, stored: Stored | Message) -> frozenset[int]:
        """Give the recipients that are meant, by index."""
        envelope = stored.envelope
        if not self._takes(envelope):
            return frozenset()
        fates = zip(envelope.recipients, stored.progress, strict=True)
        return frozenset(index for index, (to, progress) in enumerate(fates) if self._means(to, progress))

    def _takes(self, envelope: Envelope) -> bool:
        in_time = self.since <= envelope.accepted <= self.until
        return in_time and _is_in(self.sender, envelope.sender)

    def _means(self, to: Recipient, progress: Progress) -> bool:
        if progress.state not in self.states or progress.state is State.DELIVERED:
            return False
        if self.fault and progress.fault != self.fault:
            return False
        if self.upstream and self.upstream not in {progress.upstream, progress.pinned}:
            return False
        addresses = (to.original, to.final)
        if self.domain and not any(one.rpartition("@")[2].casefold() == self.domain.casefold() for one in addresses):
            return False
        return any(_is_in(self.recipient, one) for one in addresses)


def _is_in(part: str, address: str) -> bool:
    """Whether a person would find a part in an address; domains are stored as A-labels and read as U-labels."""
    wanted = part.casefold()
    return wanted in address.casefold() or (not wanted.isascii() and wanted in display_address(address).casefold())


FAULTS = frozenset(one.value for one in Fault if one is not Fault.NONE)
"""What a selection by fault may name."""


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
