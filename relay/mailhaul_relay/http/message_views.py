"""How one message is shown to whoever follows it: where it came from, where each recipient stands, every attempt, what
people did with it, and what comes next.

`message_routes` asks. A message that is queued is told from the queue, one that has left from the history that
`queue.chronicle` keeps; both together while it is half delivered. Pure.
"""

from collections.abc import Iterable
from typing import Any

from mailhaul_relay.http.queue_views import most_hopeful
from mailhaul_relay.model.message import Message, Progress, Recipient, State
from mailhaul_relay.model.outcome import Verdict
from mailhaul_relay.queue.orders import Verb
from mailhaul_relay.queue.story import Fate, Ordered, Origins, Story, Tried, origins_of
from mailhaul_relay.telemetry.transcript import Line

DROPPED = "dropped"
"""The state of a message that a person has given up, or that was pruned."""
GONE = "gone"
"""The state of one that has left the queue when a crash cut off the history before it tells how."""
_ENDS = frozenset({Verb.DROP.value, "prune"})


def follow_view(message_id: str, message: Message | None, story: Story) -> dict[str, Any]:
    """Give what is known. `message` is None when it is not queued any more; the story may be incomplete."""
    left = _left(story.tried)
    end = DROPPED if any(one.verb in _ENDS for one in story.ordered) else GONE
    recipients = _queued(message, left) if message else _gone(story.tried, left, end)
    waiting = [one["nextAttempt"] for one in recipients if one["nextAttempt"]]
    return {
        "id": message_id,
        # What was dropped or pruned had somebody who did not get it, tried or not, whoever is known to have got it.
        "state": DROPPED if message is None and end == DROPPED else _state(recipients, end),
        **_origins(origins_of(message) if message else story.origins),
        "nextAttempt": min(waiting, default=0.0),
        "recipients": recipients,
        "attempts": [_attempt(one) for one in story.tried] or _remembered(message),
        "orders": [_ordered(one) for one in story.ordered],
    }


def _origins(known: Origins | None) -> dict[str, Any]:
    names = ("sender", "client", "account", "helo", "accepted", "size", "recipientCount", "origin", "fromDomain")
    return dict(zip(names, known or (None,) * len(names), strict=True))


def _ordered(one: Ordered) -> dict[str, Any]:
    return {"time": one.time, "verb": one.verb, "detail": one.detail}


def _state(recipients: list[dict[str, Any]], end: str) -> str:
    states = {one["state"] for one in recipients}
    return end if end in states or not states else most_hopeful(map(State, states)).value


def lines_view(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Give a transcript."""
    return [{"time": one.time, "from": one.side.value, "line": one.text} for one in lines]


def _left(tried: tuple[Tried, ...]) -> dict[str, None]:
    """The recipients that are known to be delivered, in order."""
    fates = (fate for one in tried for fate in one.fates)
    return dict.fromkeys(fate.address for fate in fates if fate.verdict == Verdict.DELIVERED.value)


def _queued(message: Message, left: dict[str, None]) -> list[dict[str, Any]]:
    fates = zip(message.envelope.recipients, message.progress, strict=True)
    # The store learns of a delivery a moment later than the memory.
    return [
        _gone_one(to.final, to.original, State.DELIVERED.value) if to.final in left else _waiting(to, progress)
        for to, progress in fates
    ]


def _gone(tried: tuple[Tried, ...], left: dict[str, None], end: str) -> list[dict[str, Any]]:
    """The queue keeps what is not delivered, dead letters too: what is gone without a delivery has another `end`."""
    known = {fate.address: fate.original for one in tried for fate in one.fates}
    return [_gone_one(to, asked, State.DELIVERED.value if to in left else end) for to, asked in known.items()]


def _gone_one(address: str, original: str, state: str) -> dict[str, Any]:
    return {"address": address, "original": original, "state": state, "nextAttempt": 0.0, "fault": "", "text": ""}


def _waiting(recipient: Recipient, progress: Progress) -> dict[str, Any]:
    return {
        "address": recipient.final,
        "original": recipient.original,
        "state": progress.state.value,
        "nextAttempt": progress.due if progress.is_open and not progress.is_on_hold else 0.0,
        "fault": progress.fault,
        "text": progress.text,
    }


def _attempt(tried: Tried) -> dict[str, Any]:
    return {
        "time": tried.time,
        "upstream": tried.upstream,
        "endpoint": tried.endpoint,
        "sender": tried.sender,
        "fromDomain": tried.from_domain,
        "route": tried.route,
        "outcomes": [_outcome(one) for one in tried.fates],
    }


def _outcome(fate: Fate) -> dict[str, Any]:
    return {
        "address": fate.address,
        "verdict": fate.verdict,
        "stage": fate.stage,
        "fault": fate.fault,
        "reply": fate.reply,
        "remedy": fate.remedy,
    }


def _remembered(message: Message | None) -> list[dict[str, Any]]:
    """The last attempt of each recipient as the queue has it, where the history has lost it."""
    if message is None:
        return []
    fates = zip(message.envelope.recipients, message.progress, strict=True)
    return [_attempt(_last(to, one)) for to, one in fates if one.attempts]


def _last(to: Recipient, one: Progress) -> Tried:
    fate = Fate(to.final, to.original, "", one.stage, one.fault, one.text, "")
    return Tried(one.changed, one.upstream, "", "", "", "", (fate,))
