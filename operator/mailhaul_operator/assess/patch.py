"""Whether a status is worth writing: a changed condition at once, bare numbers once a minute, nothing equal ever.

A status that is written at each look would load the API server and wake whoever watches. A message counts without its
words that hold digits, for a provider may put a number of its own into each reply. Pure.
"""

from typing import Any, Final

from mailhaul_operator.api.mailalias import MailAliasStatus
from mailhaul_operator.api.provider_status import UpstreamProviderStatus
from mailhaul_operator.api.relay_status import SmtpRelayStatus

Status = SmtpRelayStatus | UpstreamProviderStatus | MailAliasStatus
NUMBERS_EVERY: Final = 60.0
"""Seconds between two writes of numbers alone."""
NUMBERS: Final = frozenset(
    {"queue", "delivered", "failed", "forwarded", "quotas", "last_delivery", "last_error", "last_reply"}
)
"""Fields that mail changes by passing through; whether they are there at all is no number."""


def differs(old: Status | None, new: Status, now: float, written: float = 0) -> bool:
    """Whether to write now; `written` is when it was written last (epoch seconds), 0 when that is not known."""
    return due_in(old, new, now, written) == 0


def due_in(old: Status | None, new: Status, now: float, written: float = 0) -> float | None:
    """Give the seconds until it should be written: 0 for at once, None for never, when nothing differs."""
    if old == new:
        return None
    if old is None or _identity(old) != _identity(new):
        return 0
    age = now - written  # below 0 when the clock was set back
    return NUMBERS_EVERY - age if 0 <= age < NUMBERS_EVERY else 0.0


def _identity(status: Status) -> dict[str, Any]:
    known = {name: getattr(status, name) for name in type(status).model_fields if name != "conditions"}
    plain = {name: value is not None if name in NUMBERS else value for name, value in known.items()}
    return plain | {"conditions": [(one.type, one.status, one.reason, _said(one.message)) for one in status.conditions]}


def _said(message: str) -> str:
    return " ".join(word for word in message.split() if not any(one.isdigit() for one in word))
