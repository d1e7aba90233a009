"""What a listener asks of the queue: the configuration of the moment, room, a place for bytes, and acceptance.

`smtpin` uses it, the queue implements it over the spool. It raises nothing: a failure to store comes as `SpoolError`,
from a body's `write` or through the future of `accept`.
"""

import asyncio
from typing import Protocol

from mailhaul_relay.model.message import Message
from mailhaul_relay.model.outcome import Reply
from mailhaul_relay.policy.running import Running
from mailhaul_relay.spool.interface import BodyWriter


class Intake(Protocol):
    """The queue as seen by whoever brings mail in."""

    def running(self) -> Running:
        """Give the configuration of this moment; it is never changed, only replaced by another."""
        ...

    def over_watermark(self) -> bool:
        """Tell whether so much mail waits that no more is taken (452 4.3.1)."""
        ...

    def deferral(self, message: Message) -> Reply | None:
        """Tell why an admitted message is to come again later (451): its route would hold it. None to take it now."""
        ...

    def new_body(self) -> BodyWriter:
        """Give a writer for the body of a message that comes in. Raises SpoolError."""
        ...

    def accept(self, message: Message) -> "asyncio.Future[None]":
        """Store a message; the future resolves when it is durable, with SpoolError when it was not stored."""
        ...
