"""What became of the last messages, for who asks after one that has left: a small memory, gone at a restart.

`account` tells it of each transmission, `http` asks. It keeps values that are there anyway, and no bytes of a message.
Deliveries and other attempts are kept apart, so that the retries of a bad hour do not push out what was delivered.
"""

from collections import deque
from dataclasses import dataclass

from mailhaul_relay.model.outcome import Outcome, Verdict
from mailhaul_relay.model.transmission import Delivery
from mailhaul_relay.queue.rounds import Batch

KEPT = 1000
"""Transmissions of each kind."""
SHOWN = 20
"""Recipients of one transmission that are remembered: a list of thousands would not be a small memory."""

Entry = tuple[str, float, str, str, tuple[str, ...], tuple[Outcome, ...]]


@dataclass(frozen=True, slots=True)
class Tried:
    """One transmission of a message: when it came back, through which upstream, and each recipient's outcome."""

    time: float
    upstream: str
    endpoint: str
    outcomes: tuple[tuple[str, Outcome], ...]


class History:
    """The last transmissions, by the message's id."""

    def __init__(self) -> None:
        self._delivered: deque[Entry] = deque(maxlen=KEPT)
        self._others: deque[Entry] = deque(maxlen=KEPT)

    def add(self, batch: Batch, delivery: Delivery, now: float) -> None:
        """Remember a transmission that came back at `now` (epoch seconds)."""
        transmission = batch.transmission
        outcomes = delivery.outcomes[:SHOWN]
        recipients = transmission.recipients[:SHOWN]
        entry = (transmission.id, now, batch.upstream, delivery.endpoint, recipients, outcomes)
        for one in outcomes:
            if one.verdict is Verdict.DELIVERED:
                self._delivered.append(entry)
                return
        self._others.append(entry)

    def of(self, message_id: str) -> tuple[Tried, ...]:
        """Give what is remembered of a message, the oldest first."""
        found = [entry for entries in (self._delivered, self._others) for entry in entries if entry[0] == message_id]
        return tuple(_tried(entry) for entry in sorted(found, key=lambda entry: entry[1]))


def _tried(entry: Entry) -> Tried:
    _, time, upstream, endpoint, recipients, outcomes = entry
    return Tried(time, upstream, endpoint, tuple(zip(recipients, outcomes, strict=True)))
