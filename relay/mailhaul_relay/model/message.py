"""A message as the relay keeps it: an immutable envelope, a small record of each recipient's fate, and its bytes.

`smtpin` makes it, `spool` stores it, `queue` works on it, `smtpout` sends it. Message bytes are kept in wire form:
CRLF line ends, dots stuffed (RFC 5321 section 4.5.2), without the final `.CRLF`, so that they leave as they lie.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePath
from typing import Self

from mailhaul_relay.model.outcome import Fault
from mailhaul_relay.model.party import SEPARATOR


@dataclass(frozen=True, slots=True)
class Recipient:
    """One recipient: as the client gave it and where it really goes. `alias` is the MailAlias, `namespace/name`.
    `original` is "" for an archive that nobody addressed.
    """

    original: str
    final: str
    alias: str = ""

    @property
    def is_forward(self) -> bool:
        """Whether an alias produced this recipient."""
        return bool(self.alias)


class Origin(StrEnum):
    """Who gave the message: a trusted client (its own mail), a stranger (to an alias), or the relay (a bounce)."""

    SUBMISSION = "submission"
    INBOUND = "inbound"
    BOUNCE = "bounce"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What never changes after acceptance. `sender` is "" for the null sender; `from_domain` is that of the header
    From (its first author), "" when there is none. `accepted` is in seconds since the epoch, `size` is the wire size
    of head and body in bytes. `account` is the SMTP account that handed it in, "" for none.
    """

    id: str
    sender: str
    recipients: tuple[Recipient, ...]
    from_domain: str
    origin: Origin
    accepted: float
    size: int
    client: str = ""
    eight_bit: bool = False
    utf8: bool = False
    account: str = ""

    @property
    def giver(self) -> str:
        """Whose mail this is where several must take turns: an account or a client, and the author's domain."""
        return f"{self.account or self.client} {self.from_domain}"

    @property
    def party(self) -> str:
        """The giver with the domain that the message goes to (of its first recipient), for its mail to one domain makes
        room for its mail to another. It never changes.
        """
        domain = self.recipients[0].final.rpartition("@")[2] if self.recipients else ""
        return f"{self.account or self.client} {self.from_domain}{SEPARATOR}{domain}"  # as `party_of`, for each message


class State(StrEnum):
    """Where a recipient stands. `QUEUED` has not been tried; `DEAD` is a dead letter; delivered ones are gone."""

    QUEUED = "queued"
    DEFERRED = "deferred"
    HELD = "held"
    DEAD = "dead"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Progress:
    """One recipient's fate so far. `due` is when it is tried next (epoch seconds). `unknowns` counts outcomes that
    nobody knows (connection lost after the final dot) at the upstream `pinned`, from which it is never failed over.
    `code`, `text`, `stage`, `fault` and `upstream` are of the last attempt. `renewed` is when a person gave a dead
    letter a new life: its time then counts from there (0 when nobody did).
    """

    state: State = State.QUEUED
    due: float = 0.0
    attempts: int = 0
    unknowns: int = 0
    pinned: str = ""
    upstream: str = ""
    stage: str = ""
    fault: str = ""
    code: int = 0
    text: str = ""
    changed: float = 0.0
    renewed: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it still waits for delivery."""
        return self.state is not State.DELIVERED and self.state is not State.DEAD

    @property
    def is_on_hold(self) -> bool:
        """Whether a person holds it: nothing but a person, or its end, changes that."""
        return self.fault == Fault.OPERATOR.value and self.state is State.HELD


UNTRIED = Progress()
"""Every recipient's at first."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes after the head, in wire form: in memory (`data`) or in a file of the spool (`path`), never both."""

    size: int
    data: bytes | None = None
    path: PurePath | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Envelope, progress (one for each recipient, in order), and bytes. `head` ends with the empty line."""

    envelope: Envelope
    head: bytes
    body: Body
    progress: tuple[Progress, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.progress:
            object.__setattr__(self, "progress", (UNTRIED,) * len(self.envelope.recipients))

    @property
    def id(self) -> str:
        """The one id, from accept to the provider's reply."""
        return self.envelope.id

    @property
    def due(self) -> float:
        """When the earliest open recipient is to be tried; infinity when none is open."""
        return min([one.due for one in self.progress if one.is_open], default=float("inf"))

    def with_progress(self, changes: dict[int, Progress]) -> Self:
        """Give the message with some recipients' progress replaced, by index."""
        progress = tuple([changes.get(i, one) for i, one in enumerate(self.progress)])
        return type(self)(self.envelope, self.head, self.body, progress)
