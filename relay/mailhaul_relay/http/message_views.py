"""How one message is shown to whoever follows it: where each recipient stands, every attempt, what comes next.

`message_routes` asks. A message that is queued is told from the queue, one that has left from the small memory of
`queue.history`; both together while it is half delivered. Pure.
"""

from collections.abc import Iterable
from typing import Any

from mailhaul_relay.http.queue_views import most_hopeful
from mailhaul_relay.model.message import Message, Progress, State
from mailhaul_relay.model.outcome import Outcome, Verdict
from mailhaul_relay.queue.history import Tried
from mailhaul_relay.telemetry.transcript import Line

DROPPED = "dropped"
"""The state of a message that a person has given up."""


def follow_view(message_id: str, message: Message | None, tried: tuple[Tried, ...]) -> dict[str, Any]:
    """Give the state of a message. `message` is None when it is not queued any more; `tried` may be incomplete."""
    left = _left(tried)
    recipients = _queued(message, left) if message else _gone(tried, left)
    waiting = [one["nextAttempt"] for one in recipients if one["nextAttempt"]]
    return {
        "id": message_id,
        "state": _state(recipients),
        "sender": message.envelope.sender if message else None,
        "accepted": message.envelope.accepted if message else None,
        "nextAttempt": min(waiting, default=0.0),
        "recipients": recipients,
        "attempts": [_attempt(one) for one in tried] or _remembered(message),
    }


def _state(recipients: list[dict[str, Any]]) -> str:
    states = {one["state"] for one in recipients}
    return DROPPED if DROPPED in states else most_hopeful(map(State, states)).value


def lines_view(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Give a transcript."""
    return [{"time": one.time, "from": one.side.value, "line": one.text} for one in lines]


def _left(tried: tuple[Tried, ...]) -> dict[str, None]:
    """The recipients that are known to be delivered, in order."""
    reached = (to for one in tried for to, outcome in one.outcomes if outcome.verdict is Verdict.DELIVERED)
    return dict.fromkeys(reached)


def _queued(message: Message, left: dict[str, None]) -> list[dict[str, Any]]:
    fates = zip(message.envelope.recipients, message.progress, strict=True)
    # The store learns of a delivery a moment later than the memory.
    return [_delivered(one.final) if one.final in left else _waiting(one.final, progress) for one, progress in fates]


def _gone(tried: tuple[Tried, ...], left: dict[str, None]) -> list[dict[str, Any]]:
    """The queue keeps what is not delivered, dead letters too: what is gone without a delivery was dropped."""
    known = dict.fromkeys(to for one in tried for to, _ in one.outcomes)
    return [_delivered(one) if one in left else {**_delivered(one), "state": DROPPED} for one in known]


def _delivered(recipient: str) -> dict[str, Any]:
    return {"address": recipient, "state": State.DELIVERED.value, "nextAttempt": 0.0, "fault": "", "text": ""}


def _waiting(recipient: str, progress: Progress) -> dict[str, Any]:
    return {
        "address": recipient,
        "state": progress.state.value,
        "nextAttempt": progress.due if progress.is_open else 0.0,
        "fault": progress.fault,
        "text": progress.text,
    }


def _attempt(tried: Tried) -> dict[str, Any]:
    return {
        "time": tried.time,
        "upstream": tried.upstream,
        "endpoint": tried.endpoint,
        "outcomes": [_outcome(to, one) for to, one in tried.outcomes],
    }


def _outcome(recipient: str, outcome: Outcome) -> dict[str, Any]:
    return {
        "address": recipient,
        "verdict": outcome.verdict.value,
        "stage": outcome.stage.value,
        "fault": outcome.fault.value,
        "reply": outcome.text,
        "remedy": outcome.remedy,
    }


def _remembered(message: Message | None) -> list[dict[str, Any]]:
    """The last attempt of each recipient as the queue has it; after a restart that is all."""
    if message is None:
        return []
    fates = zip(message.envelope.recipients, message.progress, strict=True)
    return [
        {
            "time": one.changed,
            "upstream": one.upstream,
            "endpoint": "",
            "outcomes": [
                {
                    "address": recipient.final,
                    "verdict": "",
                    "stage": one.stage,
                    "fault": one.fault,
                    "reply": one.text,
                    "remedy": "",
                }
            ],
        }
        for recipient, one in fates
        if one.attempts
    ]
