"""The capture transport: an upstream that keeps every message in the relay's own inbox and lets none out.

For try-outs and tests of applications. It implements `interface.Transport` over an `Inbox`; a message counts as
delivered once the inbox has it on stable storage. When it cannot be stored it is retried like any other.
"""

import asyncio
import sqlite3
from collections.abc import Coroutine

from mailhaul_relay.model.message import Body
from mailhaul_relay.model.outcome import Fault, Outcome, Reply, Stage, Verdict
from mailhaul_relay.model.transmission import Delivery, Transmission
from mailhaul_relay.ports.clock import Clock, wall_clock
from mailhaul_relay.smtpout.inbox import Captured, Inbox

ENDPOINT = "inbox"
_MAX_SUBJECT = 1000  # with encoded words, which a cut would spoil


class CaptureTransport:
    """Takes everything. `name` is the upstream's handle, shown with what it took."""

    def __init__(self, inbox: Inbox, name: str = "capture", clock: Clock = wall_clock) -> None:
        self._inbox = inbox
        self._name = name
        self._clock = clock

    async def deliver(self, transmission: Transmission) -> Delivery:
        """Store the message; delivered for every recipient, or to be retried for every one."""
        try:
            await _to_the_end(self._inbox.store(self._captured(transmission), lambda: message_bytes(transmission)))
        except (OSError, sqlite3.Error) as error:
            outcome = Outcome(
                Verdict.RETRY,
                Stage.RELAY,
                Fault.TRANSIENT,
                detail=f"the inbox could not be written ({type(error).__name__})",
                remedy="look at the space and rights of the queue's volume",
            )
        else:
            reply = Reply(250, "2.0.0", f"captured as {transmission.id}")
            outcome = Outcome(Verdict.DELIVERED, Stage.END_OF_DATA, reply=reply)
        return Delivery((outcome,) * len(transmission.recipients), ENDPOINT)

    def use_at_most(self, connections: int) -> None:
        """See `interface.Transport`; an inbox has no connections."""

    async def close(self) -> None:
        """Nothing to do: the inbox belongs to `app`, which closes it."""

    def _captured(self, transmission: Transmission) -> Captured:
        return Captured(
            key=0,
            id=transmission.id,
            time=self._clock(),
            upstream=self._name,
            sender=transmission.sender,
            recipients=transmission.recipients,
            subject=_subject(transmission.head),
            size=0,
        )


async def _to_the_end(storing: Coroutine[None, None, None]) -> None:
    """Wait for the store even when cancelled: what is stored was delivered, and must be told so."""
    task = asyncio.ensure_future(storing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.result()


def message_bytes(transmission: Transmission) -> bytes:
    """Give the message as a recipient would get it: head and body without stuffed dots. Raises OSError."""
    return unstuffed(transmission.head + _body_bytes(transmission.body))


def _body_bytes(body: Body) -> bytes:
    if body.data is not None:
        return body.data
    assert body.path is not None, "a body is in memory or in a file"
    with open(body.path, "rb") as file:
        return file.read()


def unstuffed(wire: bytes) -> bytes:
    """Give text in wire form without the dots that were stuffed (RFC 5321 section 4.5.2)."""
    return (b"\r\n" + wire).replace(b"\r\n..", b"\r\n.")[2:]


def _subject(head: bytes) -> str:
    """The Subject as it stands in the head, unfolded, for the list; the reader of one message decodes it."""
    start = (b"\r\n" + head).lower().find(b"\r\nsubject:")
    if start < 0:
        return ""
    lines = head[start + len(b"subject:") : start + 4096].split(b"\r\n")
    folded = [lines[0]]
    for line in lines[1:]:
        if line[:1] not in {b" ", b"\t"}:
            break
        folded.append(line)
    return b"".join(folded).strip().decode("utf-8", "replace")[:_MAX_SUBJECT]
