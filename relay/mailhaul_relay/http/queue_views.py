"""How queued mail is shown as JSON: a row for lists, everything but the body for one message.

Addresses and upstreams' words are shown to whoever holds the token; the body is not, and the head is bounded.
"""

from collections.abc import Iterable
from typing import Any

from mailhaul_relay.model.message import Envelope, Message, Progress, Recipient, State
from mailhaul_relay.queue.orders import Page
from mailhaul_relay.smtpout.capture import unstuffed

MAX_HEAD = 65_536
MAX_LISTED = 10
"""Recipients in a row of a list."""
_HOPE = (State.QUEUED, State.DEFERRED, State.HELD, State.DEAD, State.DELIVERED)


def page_view(page: Page) -> dict[str, Any]:
    """Give a list; `next` is the id to go on after, "" at the end."""
    return {"messages": [row_view(one.envelope, one.progress) for one in page.messages], "next": page.following}


def row_view(envelope: Envelope, progress: tuple[Progress, ...]) -> dict[str, Any]:
    """Give one row: the state is that of the most hopeful recipient, the words are of the last attempt."""
    last = max(progress, key=lambda one: one.changed)
    waiting = [one.due for one in progress if one.is_open and not one.is_on_hold]
    return {
        "id": envelope.id,
        "state": most_hopeful(one.state for one in progress).value,
        "sender": envelope.sender,
        "recipients": [one.original or one.final for one in envelope.recipients[:MAX_LISTED]],
        "recipientCount": len(envelope.recipients),
        "accepted": envelope.accepted,
        "size": envelope.size,
        "attempts": max(one.attempts for one in progress),
        "due": min(waiting, default=0.0),
        "upstream": last.upstream,
        "fault": last.fault,
        "text": last.text,
        "onHold": is_on_hold(progress),
    }


def is_on_hold(progress: tuple[Progress, ...]) -> bool:
    """Whether a person holds all of it that waits."""
    waiting = [one.is_on_hold for one in progress if one.is_open]
    return bool(waiting) and all(waiting)


def most_hopeful(states: Iterable[State]) -> State:
    """Give the state that stands for a message of which each recipient has its own."""
    return min(states, key=_HOPE.index)


def message_view(message: Message) -> dict[str, Any]:
    """Give one message: envelope, every recipient's fate, and the head for reading."""
    envelope = message.envelope
    fates = zip(envelope.recipients, message.progress, strict=True)
    return {
        **row_view(envelope, message.progress),
        "origin": envelope.origin.value,
        "client": envelope.client,
        "account": envelope.account,
        "fromDomain": envelope.from_domain,
        "recipients": [_recipient_view(recipient, progress) for recipient, progress in fates],
        "head": unstuffed(message.head[:MAX_HEAD]).decode("utf-8", "replace"),
    }


def _recipient_view(recipient: Recipient, progress: Progress) -> dict[str, Any]:
    return {
        "original": recipient.original,
        "final": recipient.final,
        "alias": recipient.alias,
        "state": progress.state.value,
        "onHold": progress.is_on_hold,
        "attempts": progress.attempts,
        "due": progress.due if progress.is_open and not progress.is_on_hold else 0.0,
        "changed": progress.changed,
        "upstream": progress.upstream,
        "pinned": progress.pinned,
        "stage": progress.stage,
        "fault": progress.fault,
        "code": progress.code,
        "text": progress.text,
    }
